"""Fixtures of all tests."""

from media import clip, editor, short_clip, still, temporary  # noqa: F401

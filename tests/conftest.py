"""Fixtures of all tests."""

from browser import chromium  # noqa: F401
from media import clip, editor, short_clip, still, temporary  # noqa: F401

"""Clips to generate whose truth is known."""

from __future__ import annotations

from typing import NamedTuple

from training.datasets.controlled_clips import ControlledFrames

EDIT, REENACTMENT = "edit", "reenactment"  # each source frame with another emotion; one source image with all frames
DRIVEN_SETTINGS = (EDIT, REENACTMENT)


class DrivenClip(NamedTuple):
    """T source frames and what they become.

    Attributes:
        source: T frames.
        truth: T frames, whose controls drive the sources.
        emotion: of the truth, an index into `EMOTIONS`; -1 where it is unknown.
        setting: one of `DRIVEN_SETTINGS`.
    """

    source: ControlledFrames
    truth: ControlledFrames
    emotion: int
    setting: str

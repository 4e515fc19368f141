"""Value types that travel between the packages. All are frozen; arrays in them are never written to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asccl.errors import CancelledError, SettingError

EMOTIONS = ("neutral", "angry", "disgusted", "fear", "happy", "sad", "surprised")
GENERATORS = ("warp", "ned")  # the first is what one gets without asking
INTENSITY_RANGE = (0.0, 2.0)

Image = np.ndarray  # (H, W, 3) uint8 RGB


class LazyImage(Protocol):
    """An image that is looked at in parts: `picture[y0:y1, x0:x1]` is (h, w, 3) uint8 RGB. An `Image` is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        ...

    def __getitem__(self, part: tuple[slice, slice], /) -> Image: ...


def as_image(picture: LazyImage) -> Image:
    """All of a picture, (H, W, 3) uint8 RGB; the very same array where it is one."""
    return picture if isinstance(picture, np.ndarray) else picture[:, :]


@dataclass(frozen=True)
class Frame:
    """One decoded picture: upright, 8-bit, alpha flattened.

    pixels: in colours of its own until looked at, or an array. index: 0, 1, 2, ... in presentation order.
    pts: presentation time stamp in units of `MediaInfo.time_base`; never re-timed.
    """

    pixels: LazyImage
    index: int
    pts: int

    @cached_property
    def image(self) -> Image:
        """All of the picture, (H, W, 3) uint8 RGB."""
        return as_image(self.pixels)


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, after rotation.

    frame_rate: frames a second, exact; 0 for a still. time_base: seconds per unit of `Frame.pts`.
    duration: seconds, 0 for a still or when the file does not say. frames: an estimate, at least 1.
    """

    path: Path
    width: int
    height: int
    frame_rate: Fraction
    time_base: Fraction
    duration: float
    frames: int
    is_still: bool
    audio_tracks: int = 0


@dataclass(frozen=True)
class Track:
    """Where one person's face can be edited in a clip of T frames. Its landmarks lie in a `LandmarkStore`.

    presence: (T,) float32 in [0, 1]: how far the face can be edited in this frame. 0 where it is missing, cut off,
    turned away or hidden; 1 where it is plain; short ramps between, so that an edit fades.
    shot: (T,) int32, number of the shot (grows by one at each scene cut).
    reasons: spans (first frame, last frame inclusive, word) with presence 0; words: missing, cut off, turned, hidden.
    """

    presence: np.ndarray
    shot: np.ndarray
    reasons: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Motion:
    """What the face does: T frames of 3DMM state, `landmarks = scale * R @ shape + translation`.

    coefficients: (T, 52) float32, ARKit units in the order of `HeadModel.names`, 0 at rest, about 1 at full.
    scale: (T,) pixels per cm. rotation: (T, 3, 3). translation: (T, 3) pixels.
    identity: (468, 3) float32, this person's neutral landmarks in cm.
    weight: (T,) float32 in [0, 1], how much of an edit shows.
    lip_gain: (T,) edited over source opening of the lips, or None for 1: closed lips stay closed whatever it is.
    shot: (T,) number of the shot, as in `Track`, or None where all frames belong to one.
    """

    coefficients: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    identity: np.ndarray
    weight: np.ndarray
    lip_gain: np.ndarray | None = None
    shot: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.coefficients)

    def select(self, index: np.ndarray) -> Motion:
        """The motion of some frames alone."""
        return Motion(
            self.coefficients[index],
            self.scale[index],
            self.rotation[index],
            self.translation[index],
            self.identity,
            self.weight[index],
            None if self.lip_gain is None else self.lip_gain[index],
            None if self.shot is None else self.shot[index],
        )


@dataclass(frozen=True)
class EditRequest:
    """Everything that decides an edit. Checked on construction.

    source: a video or a still. output: None puts it beside the source. emotion, reference: at least one of them.
    intensity: 0 to 2; 0 leaves the source's pixels. start, end: seconds; the edit shows between them, with soft ends.
    face: None takes the largest; N takes the N-th, counted as `Editor.faces` lists them.
    generator: "warp" directs by presets and renders by warping; "ned" directs by NED's manipulator and renders by the
        neural renderer that was taught this person, by warping where there is none.
    renderer: the file of that renderer, for "ned"; None looks in the folder `renderers` beside the weights.
    seed: which of the natural variants of the emotion. badge: print a visible mark.
    Raises SettingError.
    """

    source: Path
    output: Path | None = None
    emotion: str | None = None
    reference: Path | None = None
    intensity: float = 1.0
    start: float = 0.0
    end: float | None = None
    face: int | None = None
    generator: str = "warp"
    renderer: Path | None = None
    seed: int = 0
    badge: bool = False

    def __post_init__(self) -> None:
        for name in ("source", "output", "reference", "renderer"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, Path(value))
        if self.emotion is None and self.reference is None:
            raise SettingError("neither an emotion nor a reference is given", "give one of them, or both")
        if self.emotion is not None and self.emotion not in EMOTIONS:
            raise SettingError(f"there is no emotion {self.emotion!r}", f"choose one of {', '.join(EMOTIONS)}")
        low, high = INTENSITY_RANGE
        if not (math.isfinite(self.intensity) and low <= self.intensity <= high):
            raise SettingError(f"intensity {self.intensity} is out of range", f"give a number from {low:g} to {high:g}")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise SettingError(f"start {self.start} is not a time", "give seconds, 0 or more")
        if self.end is not None and not (math.isfinite(self.end) and self.end > self.start):
            raise SettingError(f"end {self.end} does not lie after start {self.start}", "give seconds after the start")
        if self.face is not None and self.face < 0:
            raise SettingError(f"face {self.face} is not a number of a face", "give 0, 1, 2, ... or leave it out")
        if self.seed < 0:
            raise SettingError(f"seed {self.seed} is negative", "give a whole number, 0 or more")
        if self.generator not in GENERATORS:
            raise SettingError(f"there is no generator {self.generator!r}", f"choose one of {', '.join(GENERATORS)}")
        if self.renderer is not None and self.generator != "ned":
            raise SettingError(f"the generator {self.generator!r} takes no renderer", "choose ned, or leave it out")


@dataclass(frozen=True)
class EditResult:
    """The finished file and the read-out (JSON-able: str, int, float, bool, None, list, dict)."""

    output: Path
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DetectedFace:
    """A face that can be chosen: its number, a thumbnail (96, 96, 3) uint8 RGB, when it was seen first (seconds),
    the share of looked-at frames in which it was seen, and its box (x0, y0, x1, y1) in pixels there."""

    number: int
    thumbnail: Image
    time: float
    share: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Preview:
    """One frame before and after, and how much of the edit shows there (0 to 1; 0 where the face cannot be edited)."""

    source: Image
    edited: Image
    presence: float


class Progress:
    """Where an edit stands. Hand in `report(stage, done in [0, 1])`; `check()` raises CancelledError once `cancelled()`."""

    def __init__(
        self,
        report: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ):
        self._report = report
        self._cancelled = cancelled

    def __call__(self, stage: str, done: float) -> None:
        self.check()
        if self._report is not None:
            self._report(stage, min(max(done, 0.0), 1.0))

    def check(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise CancelledError

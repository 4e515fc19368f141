"""Value types that travel between the packages. All are frozen; arrays in them are never written to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asccl.errors import SettingError
from asccl.expression import EMOTIONS, INTENSITY_RANGE, NO_GROUPS, GroupAmounts, Keyframe, check_keyframes, check_mix

GENERATORS = ("warp", "ned", "icface")  # the first is the default
# field of an `EditRequest` that names a file -> generators that read the file
FILE_GENERATORS = {"renderer": ("ned", "icface"), "manipulator": ("ned",), "controls": ("icface",)}
SOUND_RATE = 16_000  # Hz, of decoded sound
DEFAULT_FRAME_RATE = 25.0  # frames per second, where the times of frames are unknown

Image = np.ndarray  # (H, W, 3) uint8 RGB


class LazyImage(Protocol):
    """An image that is converted to RGB in parts: `image[y0:y1, x0:x1]` is (h, w, 3) uint8 RGB. An `Image` is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        ...

    def __getitem__(self, part: tuple[slice, slice], /) -> Image: ...


def as_image(image: LazyImage) -> Image:
    """Convert all of an image to (H, W, 3) uint8 RGB; return the same object if it is an array."""
    return image if isinstance(image, np.ndarray) else image[:, :]


@dataclass(frozen=True)
class Frame:
    """One decoded frame: upright, 8-bit, alpha flattened.

    Attributes:
        pixels: the decoder's own pixels, which are converted to RGB on access, or an array.
        index: 0, 1, 2, ... in presentation order.
        pts: presentation time stamp in units of `MediaInfo.time_base`, as in the file except behind a `ClockJump`.
    """

    pixels: LazyImage
    index: int
    pts: int

    @cached_property
    def image(self) -> Image:
        """All of the frame, (H, W, 3) uint8 RGB."""
        return as_image(self.pixels)


@dataclass(frozen=True)
class ClockJump:
    """A jump of the clock of a file, behind which the clock was carried on.

    Attributes:
        time: of the jump, in seconds after the first frame.
        seconds: by which the time stamps go ahead, or back where it is negative.
    """

    time: float
    seconds: float


@dataclass(frozen=True)
class MediaInfo:
    """Properties of a video or a still, after rotation.

    Attributes:
        path: the file.
        width: pixels.
        height: pixels.
        frame_rate: frames per second, exact; 0 for a still.
        time_base: seconds per unit of `Frame.pts`.
        duration: seconds, measured from the packets; 0 for a still.
        frames: number of packets with a frame, at least 1; a few may be impossible to decode.
        is_still: whether this is a still image.
        audio_tracks: number of audio tracks that can be decoded.
        stated_duration: seconds, as the header of the file states it; 0 where it does not.
        clock_jumps: where the time stamps of the file jump; `Frame.pts` is carried on behind them.
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
    stated_duration: float = 0.0
    clock_jumps: tuple[ClockJump, ...] = ()


@dataclass(frozen=True)
class Track:
    """Where one person's face can be edited in a clip of T frames. Its landmarks are in a `LandmarkStore`.

    Attributes:
        presence: (T,) float32 in [0, 1], how far the face can be edited in each frame: 0 where it is missing, cut off,
            turned away or hidden, 1 where it is clearly visible, with short ramps between, so that an edit fades.
        shot: (T,) int32, index of the shot; it grows by one at each scene cut.
        reasons: spans of presence 0 as (first frame, last frame inclusive, reason); a reason is one of missing,
            cut off, turned, hidden.
    """

    presence: np.ndarray
    shot: np.ndarray
    reasons: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Motion:
    """3DMM state of a face in T frames, with `landmarks = scale * R @ shape + translation`.

    Attributes:
        coefficients: (T, 52) float32, ARKit units in the order of `HeadModel.names`, 0 at rest, about 1 at full.
        scale: (T,) pixels per cm.
        rotation: (T, 3, 3).
        translation: (T, 3) pixels.
        identity: (468, 3) float32, this person's neutral landmarks in cm.
        weight: (T,) float32 in [0, 1], how much of an edit is applied.
        lip_gain: (T,) edited over source opening of the lips, None for 1; closed lips stay closed for any value.
        shot: (T,) index of the shot, as in `Track`; None if all frames belong to one shot.
        lip_closing: (T,) cm by which the middle of the lips closes, at most as far as it is open; None for 0.
        lip_parting: (T,) cm by which the middle of the lips parts with the jaw, beyond the gain; None for 0.
        frame_rate: frames per second, by which durations become numbers of frames.
    """

    coefficients: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    identity: np.ndarray
    weight: np.ndarray
    lip_gain: np.ndarray | None = None
    shot: np.ndarray | None = None
    lip_closing: np.ndarray | None = None
    lip_parting: np.ndarray | None = None
    frame_rate: float = DEFAULT_FRAME_RATE

    def __len__(self) -> int:
        return len(self.coefficients)

    def select(self, index: np.ndarray) -> Motion:
        """The motion of the frames of an index."""
        return Motion(
            self.coefficients[index],
            self.scale[index],
            self.rotation[index],
            self.translation[index],
            self.identity,
            self.weight[index],
            None if self.lip_gain is None else self.lip_gain[index],
            None if self.shot is None else self.shot[index],
            None if self.lip_closing is None else self.lip_closing[index],
            None if self.lip_parting is None else self.lip_parting[index],
            self.frame_rate,
        )


@dataclass(frozen=True)
class EditRequest:
    """All settings of an edit, checked on construction.

    Attributes:
        source: a video or a still.
        output: the file to write; None puts it beside the source.
        emotion: one of `EMOTIONS`; an emotion, a reference or both are required.
        reference: a video or still that shows the emotion.
        intensity: 0 to 2; 0 leaves the source's pixels.
        start: seconds; the edit is applied from here on and fades in.
        end: seconds; the edit fades out before it. None is the end of the file.
        face: None selects the largest face, N the N-th in the order of `Editor.faces`.
        generator: "warp" directs by presets and renders by warping; "ned" directs by NED's manipulator and renders by
            the neural renderer trained on this person, or by warping where there is none; "icface" directs by
            presets and renders by ICface's networks.
        renderer: file of that renderer or of those networks; None searches the folder `renderers` beside the weights.
        seed: selects one of the natural variants of the emotion.
        badge: whether to print a visible mark.
        adapt: whether to fit the preset to this face; without it every face gets the same table of units.
        manipulator: file of the manipulator, for "ned"; None is the bundled one.
        second_emotion: another one of `EMOTIONS` that is mixed into `emotion`.
        second_share: share of the second emotion in the mix, 0 to 1.
        groups: by how much parts of the face move in addition; the intensity multiplies it.
        keyframes: intensity over time, in the order of their times; `intensity` multiplies it. Empty: it is constant.
        controls: table of OpenFace with the control values of the source, for "icface"; None computes them by the head
            model.

    Raises:
        SettingError: a value is missing or out of range.
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
    adapt: bool = True
    manipulator: Path | None = None
    second_emotion: str | None = None
    second_share: float = 0.5
    groups: GroupAmounts = NO_GROUPS
    keyframes: tuple[Keyframe, ...] = ()
    controls: Path | None = None

    def __post_init__(self) -> None:
        for name in ("source", "output", "reference", *FILE_GENERATORS):
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
        check_mix(self.emotion, self.second_emotion, self.second_share)
        check_keyframes(self.keyframes, self.intensity)
        if self.generator not in GENERATORS:
            raise SettingError(f"there is no generator {self.generator!r}", f"choose one of {', '.join(GENERATORS)}")
        for name, generators in FILE_GENERATORS.items():
            if getattr(self, name) is not None and self.generator not in generators:
                remedy = f"choose {' or '.join(generators)}, or leave it out"
                raise SettingError(f"the generator {self.generator!r} takes no {name}", remedy)


@dataclass(frozen=True)
class EditResult:
    """Result of an edit.

    Attributes:
        output: the finished file.
        report: metrics of the edit, JSON-serializable (str, int, float, bool, None, list, dict).
    """

    output: Path
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DetectedFace:
    """A person in a clip who can be chosen for an edit.

    Attributes:
        number: the largest face is 0.
        thumbnail: (96, 96, 3) uint8 RGB.
        time: seconds, of the first sampled frame with this face.
        share: fraction of the sampled frames with this face.
        box: (x0, y0, x1, y1) pixels in the first sampled frame with this face.
        angle: of its eyes in that frame, radians, clockwise on screen; near pi for a face upside down.
    """

    number: int
    thumbnail: Image
    time: float
    share: float
    box: tuple[float, float, float, float]
    angle: float = 0.0


@dataclass(frozen=True)
class Preview:
    """One frame before and after an edit.

    Attributes:
        source: the source frame.
        edited: the edited frame.
        presence: how much of the edit is applied, 0 to 1; 0 where the face cannot be edited.
        is_final: False for the plain preset of an edit that is still to be adapted to the face.
        box: (x0, y0, x1, y1) pixels of the face; None where none was detected.
    """

    source: Image
    edited: Image
    presence: float
    is_final: bool = True
    box: tuple[float, ...] | None = None

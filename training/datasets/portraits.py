"""Training data of the neural renderer: clips of people with condition images of every frame, cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.errors import InputError
from asccl.face.crop import CROP_SIZE, arcface_matrix
from asccl.face.mesh import LIPS
from asccl.nets.ned_renderer import INPUT_CHANNELS, PREVIOUS_FRAMES
from asccl.renderers.neural.conditions import Scene

MOUTH_SIDE_RATIO = 3 / 8  # side of the square around the mouth over the side of the frame


class RendererWindow(NamedTuple):
    """T consecutive frames; the first `PREVIOUS_FRAMES` are input only, the others are rendered.

    Attributes:
        conditions: (T, 10, S, S) float32 in [0, 1]: NMFC, shape, eyes, mask.
        frames: (T, 3, S, S) RGB in [-1, 1], with the background.
        mouth_corner: (T, 2) int64, first row and column of the square around the mouth.
        crop_matrix: (T, 2, 3) float32, from pixels of the frame to those of its ArcFace crop.
    """

    conditions: torch.Tensor
    frames: torch.Tensor
    mouth_corner: torch.Tensor
    crop_matrix: torch.Tensor


def mouth_side(size: int) -> int:
    """Return the side of the square around the mouth in a frame of this size, pixels."""
    return round(MOUTH_SIDE_RATIO * size)


class Portrait(Protocol):
    """N consecutive frames of one person, without a cut."""

    @property
    def size(self) -> int:
        """Side of a frame, pixels."""
        ...

    @property
    def coefficients(self) -> np.ndarray:
        """Expression coefficients (N, 52) of the frames."""
        ...

    def __len__(self) -> int: ...

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        """Return frames first..last-1, all by default. Raises UnreadableError."""
        ...

    def edited_conditions(self, first: int, coefficients: np.ndarray) -> np.ndarray:
        """Compute conditions (n, 10, S, S) in [0, 1] of n frames from `first` on with other coefficients (n, 52)."""
        ...


@dataclass(frozen=True)
class ArrayPortrait:
    """A portrait in memory.

    Attributes:
        frames: (N, 3, S, S) uint8 RGB.
        conditions: (N, 10, S, S) uint8, 255 for 1.
        landmarks: (N, 468, 2) float32 pixels.
        name: of the clip, for errors.

    Raises:
        InputError: the shapes do not fit, or landmarks are not finite.
    """

    frames: np.ndarray
    conditions: np.ndarray
    landmarks: np.ndarray
    name: str = "the portrait"

    def __post_init__(self) -> None:
        count, size = len(self.frames), self.frames.shape[-1]
        frames_fit = self.frames.shape == (count, 3, size, size)
        if not frames_fit or self.conditions.shape != (count, INPUT_CHANNELS, size, size):
            raise InputError(
                f"{self.name} has frames {self.frames.shape} and conditions {self.conditions.shape}",
                f"prepare it again: N square RGB frames with {INPUT_CHANNELS} condition channels each, of one size",
            )
        if self.landmarks.shape[0] != count or not np.isfinite(self.landmarks).all():
            raise InputError(
                f"{self.name} has {count} frames and landmarks {self.landmarks.shape}, or not finite",
                "prepare it again",
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> int:
        """Side of a frame, pixels."""
        return self.frames.shape[-1]

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        """See `Portrait.window`."""
        window = slice(first, last)
        conditions = torch.from_numpy(self.conditions[window]).float() / 255
        return build_window(conditions, self.frames[window], self.landmarks[window])


@dataclass(frozen=True, kw_only=True)
class ScenePortrait(ArrayPortrait):
    """A portrait in memory whose expression can be changed.

    Attributes:
        coefficients: (N, 52).
        scene: the person before the camera in the N frames.
    """

    coefficients: np.ndarray
    scene: Scene

    def edited_conditions(self, first: int, coefficients: np.ndarray) -> np.ndarray:
        """See `Portrait.edited_conditions`."""
        return self.scene.conditions(coefficients, first).channels


def build_window(conditions: torch.Tensor, frames: np.ndarray, landmarks: np.ndarray) -> RendererWindow:
    """Build a window from its frames.

    Args:
        conditions: (T, 10, S, S) float32 in [0, 1].
        frames: (T, 3, S, S) uint8.
        landmarks: (T, 468 or more, 2) pixels.
    """
    size = frames.shape[-1]
    side = mouth_side(size)
    lips = landmarks[:, list(LIPS), ::-1]
    corner = (lips.min(1) + lips.max(1)) / 2 - (side - 1) / 2
    crop_matrix = np.stack([arcface_matrix(points, CROP_SIZE) for points in landmarks])
    return RendererWindow(
        conditions=conditions,
        frames=torch.from_numpy(np.ascontiguousarray(frames)).float() / 127.5 - 1,
        mouth_corner=torch.from_numpy(np.rint(corner).clip(0, size - side)).long(),
        crop_matrix=torch.from_numpy(crop_matrix).float(),
    )


@dataclass(frozen=True)
class PortraitSlice:
    """Frames first..last-1 of a portrait."""

    portrait: Portrait
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def size(self) -> int:
        """Side of a frame, pixels."""
        return self.portrait.size

    @property
    def coefficients(self) -> np.ndarray:
        """Expression coefficients (N, 52) of the frames."""
        return self.portrait.coefficients[self.first : self.last]

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        """See `Portrait.window`."""
        frames = range(self.first, self.last)[first:last]
        return self.portrait.window(frames.start, frames.stop)

    def edited_conditions(self, first: int, coefficients: np.ndarray) -> np.ndarray:
        """See `Portrait.edited_conditions`."""
        return self.portrait.edited_conditions(self.first + first, coefficients)


def split_portraits(
    portraits: Sequence[Portrait], held_out_share: float
) -> tuple[list[PortraitSlice], list[PortraitSlice]]:
    """Split each portrait into its beginning, to train on, and its end, that share of it, which is held out."""
    train, held_out = [], []
    for portrait in portraits:
        boundary = round((1 - held_out_share) * len(portrait))
        train.append(PortraitSlice(portrait, 0, boundary))
        held_out.append(PortraitSlice(portrait, boundary, len(portrait)))
    return train, held_out


class RendererWindows(Dataset):
    """All windows of some portraits: `window_frames` frames to render, and the `PREVIOUS_FRAMES` before them.

    Args:
        portraits: frames of one size.
        window_frames: frames to render.

    Raises:
        InputError: the portraits differ in size, or all are too short.
    """

    def __init__(self, portraits: Sequence[Portrait], window_frames: int):
        self.portraits, self.frames = portraits, window_frames + PREVIOUS_FRAMES
        self.starts = [
            (number, first)
            for number, portrait in enumerate(portraits)
            for first in range(len(portrait) - self.frames + 1)
        ]
        sizes = sorted({portrait.size for portrait in portraits})
        if len(sizes) > 1:
            raise InputError(f"these portraits have {sizes} pixels", "prepare all of them with one --size")
        if not self.starts:
            raise InputError(
                f"none of {len(portraits)} portraits has {self.frames} consecutive frames",
                "give longer clips, or a smaller --window-frames",
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> RendererWindow:
        """Return window `index`."""
        number, first = self.starts[index]
        return self.portraits[number].window(first, first + self.frames)

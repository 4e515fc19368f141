"""What a neural renderer learns from: clips of people with the condition images of every frame, cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.data.clips import ClipFolder, PreparedClip
from asccl.errors import InputError
from asccl.face.crop import CROP_SIZE, arcface_matrix
from asccl.face.mesh import LIPS
from asccl.nets.ned_renderer import INPUT_CHANNELS, PREVIOUS_FRAMES
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator

MOUTH = 3 / 8  # side of the square round the mouth, in sides of the picture


class RendererWindow(NamedTuple):
    """T frames in a row; the first `PREVIOUS_FRAMES` are only looked at, the others are to be drawn.

    conditions: (T, 10, S, S) float32 in [0, 1]: NMFC, shape, eyes, mask. frames: (T, 3, S, S) RGB in [-1, 1], with
    whatever is behind the face. mouth: (T, 2) int64, first row and column of the square round the mouth.
    face: (T, 2, 3) float32, from pixels of the frame to those of its ArcFace crop.
    """

    conditions: torch.Tensor
    frames: torch.Tensor
    mouth: torch.Tensor
    face: torch.Tensor


def mouth_side(size: int) -> int:
    """Pixels."""
    return round(MOUTH * size)


class Portrait(Protocol):
    """N frames in a row of one person, without a cut."""

    @property
    def size(self) -> int:
        """Pixels of a side."""
        ...

    def __len__(self) -> int: ...

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        """Frames first..last-1, all by default. Raises UnreadableError."""
        ...


@dataclass(frozen=True)
class InMemory:
    """A portrait. frames: (N, 3, S, S) uint8 RGB. conditions: (N, 10, S, S) uint8, 255 for 1. landmarks: (N, 468, 2)
    float32 pixels. name: of the clip, for errors. Raises InputError."""

    frames: np.ndarray
    conditions: np.ndarray
    landmarks: np.ndarray
    name: str = "the portrait"

    def __post_init__(self) -> None:
        count, colours, *size = self.frames.shape
        if (
            colours != 3
            or len(size) != 2
            or size[0] != size[1]
            or self.conditions.shape != (count, INPUT_CHANNELS, *size)
        ):
            raise InputError(
                f"{self.name} has frames {self.frames.shape} and conditions {self.conditions.shape}",
                f"prepare it anew: N square RGB frames, and {INPUT_CHANNELS} condition channels of each at the same size",
            )
        if self.landmarks.shape[0] != count or not np.isfinite(self.landmarks).all():
            raise InputError(
                f"{self.name} has {count} frames and landmarks {self.landmarks.shape}, or not finite", "prepare it anew"
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> int:
        return self.frames.shape[-1]

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        part = slice(first, last)
        conditions = torch.from_numpy(self.conditions[part]).float() / 255
        return window_of(conditions, self.frames[part], self.landmarks[part])


class Prepared:
    """A portrait in a folder of `training.prepare`: frames first..last-1 of a clip. Its conditions are drawn when they
    are asked for, as the renderer will draw them of a tracked face."""

    def __init__(self, clip: PreparedClip, surface: FaceSurface, gaze: GazeEstimator, first: int, last: int):
        self.clip, self.surface, self.gaze, self.first, self.last = clip, surface, gaze, first, last

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def size(self) -> int:
        return self.clip.record.size

    @cached_property
    def scene(self) -> Scene:
        tracked = Scene.tracked(self.surface, self.clip.motion(), self.size)
        return Scene(self.surface, tracked.rest, tracked.views, self.clip.read("crop"), self.size)

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        frames = np.arange(self.first, self.last)[first:last]
        points = self.clip.read("landmarks", int(frames[0]), int(frames[-1]) + 1)
        drawn = []
        for t, seen in zip(frames, points, strict=True):
            looking = self.gaze(self.scene.rest, self.clip.coefficients[t], self.scene.views[t], seen)
            drawn.append(self.scene.frame_channels(looking, t))
        pictures = self.clip.images(frames).transpose(0, 3, 1, 2)
        return window_of(torch.from_numpy(np.stack(drawn)), pictures, self.clip.landmarks(frames))


def prepared(folder: Path, surface: FaceSurface, people: str = "", verify: bool = True) -> list[Prepared]:
    """Every stretch of a folder's clips in which a face is to be seen. Raises InputError."""
    clips, gaze = ClipFolder(folder, surface.head.names, people, verify).clips, GazeEstimator(surface)
    return [Prepared(clip, surface, gaze, first, last) for clip in clips for first, last in clip.segments]


def window_of(conditions: torch.Tensor, frames: np.ndarray, landmarks: np.ndarray) -> RendererWindow:
    """conditions: (T, 10, S, S) float32 in [0, 1]. frames: (T, 3, S, S) uint8. landmarks: (T, 468+, 2) pixels."""
    size = frames.shape[-1]
    side = mouth_side(size)
    lips = landmarks[:, list(LIPS), ::-1]
    corner = (lips.min(1) + lips.max(1)) / 2 - (side - 1) / 2
    face = np.stack([arcface_matrix(points, CROP_SIZE) for points in landmarks])
    return RendererWindow(
        conditions,
        torch.from_numpy(np.ascontiguousarray(frames)).float() / 127.5 - 1,
        torch.from_numpy(np.rint(corner).clip(0, size - side)).long(),
        torch.from_numpy(face).float(),
    )


@dataclass(frozen=True)
class Part:
    """Frames first..last-1 of a portrait."""

    whole: Portrait
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def size(self) -> int:
        return self.whole.size

    def window(self, first: int = 0, last: int | None = None) -> RendererWindow:
        here = range(self.first, self.last)[first:last]
        return self.whole.window(here.start, here.stop)


def split(portraits: Sequence[Portrait], share: float) -> tuple[list[Portrait], list[Portrait]]:
    """The beginning of each to train on, and the end, that share of it, to look at only."""
    middles = [round((1 - share) * len(one)) for one in portraits]
    train: list[Portrait] = [Part(one, 0, m) for one, m in zip(portraits, middles, strict=True)]
    return train, [Part(one, m, len(one)) for one, m in zip(portraits, middles, strict=True)]


class RendererWindows(Dataset):
    """All windows of `window_frames` frames, and the `PREVIOUS_FRAMES` before them, of some portraits. Raises InputError."""

    def __init__(self, portraits: Sequence[Portrait], window_frames: int):
        self.portraits, self.frames = portraits, window_frames + PREVIOUS_FRAMES
        self.starts = [(p, first) for p, one in enumerate(portraits) for first in range(len(one) - self.frames + 1)]
        sizes = sorted({one.size for one in portraits})
        if len(sizes) > 1:
            raise InputError(f"these portraits have {sizes} pixels", "prepare all of them with one --size")
        if not self.starts:
            raise InputError(
                f"none of {len(portraits)} portraits has {self.frames} frames in a row",
                "give longer clips, or a smaller --window-frames",
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> RendererWindow:
        number, first = self.starts[index]
        return self.portraits[number].window(first, first + self.frames)

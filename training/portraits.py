"""What a neural renderer learns from: clips of people with the condition images of every frame, cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.errors import InputError
from asccl.face.crop import SIZE, arcface_matrix
from asccl.face.mesh import LIPS
from asccl.nets.ned_renderer import CONDITIONS, PREVIOUS

MOUTH = 5 / 16  # side of the square round the mouth, in sides of the picture


class RendererWindow(NamedTuple):
    """T frames in a row; the first `PREVIOUS` are only looked at, the others are to be drawn.

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


@dataclass(frozen=True)
class Portrait:
    """One clip of one person, N frames without a cut. frames: (N, 3, S, S) uint8 RGB. conditions: (N, 10, S, S) uint8,
    255 for 1. landmarks: (N, 468, 2) float32 pixels. name: who it is, or the clip's. Raises InputError."""

    frames: np.ndarray
    conditions: np.ndarray
    landmarks: np.ndarray
    name: str = ""

    def __post_init__(self) -> None:
        count, colours, *size = self.frames.shape
        right = (count, CONDITIONS, *size)
        if colours != 3 or len(size) != 2 or size[0] != size[1] or self.conditions.shape != right:
            raise InputError(
                f"{self.name or 'the portrait'} has frames {self.frames.shape} and conditions {self.conditions.shape}",
                f"prepare it anew: N square RGB frames, and {CONDITIONS} condition channels of each at the same size",
            )
        if self.landmarks.shape[0] != count or not np.isfinite(self.landmarks).all():
            raise InputError(
                f"{self.name or 'the portrait'} has {count} frames and landmarks {self.landmarks.shape}, or not finite",
                "prepare it anew",
            )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> int:
        return self.frames.shape[-1]

    def part(self, start: int, stop: int) -> Portrait:
        return Portrait(self.frames[start:stop], self.conditions[start:stop], self.landmarks[start:stop], self.name)

    def window(self, start: int = 0, stop: int | None = None) -> RendererWindow:
        part = slice(start, stop)
        places, side = self.landmarks[part], mouth_side(self.size)
        corner = places[:, list(LIPS)].mean(1)[:, ::-1] - (side - 1) / 2
        face = np.stack([arcface_matrix(points, SIZE) for points in places])
        return RendererWindow(
            torch.from_numpy(self.conditions[part]).float() / 255,
            torch.from_numpy(self.frames[part]).float() / 127.5 - 1,
            torch.from_numpy(np.rint(corner).clip(0, self.size - side)).long(),
            torch.from_numpy(face).float(),
        )


class RendererWindows(Dataset):
    """All windows of `drawn` frames, and the `PREVIOUS` before them, of some portraits. Raises InputError."""

    def __init__(self, portraits: Sequence[Portrait], drawn: int):
        self.portraits, self.frames = portraits, drawn + PREVIOUS
        self.starts = [(p, first) for p, one in enumerate(portraits) for first in range(len(one) - self.frames + 1)]
        sizes = sorted({one.size for one in portraits})
        if len(sizes) > 1:
            raise InputError(f"these portraits have {sizes} pixels", "prepare all of them with one --size")
        if not self.starts:
            raise InputError(
                f"none of {len(portraits)} portraits has {self.frames} frames in a row",
                "give longer clips, or less --drawn",
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> RendererWindow:
        number, first = self.starts[index]
        return self.portraits[number].window(first, first + self.frames)

"""Frames of people with the control values of ICface, in pairs of one clip to train on and as clips to generate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.errors import InputError
from asccl.face.crop import CROP_SIZE, arcface_matrix

TARGETS_PER_SOURCE = 16  # items of an epoch with the same source


class FramePair(NamedTuple):
    """Two frames of one clip.

    Attributes:
        source: (3, S, S) RGB in [-1, 1].
        target: (3, S, S) RGB in [-1, 1].
        source_controls: (20,) in [0, 1].
        target_controls: (20,) in [0, 1].
        crop_matrix: (2, 3) float32, from pixels of the source to those of its ArcFace crop of 112 pixels.
        person: index of the person, int64.
    """

    source: torch.Tensor
    target: torch.Tensor
    source_controls: torch.Tensor
    target_controls: torch.Tensor
    crop_matrix: torch.Tensor
    person: torch.Tensor


class ControlledFrames(NamedTuple):
    """N frames of a clip.

    Attributes:
        images: (N, S, S, 3) uint8 RGB.
        controls: (N, 20) float32 in [0, 1].
        landmarks: (N, 468 or more, 2) float32 pixels.
    """

    images: np.ndarray
    controls: np.ndarray
    landmarks: np.ndarray


class ControlledClip(Protocol):
    """A clip of one person."""

    @property
    def name(self) -> str:
        """Name of the clip, for errors."""
        ...

    @property
    def person(self) -> str:
        """Name of the person; clips with one name show one person."""
        ...

    def __len__(self) -> int: ...

    def frames(self, indices: Sequence[int]) -> ControlledFrames:
        """Return some frames. Raises UnreadableError."""
        ...

    def edit_of(self, index: int) -> int | None:
        """Return the frame that shows the moment of frame `index` with another emotion; None for a clip without."""
        ...


@dataclass(frozen=True)
class ArrayClip:
    """A clip in memory.

    Attributes:
        content: its frames.
        name: of the clip.
        person: of the clip.
        edits: the second half of the frames shows the moments of the first half with other emotions.
    """

    content: ControlledFrames
    name: str
    person: str
    edits: bool = False

    def __len__(self) -> int:
        return len(self.content.images)

    def frames(self, indices: Sequence[int]) -> ControlledFrames:
        """See `ControlledClip.frames`."""
        return ControlledFrames(*(part[list(indices)] for part in self.content))

    def edit_of(self, index: int) -> int | None:
        """See `ControlledClip.edit_of`."""
        if not self.edits:
            return None
        half = len(self) // 2
        return (index + half) % (2 * half)


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """(N, S, S, 3) uint8 RGB -> (N, 3, S, S) float32 in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def jitter_colours(images: torch.Tensor, rng: np.random.Generator, deviation: float) -> torch.Tensor:
    """Change the colours of all images alike, by a gain and an offset of each channel, both random.

    Args:
        images: (N, 3, S, S) in [-1, 1].
        rng: random numbers.
        deviation: standard deviation of the logarithm of the gain, and of the offset; half of it is common to the
            channels.

    Returns:
        (N, 3, S, S) in [-1, 1].
    """
    shared, own = rng.normal(0, deviation, (2, 2, 1, 1, 1)), rng.normal(0, deviation / 2, (2, 1, 3, 1, 1))
    log_gain, offset = torch.from_numpy((shared[0][:, None] + own).astype(np.float32)).unbind(0)
    return (images * log_gain.exp() + offset).clamp(-1, 1)


class FramePairs(Dataset):
    """Random pairs of frames, each of one clip; an epoch takes every frame once as a source.

    Item i of an epoch depends on the seed, the epoch and i; the epoch counts how often item i was asked for.

    Args:
        clips: the data.
        seed: of the targets.
        edit_share: share of the pairs that show one moment with two emotions, for clips with edits.
        colour_jitter: standard deviation of the logarithm of a gain, and of an offset, of the colours of a pair.

    Raises:
        InputError: no clip has two frames.
    """

    def __init__(self, clips: Sequence[ControlledClip], seed: int, edit_share: float = 0.0, colour_jitter: float = 0.0):
        self.clips, self.seed = [clip for clip in clips if len(clip) > 1], seed
        self.edit_share, self.colour_jitter = edit_share, colour_jitter
        if not self.clips:
            raise InputError(f"none of {len(clips)} clips has two frames with a face", "give longer clips")
        self.people = sorted({clip.person for clip in self.clips})
        self._crop_matrices: dict[int, torch.Tensor] = {}  # by source; a third of a millisecond each
        self.sources = [(number, t) for number, clip in enumerate(self.clips) for t in range(len(clip))]

    def __len__(self) -> int:
        return len(self.sources) * TARGETS_PER_SOURCE

    def __getitem__(self, index: int) -> FramePair:
        """Return pair `index`, which depends on seed and index alone."""
        source = index // TARGETS_PER_SOURCE
        number, t = self.sources[source]
        clip = self.clips[number]
        rng = np.random.default_rng((self.seed, index, 12))
        other = int(rng.integers(len(clip) - 1))
        other += other >= t
        edit = clip.edit_of(t)
        if edit is not None and rng.random() < self.edit_share:
            other = edit
        pair = clip.frames((t, other))
        images, controls = to_tensor(pair.images), torch.from_numpy(pair.controls)
        if self.colour_jitter:
            images = jitter_colours(images, rng, self.colour_jitter)
        if source not in self._crop_matrices:
            matrix = arcface_matrix(pair.landmarks[0], CROP_SIZE)
            self._crop_matrices[source] = torch.from_numpy(matrix).float()
        return FramePair(
            source=images[0],
            target=images[1],
            source_controls=controls[0],
            target_controls=controls[1],
            crop_matrix=self._crop_matrices[source],
            person=torch.tensor(self.people.index(clip.person)),
        )

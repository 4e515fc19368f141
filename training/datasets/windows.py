"""Windows of synthetic sequences, to train NED's manipulator."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.nets.ned_manipulator import WINDOW_LENGTH
from asccl.synthetic.datasets import SyntheticSequences

SEQUENCE_FRAMES = 80
MAX_REFERENCE_STRIDE = 4  # frames from one reference frame to the next: sampled frames of a clip may be apart
MAX_RESTING_EXPRESSION = 0.15  # largest coefficient of a resting face


class ManipulatorWindow(NamedTuple):
    """`WINDOW_LENGTH` frames of the same words with two emotions, and other frames of the second emotion.

    Attributes:
        source: (WINDOW_LENGTH, 52) coefficients.
        target: the same words with another emotion.
        reference: other frames with the emotion of the target.
        source_emotion: index into `EMOTIONS`.
        target_emotion: index into `EMOTIONS`.
        paired: whether target does say the same words, frame by frame.
    """

    source: torch.Tensor
    target: torch.Tensor
    reference: torch.Tensor
    source_emotion: int
    target_emotion: int
    paired: bool = True


class SyntheticWindows(Dataset):
    """Windows of synthetic sequences; every speaker has their own resting face.

    Args:
        seed: of the speakers and windows.
        count: number of sequences.
        windows_per_sequence: items per sequence.
    """

    def __init__(self, seed: int, count: int, windows_per_sequence: int = 40):
        self.seed, self.windows_per_sequence = seed, windows_per_sequence
        self.sequences = SyntheticSequences(seed, count, SEQUENCE_FRAMES)
        self._cache: dict[int, tuple[np.ndarray, np.ndarray, int, int]] = {}

    def __len__(self) -> int:
        return len(self.sequences) * self.windows_per_sequence

    def __getitem__(self, index: int) -> ManipulatorWindow:
        """Return window `index`, which depends on seed and index alone."""
        number = index % len(self.sequences)
        source, target, source_emotion, target_emotion = self.sequence(number)
        rng = np.random.default_rng((self.seed, index, 4))
        first = rng.integers(SEQUENCE_FRAMES - WINDOW_LENGTH + 1)
        stride = rng.integers(1, MAX_REFERENCE_STRIDE + 1)
        span = stride * (WINDOW_LENGTH - 1)
        reference_frames = rng.integers(SEQUENCE_FRAMES - span) + stride * np.arange(WINDOW_LENGTH)
        window = slice(first, first + WINDOW_LENGTH)
        return ManipulatorWindow(
            source=torch.from_numpy(source[window].copy()),
            target=torch.from_numpy(target[window].copy()),
            reference=torch.from_numpy(target[reference_frames]),
            source_emotion=source_emotion,
            target_emotion=target_emotion,
        )

    def examples(self, max_sequences: int = 1000) -> Iterator[tuple[np.ndarray, int]]:
        """Yield coefficients (SEQUENCE_FRAMES, 52) of the first sequences' targets, and their emotions."""
        for number in range(min(len(self.sequences), max_sequences)):
            _, target, _, emotion = self.sequence(number)
            yield target, emotion

    def evaluation_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray | None, int]]:
        """Yield source and true target, (SEQUENCE_FRAMES, 52) both, and target emotion of every sequence."""
        for number in range(len(self.sequences)):
            source, target, _, emotion = self.sequence(number)
            yield source, target, emotion

    def sequence(self, number: int) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Return a sequence with the speaker's resting face; it is sampled once.

        Returns:
            Source and target (SEQUENCE_FRAMES, 52) float32, and their emotions.
        """
        if number not in self._cache:
            pair = self.sequences[number]
            random = np.random.default_rng((self.seed, number, 5)).uniform(size=pair.source.shape[1])
            rest = MAX_RESTING_EXPRESSION * random**3
            source, target = ((x + rest * (1 - x).clip(0)).astype(np.float32) for x in (pair.source, pair.target))
            self._cache[number] = (source, target, pair.source_emotion, pair.target_emotion)
        return self._cache[number]


@lru_cache(maxsize=2)
def shared_windows(seed: int, count: int) -> SyntheticWindows:
    """Return `SyntheticWindows(seed, count)`, the same object for trainings of one seed in one process."""
    return SyntheticWindows(seed, count)

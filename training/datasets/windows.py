"""Windows of synthetic sequences, as NED's manipulator is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.nets.ned_manipulator import WINDOW_LENGTH
from asccl.synthetic.datasets import SyntheticSequences

SEQUENCE_FRAMES = 80  # of a sequence
SPACING = 4  # most frames from one frame of a reference to the next: looks at a clip need not be neighbours
RESTING = 0.15  # most that a resting face may read of a unit


class ManipulatorWindow(NamedTuple):
    """The same words with two emotions, `WINDOW_LENGTH` frames of each, and other frames of the second. (WINDOW, 52) each;
    emotions index `EMOTIONS`. paired: whether target does say the same words, frame by frame."""

    source: torch.Tensor
    target: torch.Tensor
    reference: torch.Tensor
    source_emotion: int
    target_emotion: int
    paired: bool = True


class SyntheticWindows(Dataset):
    """count: sequences. each: windows of a sequence. Every speaker has a resting face of their own."""

    def __init__(self, seed: int, count: int, each: int = 40):
        self.seed, self.each = seed, each
        self.sequences = SyntheticSequences(seed, count, SEQUENCE_FRAMES)
        self._seen: dict[int, tuple[np.ndarray, np.ndarray, int, int]] = {}

    def __len__(self) -> int:
        return len(self.sequences) * self.each

    def __getitem__(self, index: int) -> ManipulatorWindow:
        number = index % len(self.sequences)
        source, target, first, second = self.sequence(number)
        rng = np.random.default_rng((self.seed, index, 4))
        at = rng.integers(SEQUENCE_FRAMES - WINDOW_LENGTH + 1)
        spacing = rng.integers(1, SPACING + 1)
        other = rng.integers(SEQUENCE_FRAMES - spacing * (WINDOW_LENGTH - 1)) + spacing * np.arange(WINDOW_LENGTH)
        parts = (source[at : at + WINDOW_LENGTH], target[at : at + WINDOW_LENGTH], target[other])
        return ManipulatorWindow(*(torch.from_numpy(part.copy()) for part in parts), first, second)

    def examples(self, most: int = 1000) -> Iterator[tuple[np.ndarray, int]]:
        """Coefficients (FRAMES, 52) of the first sequences' targets, and their emotions."""
        for number in range(min(len(self.sequences), most)):
            _, target, _, emotion = self.sequence(number)
            yield target, emotion

    def tests(self) -> Iterator[tuple[np.ndarray, np.ndarray | None, int]]:
        """Source (FRAMES, 52), the truth (FRAMES, 52) and the emotion wanted, of every sequence."""
        for number in range(len(self.sequences)):
            source, target, _, emotion = self.sequence(number)
            yield source, target, emotion

    def sequence(self, number: int) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Source and target (FRAMES, 52) float32 with the speaker's resting face, and their emotions; drawn once."""
        if number not in self._seen:
            drawn = self.sequences[number]
            rest = RESTING * np.random.default_rng((self.seed, number, 5)).uniform(size=drawn.source.shape[1]) ** 3
            source, target = (np.float32(x + rest * (1 - x).clip(0)) for x in (drawn.source, drawn.target))
            self._seen[number] = (source, target, drawn.source_emotion, drawn.target_emotion)
        return self._seen[number]

"""What trainings see of prepared clips (`asccl.data.clips`): windows of coefficients, and takes of pictures.

Two clips of a person who says the same words with two emotions make a pair: sound or mouth tells which frames belong
together. Of clips without such a partner windows are drawn, too; then nothing says what the right answer were.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from asccl.data.clips import ClipFolder, PreparedClip
from asccl.data.pairing import pair_frames
from asccl.errors import InputError
from asccl.face.crop import arcface_crop
from asccl.morphable.head import HeadModel
from asccl.nets.ned_manipulator import WINDOW_LENGTH
from asccl.types import EMOTIONS
from training.datasets.windows import SPACING, ManipulatorWindow
from training.engine import distributed

HELD_OUT = 10  # one of so many groups of clips is not trained on, where there are at least SPLIT
SPLIT = 4
LABELS = "name the files as MEAD or RAVDESS do, or give training.prepare a table by --labels"


def labelled(folder: Path, head: HeadModel, people: str = "", verify: bool = True) -> list[PreparedClip]:
    """The clips of a folder that show a known emotion in enough frames. Raises InputError."""
    found = ClipFolder(folder, head.names, people, verify and distributed.is_main_process())
    clips = [clip for clip in found.clips if clip.record.emotion is not None]
    clips = [
        clip
        for clip in clips
        if clip.record.valid >= WINDOW_LENGTH and any(b - a >= WINDOW_LENGTH for a, b in clip.segments)
    ]
    shown = {clip.record.emotion for clip in clips}
    if len(shown) < 2:
        raise InputError(f"{folder} has clips of {len(shown)} known emotions, and 2 are needed", LABELS)
    return clips


def split(clips: list[PreparedClip], held_out: bool) -> list[PreparedClip]:
    """The clips to train on, or those that are only looked at; what one person says in the same words stays together.
    Few clips are all trained on, and looked at as well."""
    groups = defaultdict(list)
    for clip in clips:
        groups[_group(clip)].append(clip)
    order = sorted(groups, key=lambda group: hashlib.sha256(repr(group).encode()).digest())
    if len(order) < SPLIT:
        return clips
    first = max(1, len(order) // HELD_OUT)
    return [clip for group in (order[:first] if held_out else order[first:]) for clip in groups[group]]


def _group(clip: PreparedClip) -> tuple[str | None, ...]:
    row = clip.record
    return (row.person, row.words, row.view) if row.person and row.words else (row.file,)


def partners(clips: list[PreparedClip]) -> list[tuple[int, int]]:
    """Numbers of clips that say the same words with different emotions, first < second."""
    groups = defaultdict(list)
    for number, clip in enumerate(clips):
        groups[_group(clip)].append(number)
    return [
        (i, j)
        for group in groups.values()
        for i, j in combinations(group, 2)
        if clips[i].record.emotion != clips[j].record.emotion
    ]


def in_pairs(clips: list[PreparedClip]) -> list[PreparedClip]:
    """Those with a partner."""
    numbers = {number for pair in partners(clips) for number in pair}
    return [clips[number] for number in sorted(numbers)]


def aligned(a: PreparedClip, b: PreparedClip) -> np.ndarray:
    """(K, 2) frames of a and b that say the same and show a face in both, in order."""
    sound = a.has_sound and b.has_sound
    both = pair_frames(a.utterance(sound), b.utterance(sound))
    return both[a.valid[both[:, 0]] & b.valid[both[:, 1]]]


class RecordedWindows(Dataset):
    """`ManipulatorWindow`s of labelled clips, as `SyntheticWindows` has them of made-up ones. Item i depends on seed and i alone.

    A source whose words its speaker says with another emotion, too, has them as its target. Any other has a window of
    another emotion, of its own speaker if there is one.
    """

    def __init__(self, seed: int, clips: list[PreparedClip], each: int = 40):
        self.seed, self.clips, self.each = seed, clips, each
        self._partners = defaultdict(list)
        for i, j in partners(clips):
            self._partners[i].append(j)
            self._partners[j].append(i)
        self._showing = defaultdict(list)  # numbers of clips, by person and emotion, and by emotion alone
        for number, clip in enumerate(clips):
            self._showing[clip.record.person, clip.record.emotion].append(number)
            self._showing[..., clip.record.emotion].append(number)
        self._aligned: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips) * self.each

    def __getitem__(self, index: int) -> ManipulatorWindow:
        number = index % len(self.clips)
        rng = np.random.default_rng((self.seed, index, 6))
        source, target, other, paired = self._paired(rng, number) or self._unpaired(rng, number)
        emotion = self.clips[other].record.emotion
        person = self.clips[other].record.person
        looked = [other] if person is None else self._showing[person, emotion]
        reference = self._stretch(rng, looked[rng.integers(len(looked))], int(rng.integers(1, SPACING + 1)))
        parts = (torch.from_numpy(part.copy()) for part in (source, target, reference))
        return ManipulatorWindow(
            *parts, EMOTIONS.index(self.clips[number].record.emotion), EMOTIONS.index(emotion), paired
        )

    def examples(self) -> Iterator[tuple[np.ndarray, int]]:
        """Coefficients (T, 52) of the longest stretch of each clip, and their emotion."""
        for clip in self.clips:
            first, last = max(clip.segments, key=lambda run: run[1] - run[0])
            yield clip.coefficients[first:last], EMOTIONS.index(clip.record.emotion)

    def tests(self) -> Iterator[tuple[np.ndarray, np.ndarray | None, int]]:
        """Source (T, 52), the truth (T, 52) and the emotion wanted: of every pair both ways; without any pair, no truth
        and each clip towards the next emotion that somebody shows."""
        found = False
        for i, j in partners(self.clips):
            both = self._pair(i, j)
            if len(both) >= WINDOW_LENGTH:
                found = True
                a, b = self.clips[i].coefficients[both[:, 0]], self.clips[j].coefficients[both[:, 1]]
                yield a, b, EMOTIONS.index(self.clips[j].record.emotion)
                yield b, a, EMOTIONS.index(self.clips[i].record.emotion)
        shown = sorted({emotion for _, emotion in self.examples()}) if not found else []
        for source, emotion in self.examples() if len(shown) > 1 else ():
            yield source, None, shown[(shown.index(emotion) + 1) % len(shown)]

    def _pair(self, i: int, j: int) -> np.ndarray:
        if (i, j) not in self._aligned:
            self._aligned[i, j] = aligned(self.clips[i], self.clips[j])
        return self._aligned[i, j]

    def _paired(self, rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray, int, bool] | None:
        """The same words of source and target; None where the clip has no partner, or not for long enough."""
        if not self._partners[number]:
            return None
        other = self._partners[number][rng.integers(len(self._partners[number]))]
        both = self._pair(number, other)
        first, last = both[: 1 - WINDOW_LENGTH], both[WINDOW_LENGTH - 1 :]
        together = last[:, 0] - first[:, 0] == WINDOW_LENGTH - 1
        for side, n in enumerate((number, other)):
            together &= self.clips[n].segment_index[first[:, side]] == self.clips[n].segment_index[last[:, side]]
        starts = np.flatnonzero(together)
        if not len(starts):
            return None
        start = starts[rng.integers(len(starts))]
        at = both[start : start + WINDOW_LENGTH]
        return self.clips[number].coefficients[at[:, 0]], self.clips[other].coefficients[at[:, 1]], other, True

    def _unpaired(self, rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray, int, bool]:
        row = self.clips[number].record
        who = row.person if any(p == row.person and e != row.emotion for p, e in self._showing) else ...
        others = [numbers for (p, e), numbers in self._showing.items() if p == who and e != row.emotion]
        numbers = others[rng.integers(len(others))]
        other = numbers[rng.integers(len(numbers))]
        return self._stretch(rng, number), self._stretch(rng, other), other, False

    def _stretch(self, rng: np.random.Generator, number: int, spacing: int = 1) -> np.ndarray:
        """(WINDOW, 52) from a clip, neighbours or up to `spacing` frames apart."""
        clip = self.clips[number]
        runs = [run for run in clip.segments if run[1] - run[0] >= WINDOW_LENGTH]
        first, last = runs[rng.integers(len(runs))]
        spacing = min(spacing, (last - first - 1) // (WINDOW_LENGTH - 1))
        at = first + rng.integers(last - first - spacing * (WINDOW_LENGTH - 1))
        return clip.coefficients[at + spacing * np.arange(WINDOW_LENGTH)]


class RecordedTakes(Dataset):
    """Takes as the metric learns from: (2, K, 3, S, S) uint8 RGB, ArcFace crops, frame k of both says the same.

    Neutral is paired with every other emotion, as in the paper; where nobody is neutral, all with all. Together the
    items show every frame that can be paired, K at a time. Raises InputError where there is no pair.
    """

    def __init__(self, clips: list[PreparedClip], size: int, frames: int):
        self.clips, self.size, self.frames = clips, size, frames
        pairs = partners(clips)
        calm = [(i, j) for i, j in pairs if "neutral" in (clips[i].record.emotion, clips[j].record.emotion)]
        self._items: list[tuple[int, int, np.ndarray]] = []
        for i, j in calm or pairs:
            both = aligned(clips[i], clips[j])
            step = len(both) // frames
            self._items += [(i, j, both[first::step][:frames]) for first in range(step)]
        if not self._items:
            raise InputError(f"no two clips say the same words with two emotions in {frames} frames", LABELS)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> torch.Tensor:
        i, j, both = self._items[index]
        sides = [self._crops(self.clips[n], frames) for n, frames in zip((i, j), both.T, strict=True)]
        return torch.from_numpy(np.stack(sides)).permute(0, 1, 4, 2, 3).contiguous()

    def _crops(self, clip: PreparedClip, frames: np.ndarray) -> np.ndarray:
        found = zip(clip.images(frames), clip.landmarks(frames), strict=True)
        return np.stack([arcface_crop(picture, points, self.size) for picture, points in found])

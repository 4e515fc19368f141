"""Data sets of prepared clips (`asccl.data.clips`): windows of coefficients, and takes of face crops.

Two clips of a person who says the same words with two emotions are partners: sound or mouth movement says which frames
correspond. Clips without a partner give windows, too; those have no true answer.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

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
from training.datasets.windows import MAX_REFERENCE_STRIDE, ManipulatorWindow
from training.engine import distributed

GROUPS_PER_HELD_OUT_GROUP = 10  # one group of clips in ten is held out
MIN_SPLIT_GROUPS = 4  # with fewer groups none is held out
LABELS_REMEDY = "name the files as MEAD or RAVDESS do, or give training.prepare a table by --labels"


def load_labelled_clips(folder: Path, head: HeadModel, people: str = "", verify: bool = True) -> list[PreparedClip]:
    """Load the clips of a folder that show a known emotion in enough frames.

    Args:
        folder: of `training.prepare`.
        head: whose coefficients the clips must have.
        people: see `ClipFolder`.
        verify: compare the files with the manifest (on the main process).

    Raises:
        InputError: fewer than two emotions are known, or the folder is damaged.
    """
    clips = ClipFolder(folder, head.names, people, verify and distributed.is_main_process()).clips
    usable = [
        clip
        for clip in clips
        if clip.record.emotion is not None
        and clip.record.valid >= WINDOW_LENGTH
        and any(end - start >= WINDOW_LENGTH for start, end in clip.segments)
    ]
    emotions = {clip.record.emotion for clip in usable}
    if len(emotions) < 2:
        raise InputError(f"{folder} has clips of {len(emotions)} known emotions, and 2 are needed", LABELS_REMEDY)
    return usable


def split_clips(clips: list[PreparedClip]) -> tuple[list[PreparedClip], list[PreparedClip]]:
    """Split clips into those to train on and held-out ones.

    The clips of one person with the same words stay together. With fewer than `MIN_SPLIT_GROUPS` groups both lists hold
    all clips.
    """
    groups = defaultdict(list)
    for clip in clips:
        groups[_group_key(clip)].append(clip)
    order = sorted(groups, key=lambda group: hashlib.sha256(repr(group).encode()).digest())
    if len(order) < MIN_SPLIT_GROUPS:
        return clips, clips
    count = max(1, len(order) // GROUPS_PER_HELD_OUT_GROUP)
    train, held_out = ([clip for key in keys for clip in groups[key]] for keys in (order[count:], order[:count]))
    return train, held_out


def _group_key(clip: PreparedClip) -> tuple[str | None, ...]:
    """Return what the clips of one person with the same words share."""
    row = clip.record
    return (row.person, row.words, row.view) if row.person and row.words else (row.file,)


def find_partners(clips: list[PreparedClip]) -> list[tuple[int, int]]:
    """Return the indices of clips that say the same words with different emotions, first < second."""
    groups = defaultdict(list)
    for number, clip in enumerate(clips):
        groups[_group_key(clip)].append(number)
    return [
        (i, j)
        for group in groups.values()
        for i, j in combinations(group, 2)
        if clips[i].record.emotion != clips[j].record.emotion
    ]


def clips_with_partner(clips: list[PreparedClip]) -> list[PreparedClip]:
    """Return the clips that have a partner."""
    numbers = {number for pair in find_partners(clips) for number in pair}
    return [clips[number] for number in sorted(numbers)]


def pair_valid_frames(a: PreparedClip, b: PreparedClip) -> np.ndarray:
    """Return corresponding frames (K, 2) of two clips that show a face in both, in order."""
    use_sound = a.has_sound and b.has_sound
    frames = pair_frames(a.utterance(use_sound), b.utterance(use_sound))
    return frames[a.valid[frames[:, 0]] & b.valid[frames[:, 1]]]


class _Sample(NamedTuple):
    """Source and target (WINDOW_LENGTH, 52), the clip of the target, and whether both say the same words."""

    source: np.ndarray
    target: np.ndarray
    target_clip: int
    paired: bool


class RecordedWindows(Dataset):
    """Windows of labelled clips, as `SyntheticWindows` has them of synthetic sequences.

    The target of a source whose words its speaker also says with another emotion are those words. Any other source gets
    a window of another emotion, of its own speaker if there is one.

    Args:
        seed: of the windows.
        clips: the data.
        windows_per_clip: items per clip.
    """

    def __init__(self, seed: int, clips: list[PreparedClip], windows_per_clip: int = 40):
        self.seed, self.clips, self.windows_per_clip = seed, clips, windows_per_clip
        self._partners = defaultdict(list)
        for i, j in find_partners(clips):
            self._partners[i].append(j)
            self._partners[j].append(i)
        self._by_person_and_emotion = defaultdict(list)
        self._by_emotion = defaultdict(list)
        for number, clip in enumerate(clips):
            self._by_person_and_emotion[clip.record.person, clip.record.emotion].append(number)
            self._by_emotion[clip.record.emotion].append(number)
        self._aligned: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips) * self.windows_per_clip

    def __getitem__(self, index: int) -> ManipulatorWindow:
        """Return window `index`, which depends on seed and index alone."""
        number = index % len(self.clips)
        rng = np.random.default_rng((self.seed, index, 6))
        sample = self._sample_paired(rng, number) or self._sample_unpaired(rng, number)
        target_row = self.clips[sample.target_clip].record
        candidates = [sample.target_clip]
        if target_row.person is not None:
            candidates = self._by_person_and_emotion[target_row.person, target_row.emotion]
        reference_clip = candidates[rng.integers(len(candidates))]
        reference = self._sample_window(rng, reference_clip, int(rng.integers(1, MAX_REFERENCE_STRIDE + 1)))
        return ManipulatorWindow(
            source=torch.from_numpy(sample.source.copy()),
            target=torch.from_numpy(sample.target.copy()),
            reference=torch.from_numpy(reference.copy()),
            source_emotion=_emotion_index(self.clips[number]),
            target_emotion=_emotion_index(self.clips[sample.target_clip]),
            paired=sample.paired,
        )

    def examples(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yield coefficients (T, 52) of the longest segment of each clip, and their emotion."""
        for clip in self.clips:
            first, last = max(clip.segments, key=lambda run: run[1] - run[0])
            yield clip.coefficients[first:last], _emotion_index(clip)

    def evaluation_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray | None, int]]:
        """Yield source (T, 52), true target (T, 52) and target emotion.

        All partners in both directions; where there are none, each clip without a target, and the next emotion that the
        clips show.
        """
        has_partners = False
        for i, j in find_partners(self.clips):
            frames = self._align(i, j)
            if len(frames) >= WINDOW_LENGTH:
                has_partners = True
                a, b = self.clips[i].coefficients[frames[:, 0]], self.clips[j].coefficients[frames[:, 1]]
                yield a, b, _emotion_index(self.clips[j])
                yield b, a, _emotion_index(self.clips[i])
        emotions = sorted({emotion for _, emotion in self.examples()}) if not has_partners else []
        for source, emotion in self.examples() if len(emotions) > 1 else ():
            yield source, None, emotions[(emotions.index(emotion) + 1) % len(emotions)]

    def _align(self, i: int, j: int) -> np.ndarray:
        if (i, j) not in self._aligned:
            self._aligned[i, j] = pair_valid_frames(self.clips[i], self.clips[j])
        return self._aligned[i, j]

    def _sample_paired(self, rng: np.random.Generator, number: int) -> _Sample | None:
        """Sample the same words of source and target; None where the clip has no partner, or not for long enough."""
        if not self._partners[number]:
            return None
        other = self._partners[number][rng.integers(len(self._partners[number]))]
        frames = self._align(number, other)
        first, last = frames[: 1 - WINDOW_LENGTH], frames[WINDOW_LENGTH - 1 :]
        consecutive = last[:, 0] - first[:, 0] == WINDOW_LENGTH - 1
        for side, n in enumerate((number, other)):
            consecutive &= self.clips[n].segment_index[first[:, side]] == self.clips[n].segment_index[last[:, side]]
        starts = np.flatnonzero(consecutive)
        if not len(starts):
            return None
        start = starts[rng.integers(len(starts))]
        window = frames[start : start + WINDOW_LENGTH]
        source = self.clips[number].coefficients[window[:, 0]]
        return _Sample(source, self.clips[other].coefficients[window[:, 1]], other, True)

    def _sample_unpaired(self, rng: np.random.Generator, number: int) -> _Sample:
        """Sample a target with another emotion, of the same person if there is one."""
        row = self.clips[number].record
        same_person = [
            numbers
            for (person, emotion), numbers in self._by_person_and_emotion.items()
            if person == row.person and emotion != row.emotion
        ]
        anybody = [numbers for emotion, numbers in self._by_emotion.items() if emotion != row.emotion]
        candidates = same_person or anybody
        numbers = candidates[rng.integers(len(candidates))]
        other = numbers[rng.integers(len(numbers))]
        return _Sample(self._sample_window(rng, number), self._sample_window(rng, other), other, False)

    def _sample_window(self, rng: np.random.Generator, number: int, max_stride: int = 1) -> np.ndarray:
        """Sample (WINDOW_LENGTH, 52) from a clip; with a stride, its frames are up to so many frames apart."""
        clip = self.clips[number]
        segments = [(start, end) for start, end in clip.segments if end - start >= WINDOW_LENGTH]
        start, end = segments[rng.integers(len(segments))]
        stride = min(max_stride, (end - start - 1) // (WINDOW_LENGTH - 1))
        first = start + rng.integers(end - start - stride * (WINDOW_LENGTH - 1))
        return clip.coefficients[first + stride * np.arange(WINDOW_LENGTH)]


def _emotion_index(clip: PreparedClip) -> int:
    return EMOTIONS.index(str(clip.record.emotion))


class RecordedTakes(Dataset):
    """Takes to train the metric: (2, K, 3, S, S) uint8 RGB ArcFace crops; frame k of both says the same.

    Neutral is paired with every other emotion, as in the paper; where nobody is neutral, all emotions with each other.
    Together the items show every frame that has a partner, K at a time.

    Args:
        clips: the data.
        size: side of a crop, pixels.
        frames: K.

    Raises:
        InputError: there are no partners.
    """

    def __init__(self, clips: list[PreparedClip], size: int, frames: int):
        self.clips, self.size, self.frames = clips, size, frames
        pairs = find_partners(clips)
        with_neutral = [(i, j) for i, j in pairs if "neutral" in (clips[i].record.emotion, clips[j].record.emotion)]
        self._items: list[tuple[int, int, np.ndarray]] = []
        for i, j in with_neutral or pairs:
            aligned = pair_valid_frames(clips[i], clips[j])
            step = len(aligned) // frames
            self._items += [(i, j, aligned[first::step][:frames]) for first in range(step)]
        if not self._items:
            raise InputError(f"no two clips say the same words with two emotions in {frames} frames", LABELS_REMEDY)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return take `index`."""
        i, j, aligned = self._items[index]
        sides = [self._crops(self.clips[n], frames) for n, frames in zip((i, j), aligned.T, strict=True)]
        return torch.from_numpy(np.stack(sides)).permute(0, 1, 4, 2, 3).contiguous()

    def _crops(self, clip: PreparedClip, frames: np.ndarray) -> np.ndarray:
        images = zip(clip.images(frames), clip.landmarks(frames), strict=True)
        return np.stack([arcface_crop(image, landmarks, self.size) for image, landmarks in images])

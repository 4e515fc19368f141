"""How well a generated face keeps what the source's says: the correlations of the paper's Figures 2 and 6.

Start reading at `analyse`: follow both faces, pair the frames, cut each pair in one pose, compare, add up. Frames
pass one by one, so memory does not grow with the length of the videos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from asccl.analysis.framing import ASIDE, Alignment, Framing, aside, framing, scale_between
from asccl.analysis.heads import Head, heads_of
from asccl.analysis.result import Correlation, Curves, Moments
from asccl.analysis.sums import MapSums, compare
from asccl.analysis.timing import PAIRINGS, Pairing, pair, thin
from asccl.clip import Followed, follow
from asccl.errors import InputError, NoFaceError, SettingError
from asccl.face.crop import SIZE
from asccl.face.mesh import lip_gap
from asccl.face.tracker import FaceMeshTracker
from asccl.metric.loss import valid_pairs
from asccl.types import Image, MediaInfo, Progress
from asccl.video import Limits, Reader, probe
from asccl.video.ahead import ahead
from asccl.zoo import one_thread

ENOUGH = 300  # pairs of frames that are compared, unless a stride is given
TAKE_RATE = 15.0  # looks a second at a take, so that its mouth can be followed
BATCH = 4
ENLARGED = 3  # a crop for people over one for the networks
SAME_LENGTH = 0.02  # an edit is as long as its source, to within this share or `SAME_FRAMES`
SAME_FRAMES = 2


@dataclass(frozen=True)
class Settings:
    """How to compare. Checked on construction.

    pairing: "time" for an edit of the source (the same moment), "sound" or "mouth" for another take (dynamic time
        warping over what is heard or over the lips), "auto" to judge by length and place.
    alignment: "place" cuts both frames where the source's face is, "landmarks" brings the generated face into its pose
        first, "auto" takes the first where the head has not moved.
    stride: compare each `stride`-th frame; None takes about `ENOUGH` of them. offset: seconds by which the generated
        video runs ahead. face: which person of the source, as `Editor.faces` counts; None takes the largest. metric: see
        `asccl.load_metric`. size: pixels of a crop, a multiple of 16.
    Raises SettingError.
    """

    pairing: str = "auto"
    alignment: str = "auto"
    stride: int | None = None
    offset: float = 0.0
    face: int | None = None
    metric: str = "scc-mobilefacenet"
    size: int = SIZE

    def __post_init__(self) -> None:
        for name, choices in (("pairing", ("auto", *PAIRINGS)), ("alignment", ("auto", "place", "landmarks"))):
            if getattr(self, name) not in choices:
                raise SettingError(f"there is no {name} {getattr(self, name)!r}", f"choose one of {', '.join(choices)}")
        if self.stride is not None and self.stride < 1:
            raise SettingError(f"stride {self.stride} is not a number of frames", "give 1, 2, 3, ... or leave it out")
        if not abs(self.offset) < 3600:
            raise SettingError(f"offset {self.offset} is not a time", "give seconds")
        if self.face is not None and self.face < 0:
            raise SettingError(f"face {self.face} is not a number of a face", "give 0, 1, 2, ... or leave it out")
        if self.size < 32 or self.size % 16:
            raise SettingError(f"crops of {self.size} pixels cannot be compared", "give a multiple of 16 from 32 on")


def analyse(
    source: Path,
    generated: Path,
    settings: Settings | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Correlation:
    """Compare two stills, or two videos frame by frame.

    Raises SettingError, UnreadableError, NoFaceError, LimitError, InputError (a still against a video, takes without a
    common frame), WeightsError, Cancelled.
    """
    settings, progress, limits = settings or Settings(), progress or Progress(), limits or Limits()
    infos = probe(source, limits), probe(generated, limits)
    check_alike(*infos)
    heads = heads_of(settings.metric)
    progress("open", 1.0)
    every = _strides(*infos, settings)
    with (
        _follow(infos[0], settings.face, every[0], "source", progress, limits) as a,
        _follow(infos[1], None, every[1], "generated", progress, limits) as b,
    ):
        progress("pair", 0.0)
        how, pairs, alignment = _plan(a, b, settings)
        comparison = _Comparison(heads, alignment, scale_between(*infos) or 1.0, settings.size)
        frames = _pairs_of_frames(a, b, pairs, progress, limits)
        while batch := list(islice(frames, BATCH)):
            comparison.add(batch)
    if not comparison.frames:
        raise NoFaceError(
            f"{source.name} and {generated.name} show the face together in no frame",
            "give two videos that show the same words, or choose another pairing",
        )
    progress("done", 1.0)
    used = replace(settings, pairing=how, alignment=alignment, stride=every[0])
    return comparison.result(infos, used, len(pairs))


def check_alike(source: MediaInfo, generated: MediaInfo) -> None:
    """Raises InputError for a still against a video."""
    if source.is_still != generated.is_still:
        still, video = (source, generated) if source.is_still else (generated, source)
        raise InputError(
            f"{still.path.name} is a still and {video.path.name} a video", "give two stills or two videos to compare"
        )


def _strides(source: MediaInfo, generated: MediaInfo, settings: Settings) -> tuple[int, int]:
    """At which frames of each file to look."""
    rates = float(source.frame_rate), float(generated.frame_rate)
    if settings.stride is not None:
        first = settings.stride
    elif settings.pairing == "time" or (settings.pairing == "auto" and _same_length(source, generated)):
        first = -(-source.frames // ENOUGH)
    else:
        return tuple(max(1, int(rate / TAKE_RATE)) for rate in rates)  # type: ignore[return-value]
    return first, first if rates[0] == rates[1] else 1  # else every moment of the source needs its neighbour


def _same_length(source: MediaInfo, generated: MediaInfo) -> bool:
    if source.is_still:
        return True
    seconds = source.duration, generated.duration
    slack = max(SAME_LENGTH * seconds[0], SAME_FRAMES / float(source.frame_rate))
    return abs(seconds[0] - seconds[1]) <= slack


def _follow(
    info: MediaInfo, face: int | None, every: int, stage: str, progress: Progress, limits: Limits
) -> Followed:  # fmt: skip
    tracker = FaceMeshTracker()
    try:
        told = Progress(lambda _, done: progress(stage, done))
        return follow(info.path, tracker, told, limits, face, every=every)
    finally:
        tracker.close()


def _plan(a: Followed, b: Followed, settings: Settings) -> tuple[Pairing, np.ndarray, Alignment]:
    """How to pair and align, with the pairs of looked-at frames that have both faces."""
    how, still = settings.pairing, a.info.is_still
    timed = _usable(a, b, pair(a, b, "time", settings.offset))
    edited = _in_place(a, b, timed)
    if still or (how == "auto" and edited and _same_length(a.info, b.info)):
        how = "time"
    elif how == "auto":
        how = "sound" if a.info.audio_tracks and b.info.audio_tracks else "mouth"
    pairs = timed if how == "time" else _usable(a, b, pair(a, b, how))  # type: ignore[arg-type]
    alignment = settings.alignment
    if alignment == "auto":
        alignment = "place" if how == "time" and edited else "landmarks"
    most = None if settings.stride is not None else ENOUGH
    return how, thin(pairs, most), alignment  # type: ignore[return-value]


def _usable(a: Followed, b: Followed, pairs: np.ndarray) -> np.ndarray:
    seen = (a.track.presence[pairs[:, 0]] > 0) & (b.track.presence[pairs[:, 1]] > 0)
    return pairs[seen]


def _in_place(a: Followed, b: Followed, pairs: np.ndarray) -> bool:
    """Whether the head of the second is where that of the first is."""
    scale = scale_between(a.info, b.info)
    if scale is None or not len(pairs):
        return False
    some = thin(pairs, 60)
    apart = aside(a.landmarks.rows(some[:, 0]), b.landmarks.rows(some[:, 1]), scale)
    return float(np.nanmedian(apart)) < ASIDE


class _Pair(NamedTuple):
    """One frame of each, seconds after the first frame, landmarks (478, 3)."""

    images: tuple[Image, Image]
    times: tuple[float, float]
    landmarks: tuple[np.ndarray, np.ndarray]


def _pairs_of_frames(
    a: Followed, b: Followed, pairs: np.ndarray, progress: Progress, limits: Limits
) -> Iterator[_Pair]:  # fmt: skip
    """Both files once more, side by side."""
    with Reader(a.info.path, limits, a.every) as one, Reader(b.info.path, limits, b.every) as other:
        sides = [_Row(ahead(one)), _Row(ahead(other))]
        for done, rows in enumerate(pairs.tolist()):
            images = sides[0].at(rows[0]), sides[1].at(rows[1])
            found = [seen.landmarks.read(row, row + 1)[0] for seen, row in zip((a, b), rows, strict=True)]
            progress("compare", done / len(pairs))
            if np.isfinite(found[0][0, 0]) and np.isfinite(found[1][0, 0]):
                yield _Pair(images, (float(a.times[rows[0]]), float(b.times[rows[1]])), (found[0], found[1]))


class _Row:
    """The frame of a growing number; a frame may be asked for again."""

    def __init__(self, frames: Iterator) -> None:
        self._frames, self._row = frames, -1

    def at(self, row: int) -> Image:
        while self._row < row:
            self._image = next(self._frames).image
            self._row += 1
        return self._image


class _Comparison:
    """Runs the networks over batches of pairs and adds up."""

    def __init__(self, heads: Sequence[Head], alignment: Alignment, scale: float, size: int):
        self._heads, self._alignment, self._scale, self._size = heads, alignment, scale, size
        self._sums: dict[str, list[MapSums]] = {}
        self._curves = Curves([head.name for head in heads])
        self._moments = Moments()

    @property
    def frames(self) -> int:
        return len(self._curves)

    def add(self, batch: Sequence[_Pair]) -> None:
        framings = [framing(*p.landmarks, self._alignment, self._scale, self._size) for p in batch]
        crops = [f.cut(*p.images) for f, p in zip(framings, batch, strict=True)]
        valid = torch.from_numpy(np.stack([f.valid(*p.images) for f, p in zip(framings, batch, strict=True)]))[:, None]
        sides = [torch.from_numpy(np.stack(side)) for side in zip(*crops, strict=True)]
        means = {}
        with torch.inference_mode(), one_thread():
            pictures = [side.permute(0, 3, 1, 2).float() / 127.5 - 1 for side in sides]
            maps: dict[int, list] = {}
            for head in self._heads:
                shared = id(head.backbone)
                if shared not in maps:
                    maps[shared] = [head.backbone.maps(picture) for picture in pictures]
                means[head.name] = self._compare(head, maps[shared], valid)
        for i, p in enumerate(batch):
            rows = {name: mean[:, i].mean(0) for name, mean in means.items()}
            self._curves.add(p.times, [float(lip_gap(points)) for points in p.landmarks], rows)
            score = float(rows[self._heads[0].name][0, 0])
            self._moments.offer(score, p.times, partial(large, framings[i], p.images))

    def _compare(self, head: Head, maps: list, valid: torch.Tensor) -> np.ndarray:
        """(4, B, 2, 2) means of each map and frame, by measure and side."""
        pairs = head.metric.pairs(maps[0])
        disparities = [head.metric.disparities(m, pairs) for m in maps]
        if head.name not in self._sums:
            self._sums[head.name] = [MapSums(d.size, d.pairs) for d in disparities[0]]
        means = []
        for sums, x, y in zip(self._sums[head.name], *disparities, strict=True):
            counts = x.pairs.inside & valid_pairs(valid, x.pairs, x.size)
            means.append(sums.add(compare(x, y, counts)))
        return np.stack(means)

    def result(self, infos: tuple[MediaInfo, MediaInfo], settings: Settings, pairs: int) -> Correlation:
        return Correlation(
            *infos, settings.pairing, settings.alignment, settings.stride or 1, settings.offset, settings.metric, pairs,
            self._sums, self._curves, self._moments.shown(), self._moments.worst(),
        )  # fmt: skip


def large(where: Framing, images: tuple[Image, Image]) -> tuple[Image, Image]:
    """The two crops with enough pixels for people."""
    return where.enlarged(ENLARGED).cut(*images)

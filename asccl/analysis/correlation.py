"""How well a generated face keeps what the source's says: the correlations of the paper's Figures 2 and 6.

Start reading at `analyze`: follow both faces, pair the frames, cut each pair in one pose, compare, add up. Frames
pass one by one, so memory does not grow with the length of the videos.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from asccl.analysis.comparison import Comparison, FramePair
from asccl.analysis.face_alignment import MAX_HEAD_OFFSET, Alignment, head_offset, relative_scale
from asccl.analysis.mappings import load_variants
from asccl.analysis.result import CorrelationResult
from asccl.analysis.settings import AnalysisSettings
from asccl.analysis.temporal_alignment import Pairing, align_frames, subsample
from asccl.errors import InputError, NoFaceError
from asccl.face.landmarker import FaceLandmarker
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.reconstruct import TrackedClip, track_face
from asccl.types import Image, MediaInfo, Progress
from asccl.video import Limits, Reader, probe, read_frame_at
from asccl.video.threads import prefetch

__all__ = ["AnalysisSettings", "CorrelationResult", "analyze", "analyze_moment"]

ENOUGH = 300  # pairs of frames that are compared, unless a stride is given
TAKE_RATE = 15.0  # looks a second at a take, so that its mouth can be followed
BATCH = 4  # pairs
SAME_LENGTH = 0.02  # an edit is as long as its source, to within this share or `SAME_FRAMES`
SAME_FRAMES = 2


def analyze(
    source: Path | str,
    generated: Path | str,
    settings: AnalysisSettings | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> CorrelationResult:
    """Compare two stills, or two videos frame by frame.

    Raises SettingError, UnreadableError, NoFaceError, LimitError, InputError (a still against a video, takes without a
    common frame), WeightsError, Cancelled.
    """
    settings, progress, limits = settings or AnalysisSettings(), progress or Progress(), limits or Limits()
    source, generated = Path(source), Path(generated)
    infos = probe(source, limits), probe(generated, limits)
    check_same_kind(*infos)
    heads = load_variants(settings.metric)
    progress("open", 1.0)
    every = _strides(*infos, settings)
    with (
        _follow(infos[0], settings.face, every[0], "source", progress, limits) as a,
        _follow(infos[1], None, every[1], "generated", progress, limits) as b,
    ):
        progress("pair", 0.0)
        how, pairs, alignment = _plan(a, b, settings)
        comparison = Comparison(heads, alignment, relative_scale(*infos) or 1.0, settings.size)
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


def analyze_moment(
    source: Path,
    generated: Path,
    times: tuple[float, float],
    used: AnalysisSettings,
    eyes: FaceLandmarker,
    limits: Limits | None = None,
) -> CorrelationResult:
    """One moment of a comparison alone. times: seconds in the two. used: settings as `CorrelationResult` tells them.

    Raises as `analyze` does.
    """
    limits = limits or Limits()
    infos = probe(source, limits), probe(generated, limits)
    check_same_kind(*infos)
    images, found = [], []
    for info, time in zip(infos, times, strict=True):
        images.append(read_frame_at(info.path, max(0.0, time), limits).image)
        landmarks = eyes.detect(images[-1])
        if landmarks is None:
            raise NoFaceError(f"{info.path.name} shows no face at {time:.2f} s", "choose another moment")
        found.append(landmarks)
    alignment: Alignment = "place" if used.alignment == "place" else "landmarks"
    comparison = Comparison(load_variants(used.metric), alignment, relative_scale(*infos) or 1.0, used.size)
    comparison.add([FramePair((images[0], images[1]), times, (found[0], found[1]))])
    return comparison.result(infos, used, 1)


def check_same_kind(source: MediaInfo, generated: MediaInfo) -> None:
    """Raises InputError for a still against a video."""
    if source.is_still != generated.is_still:
        still, video = (source, generated) if source.is_still else (generated, source)
        raise InputError(
            f"{still.path.name} is a still and {video.path.name} a video", "give two stills or two videos to compare"
        )


def _strides(source: MediaInfo, generated: MediaInfo, settings: AnalysisSettings) -> tuple[int, int]:
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
) -> TrackedClip:  # fmt: skip
    tracker = FaceMeshTracker()
    try:
        told = Progress(lambda _, done: progress(stage, done))
        return track_face(info.path, tracker, told, limits, face, stride=every)
    finally:
        tracker.close()


def _plan(a: TrackedClip, b: TrackedClip, settings: AnalysisSettings) -> tuple[Pairing, np.ndarray, Alignment]:
    """How to pair and align, with the pairs of looked-at frames that have both faces."""
    how, still = settings.pairing, a.info.is_still
    timed = _usable(a, b, align_frames(a, b, "time", settings.offset))
    edited = _in_place(a, b, timed)
    if still or (how == "auto" and edited and _same_length(a.info, b.info)):
        how = "time"
    elif how == "auto":
        how = "sound" if a.info.audio_tracks and b.info.audio_tracks else "mouth"
    pairs = timed if how == "time" else _usable(a, b, align_frames(a, b, how))  # type: ignore[arg-type]
    alignment = settings.alignment
    if alignment == "auto":
        alignment = "place" if how == "time" and edited else "landmarks"
    most = None if settings.stride is not None else ENOUGH
    return how, subsample(pairs, most), alignment  # type: ignore[return-value]


def _usable(a: TrackedClip, b: TrackedClip, pairs: np.ndarray) -> np.ndarray:
    seen = (a.track.presence[pairs[:, 0]] > 0) & (b.track.presence[pairs[:, 1]] > 0)
    return pairs[seen]


def _in_place(a: TrackedClip, b: TrackedClip, pairs: np.ndarray) -> bool:
    """Whether the head of the second is where that of the first is."""
    scale = relative_scale(a.info, b.info)
    if scale is None or not len(pairs):
        return False
    some = subsample(pairs, 60)
    apart = head_offset(a.landmarks.select(some[:, 0]), b.landmarks.select(some[:, 1]), scale)
    return float(np.nanmedian(apart)) < MAX_HEAD_OFFSET


def _pairs_of_frames(
    a: TrackedClip, b: TrackedClip, pairs: np.ndarray, progress: Progress, limits: Limits
) -> Iterator[FramePair]:  # fmt: skip
    """Both files once more, side by side."""
    with (
        Reader(a.info.path, limits, a.stride) as one,
        Reader(b.info.path, limits, b.stride) as other,
        closing(prefetch(one)) as first,
        closing(prefetch(other)) as second,
    ):
        sides = _Row(first), _Row(second)
        for done, rows in enumerate(pairs.tolist()):
            images = sides[0].at(rows[0]), sides[1].at(rows[1])
            found = [seen.landmarks.read(row, row + 1)[0] for seen, row in zip((a, b), rows, strict=True)]
            progress("compare", done / len(pairs))
            if np.isfinite(found[0][0, 0]) and np.isfinite(found[1][0, 0]):
                yield FramePair(images, (float(a.times[rows[0]]), float(b.times[rows[1]])), (found[0], found[1]))


class _Row:
    """The frame of a growing number; a frame may be asked for again."""

    def __init__(self, frames: Iterator) -> None:
        self._frames, self._row = frames, -1

    def at(self, row: int) -> Image:
        while self._row < row:
            self._image = next(self._frames).image
            self._row += 1
        return self._image

"""Compare a generated face with its source: the correlations of the paper's Figures 2 and 6.

`analyze` is the function to read first. It tracks both faces, pairs the frames of the two files, crops every pair in
one pose, compares the crops and sums up. Frames are read one by one, so memory does not grow with the length of the
videos.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asccl.analysis.comparison import Comparison, MatchedFrames
from asccl.analysis.face_alignment import relative_scale
from asccl.analysis.frame_matching import choose_strides, match_frames
from asccl.analysis.metric_variants import MetricVariant, load_variants
from asccl.analysis.result import CorrelationResult
from asccl.analysis.settings import AnalysisSettings
from asccl.errors import InputError, NoFaceError
from asccl.face.landmarker import FaceLandmarker
from asccl.face.tracker import FaceMeshTracker
from asccl.files import file_key
from asccl.morphable.reconstruct import TrackedClip, track_face
from asccl.progress import Progress
from asccl.types import Image, MediaInfo
from asccl.video import Limits, Reader, probe, read_frame_at
from asccl.video.threads import prefetch

__all__ = ["AnalysisSettings", "CorrelationResult", "MomentAnalyzer", "analyze"]

BATCH_SIZE = 4  # frame pairs
MAX_METRICS = 2  # whose networks a `MomentAnalyzer` keeps
MAX_KEPT_MOMENTS = 32  # results of `MomentAnalyzer`


class MomentKey(NamedTuple):
    """What a comparison of one moment depends on.

    Attributes:
        source: the source file.
        generated: the generated file.
        versions: key of both files in the state that was compared.
        times: seconds in both.
        settings: of the comparison.
    """

    source: Path
    generated: Path
    versions: tuple[tuple, tuple]
    times: tuple[float, float]
    settings: AnalysisSettings

    @property
    def is_current(self) -> bool:
        """Whether both files still exist as they were compared."""
        return self.versions == (file_key(self.source), file_key(self.generated))


def analyze(
    source: Path | str,
    generated: Path | str,
    settings: AnalysisSettings | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> CorrelationResult:
    """Compare two stills, or two videos frame by frame.

    Args:
        source: the source file.
        generated: a file that was generated from it, or another take of the same words.
        settings: see `AnalysisSettings`.
        progress: receives the stages "open", "source", "generated", "pair", "compare" and "done".
        limits: what is accepted.

    Raises:
        SettingError: the source has no face of this number.
        InputError: a still is compared with a video, or a take has no sound to pair by.
        NoFaceError: a file has no face, or no frame pair has one in both frames.
        UnreadableError, LimitError, WeightsError, CancelledError: see `asccl.errors`.
    """
    settings, progress, limits = settings or AnalysisSettings(), progress or Progress(), limits or Limits()
    source, generated = Path(source), Path(generated)
    infos = probe(source, limits), probe(generated, limits)
    check_same_kind(*infos)
    variants = load_variants(settings.metric)
    progress("open", 1.0)
    strides = choose_strides(*infos, settings)
    with (
        _track(infos[0], settings.face, strides[0], "source", progress, limits) as a,
        _track(infos[1], None, strides[1], "generated", progress, limits) as b,
    ):
        progress("pair", 0.0)
        match = match_frames(a, b, settings)
        comparison = Comparison(variants, match.alignment, relative_scale(*infos) or 1.0, settings.size)
        frame_pairs = _read_frame_pairs(a, b, match.pairs, progress, limits)
        while batch := list(islice(frame_pairs, BATCH_SIZE)):
            comparison.add(batch)
    if not comparison.frames:
        raise NoFaceError(
            f"{source.name} and {generated.name} show the face together in no frame",
            "give two videos that show the same words, or choose another pairing",
        )
    progress("done", 1.0)
    used = replace(settings, pairing=match.pairing, alignment=match.alignment, stride=strides[0])
    return comparison.result(infos, used, len(match.pairs))


class MomentAnalyzer:
    """Compares single moments of two files, and keeps the networks and the last results between two calls.

    Threads may share it; they wait for each other. A result is forgotten once one of its files is deleted
    or changed.

    Args:
        limits: what is accepted.
    """

    def __init__(self, limits: Limits | None = None):
        self._limits, self._lock = limits or Limits(), threading.Lock()
        self._variants: dict[str, list[MetricVariant]] = {}
        self._results: dict[MomentKey, CorrelationResult] = {}

    def analyze(
        self, source: Path, generated: Path, times: tuple[float, float], settings: AnalysisSettings
    ) -> CorrelationResult:
        """Compare one frame of each file.

        Args:
            source: the source file.
            generated: the generated file.
            times: seconds in both.
            settings: as in `CorrelationResult.settings`; metric, alignment and size are used.

        Raises:
            NoFaceError: a frame has no face.
            InputError, UnreadableError, LimitError, WeightsError: as `analyze`.
        """
        source, generated = Path(source), Path(generated)
        key = MomentKey(source, generated, (file_key(source), file_key(generated)), times, settings)
        with self._lock:
            self._forget_outdated()
            if key in self._results:
                return self._results[key]
        result = self._compare(key)
        with self._lock:
            self._results[key] = result
            while len(self._results) > MAX_KEPT_MOMENTS:
                del self._results[next(iter(self._results))]
        return result

    def _forget_outdated(self) -> None:
        """Drop the results of files that were deleted or changed. Used under `_lock`."""
        for key in [key for key in self._results if not key.is_current]:
            del self._results[key]

    def _compare(self, key: MomentKey) -> CorrelationResult:
        times, settings = key.times, key.settings
        infos = probe(key.source, self._limits), probe(key.generated, self._limits)
        check_same_kind(*infos)
        images = [
            read_frame_at(info.path, max(0.0, time), self._limits).image
            for info, time in zip(infos, times, strict=True)
        ]
        with self._lock:
            landmarks = [self._detect(*each) for each in zip(images, infos, times, strict=True)]
            variants = self._variants.pop(settings.metric, None) or load_variants(settings.metric)
            self._variants[settings.metric] = variants  # the last one is the newest
            if len(self._variants) > MAX_METRICS:
                del self._variants[next(iter(self._variants))]
            alignment = "place" if settings.alignment == "place" else "landmarks"
            comparison = Comparison(variants, alignment, relative_scale(*infos) or 1.0, settings.size)
            comparison.add([MatchedFrames((images[0], images[1]), times, (landmarks[0], landmarks[1]))])
        return comparison.result(infos, settings, 1)

    def _detect(self, image: Image, info: MediaInfo, time: float) -> np.ndarray:
        landmarks = self._landmarker.detect(image)
        if landmarks is None:
            raise NoFaceError(f"{info.path.name} shows no face at {time:.2f} s", "choose another moment")
        return landmarks

    @cached_property
    def _landmarker(self) -> FaceLandmarker:
        """Created when first needed; used under `_lock`."""
        return FaceLandmarker()


def check_same_kind(source: MediaInfo, generated: MediaInfo) -> None:
    """Raise InputError for a still and a video."""
    if source.is_still != generated.is_still:
        still, video = (source, generated) if source.is_still else (generated, source)
        raise InputError(
            f"{still.path.name} is a still and {video.path.name} a video", "give two stills or two videos to compare"
        )


def _track(
    info: MediaInfo, face: int | None, stride: int, stage: str, progress: Progress, limits: Limits
) -> TrackedClip:
    tracker = FaceMeshTracker()
    try:
        stage_progress = Progress(lambda _, done: progress(stage, done))
        return track_face(info.path, tracker, stage_progress, limits, face, stride=stride)
    finally:
        tracker.close()


def _read_frame_pairs(
    a: TrackedClip, b: TrackedClip, pairs: np.ndarray, progress: Progress, limits: Limits
) -> Iterator[MatchedFrames]:
    """Decode both files again and yield the paired frames."""
    with (
        Reader(a.info.path, limits, a.stride) as reader_a,
        Reader(b.info.path, limits, b.stride) as reader_b,
        closing(prefetch(reader_a)) as frames_a,
        closing(prefetch(reader_b)) as frames_b,
    ):
        images_a, images_b = _ForwardImages(frames_a), _ForwardImages(frames_b)
        for done, (i, j) in enumerate(pairs.tolist()):
            images = images_a.read(i), images_b.read(j)
            landmarks = a.landmarks.read(i, i + 1)[0], b.landmarks.read(j, j + 1)[0]
            progress("compare", done / len(pairs))
            if np.isfinite(landmarks[0][0, 0]) and np.isfinite(landmarks[1][0, 0]):
                yield MatchedFrames(images, (float(a.times[i]), float(b.times[j])), landmarks)


class _ForwardImages:
    """Reads images by row numbers that never decrease."""

    def __init__(self, frames: Iterator) -> None:
        self._frames, self._row = frames, -1

    def read(self, row: int) -> Image:
        while self._row < row:
            self._image = next(self._frames).image
            self._row += 1
        return self._image

"""From a file to what a face in it does: decode, track, fit. Shared by sources, references and previews."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asccl.errors import NoFaceError
from asccl.face.people import select_person
from asccl.face.presence import Evidence, compute_presence
from asccl.face.smooth import MAX_GAP, SMOOTHING_RADIUS, smooth_landmarks
from asccl.face.store import LandmarkStore
from asccl.face.tracker import Tracker
from asccl.morphable.fit import Fitter
from asccl.types import Frame, Image, MediaInfo, Motion, Progress, Track
from asccl.video import Limits, Reader, sample
from asccl.video.threads import ahead

OBSERVED_FRAMES = 24  # frames that are shown to `study`, about
SEARCHED_FRAMES = 8  # frames in which faces are looked for
SMOOTHING_CHUNK = 600  # frames
FrameObserver = Callable[[int, Image, np.ndarray], None]  # number of the frame, the frame, landmarks (478, 3)


@dataclass
class TrackedClip:
    """A face tracked through T looked-at frames. times: (T,) seconds after the first frame. landmarks: smoothed, on
    disk, NaN where there is no face. every: each so manieth frame of the file was looked at. unreadable: frames that
    the file ought to have and that could not be read."""

    info: MediaInfo
    times: np.ndarray
    track: Track
    landmarks: LandmarkStore
    stride: int = 1
    unreadable: int = 0

    def __enter__(self) -> TrackedClip:
        return self

    def __exit__(self, *exception: object) -> None:
        self.landmarks.close()


@dataclass
class FittedClip:
    """A tracked and fitted face of T frames. times: (T,) seconds after the first frame. landmarks: smoothed, on disk,
    NaN where there is no face. error: of the fit, mean landmark distance in percent of the eye distance. unreadable: as
    in `TrackedClip`."""

    info: MediaInfo
    times: np.ndarray
    track: Track
    motion: Motion
    landmarks: LandmarkStore
    error: float
    unreadable: int = 0

    def __enter__(self) -> FittedClip:
        return self

    def __exit__(self, *exception: object) -> None:
        self.landmarks.close()


def reconstruct(
    path: Path,
    tracker: Tracker,
    fitter: Fitter,
    progress: Progress,
    limits: Limits,
    face: int | None = None,
    study: FrameObserver | None = None,
) -> FittedClip:
    """Track the chosen face through a whole file and fit the 3DMM to it; memory does not grow with its length.

    study is shown about `OBSERVED_FRAMES` frames that have the face. Raises NoFaceError, UnreadableError, LimitError, Cancelled.
    """
    seen = track_face(path, tracker, progress, limits, face, study)
    try:
        progress("fit", 0.0)
        motion, error = _fit(fitter, seen.track, seen.landmarks, progress)
    except BaseException:
        seen.landmarks.close()
        raise
    return FittedClip(seen.info, seen.times, seen.track, motion, seen.landmarks, error, seen.unreadable)


def track_face(
    path: Path,
    tracker: Tracker,
    progress: Progress,
    limits: Limits,
    face: int | None = None,
    study: FrameObserver | None = None,
    stride: int = 1,
) -> TrackedClip:
    """Track the chosen face through a whole file, every `stride`-th frame. As `reconstruct`, without the fit."""
    with Reader(path, limits, stride) as reader, LandmarkStore() as raw:
        few = sample(path, SEARCHED_FRAMES, limits)
        people = tracker.find(few, reader.info.time_base, everybody=face is not None)
        tracker.start(select_person(people, face, path.name))
        evidence, times = _watch(ahead(reader), reader.info, tracker, raw, progress, study)
        judged = compute_presence(evidence, float(reader.info.frame_rate) / stride)
        if not (judged.presence > 0).any():
            raise NoFaceError(
                f"{path.name} has no face that can be edited{_why(judged.reasons)}",
                "give a video or picture with a face that is plain to see",
            )
        landmarks = LandmarkStore()
        try:
            _smooth(raw, landmarks, judged.shot)
        except BaseException:
            landmarks.close()
            raise
    track = Track(judged.presence, judged.shot, judged.reasons)
    return TrackedClip(reader.info, times, track, landmarks, stride, reader.skipped)


def _watch(
    frames: Iterable[Frame], info: MediaInfo, tracker: Tracker, raw: LandmarkStore, progress: Progress,
    study: FrameObserver | None,
) -> tuple[list[Evidence], np.ndarray]:  # fmt: skip
    every = max(1, info.frames // OBSERVED_FRAMES)
    evidence, stamps, due = [], [], 0
    for frame in frames:
        landmarks, seen = tracker.push(frame.pixels)
        raw.append(landmarks)
        evidence.append(seen)
        stamps.append(frame.pts)
        if study is not None and landmarks is not None and frame.index >= due:
            study(frame.index, frame.image, landmarks)
            due = frame.index + every
        progress("track", (frame.index + 1) / max(info.frames, frame.index + 1))
    return evidence, (np.array(stamps, np.float64) - stamps[0]) * float(info.time_base)


def _smooth(raw: LandmarkStore, smooth: LandmarkStore, shot: np.ndarray) -> None:
    reach = SMOOTHING_RADIUS + MAX_GAP
    for first in range(0, len(raw), SMOOTHING_CHUNK):
        last = min(first + SMOOTHING_CHUNK, len(raw))
        a, b = max(0, first - reach), min(len(raw), last + reach)
        for row in smooth_landmarks(raw.read(a, b), shot[a:b])[first - a : last - a]:
            smooth.append(row)


def _fit(fitter: Fitter, track: Track, landmarks: LandmarkStore, progress: Progress) -> tuple[Motion, float]:
    seen = np.flatnonzero(track.presence > 0)
    pick = seen[
        np.unique(np.linspace(0, len(seen) - 1, min(len(seen), fitter.settings.identity_frames)).round().astype(int))
    ]
    some = landmarks.rows(pick)
    identity = fitter.fit_identity(some)
    progress("fit", 0.3)
    motion = fitter.fit_motion(track, landmarks.read, identity)
    progress("fit", 1.0)
    return motion, float(fitter.landmark_error(motion.at(pick), some).mean())


def _why(reasons: tuple[tuple[int, int, str], ...]) -> str:
    frames: dict[str, int] = {}
    for first, last, word in reasons:
        frames[word] = frames.get(word, 0) + last - first + 1
    return f" (it is {max(frames, key=lambda w: frames[w])})" if frames else ""

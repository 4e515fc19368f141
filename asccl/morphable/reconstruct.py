"""From a file to the motion of a face in it: decode, track, fit. Sources, references and the analysis share it."""

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
from asccl.morphable.fit import Fitter, sample_indices
from asccl.types import Frame, Image, MediaInfo, Motion, Progress, Track
from asccl.video import Limits, Reader, sample_frames
from asccl.video.threads import prefetch

OBSERVED_FRAMES = 24  # approximate number of frames handed to an observer
SEARCHED_FRAMES = 8  # number of frames in which faces are detected
SMOOTHING_CHUNK = 600  # frames
FrameObserver = Callable[[int, Image, np.ndarray], None]  # index of the frame, the frame, landmarks (478, 3)


@dataclass
class TrackedClip:
    """A face tracked through T frames. Close it, or use it as a context manager.

    Attributes:
        info: the file.
        times: (T,) seconds after the first frame.
        track: presence and shots.
        landmarks: smoothed, on disk, NaN where there is no face.
        stride: every `stride`-th frame of the file was processed.
        unreadable: number of frames that the file should contain and that could not be read.
    """

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
    """A tracked and fitted face of T frames. Close it, or use it as a context manager.

    Attributes:
        info: the file.
        times: (T,) seconds after the first frame.
        track: presence and shots.
        motion: the fitted head model.
        landmarks: smoothed, on disk, NaN where there is no face.
        error: mean landmark distance of the fit in percent of the eye distance.
        unreadable: number of frames that the file should contain and that could not be read.
    """

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
    observer: FrameObserver | None = None,
) -> FittedClip:
    """Track a face through a whole file and fit the head model. Memory does not grow with the length of the file.

    Args:
        path: a video or a still.
        tracker: follows the face.
        fitter: fits the head model.
        progress: receives the stages "track" and "fit".
        limits: bounds on the size and length of the file.
        face: index of the face; None takes the largest.
        observer: receives about `OBSERVED_FRAMES` frames that have the face.

    Raises:
        NoFaceError: the file has no face that can be edited.
        UnreadableError: the file cannot be decoded.
        LimitError: the file exceeds the limits.
        CancelledError: the progress was cancelled.
    """
    clip = track_face(path, tracker, progress, limits, face, observer)
    try:
        progress("fit", 0.0)
        motion, error = _fit(fitter, clip.track, clip.landmarks, progress)
    except BaseException:
        clip.landmarks.close()
        raise
    return FittedClip(clip.info, clip.times, clip.track, motion, clip.landmarks, error, clip.unreadable)


def track_face(
    path: Path,
    tracker: Tracker,
    progress: Progress,
    limits: Limits,
    face: int | None = None,
    observer: FrameObserver | None = None,
    stride: int = 1,
) -> TrackedClip:
    """Track a face through a whole file, as `reconstruct` does, without the fit.

    Args:
        path: a video or a still.
        tracker: follows the face.
        progress: receives the stage "track".
        limits: bounds on the size and length of the file.
        face: index of the face; None takes the largest.
        observer: receives about `OBSERVED_FRAMES` frames that have the face.
        stride: process every `stride`-th frame.

    Raises:
        NoFaceError: the file has no face that can be edited.
        UnreadableError: the file cannot be decoded.
        LimitError: the file exceeds the limits.
        CancelledError: the progress was cancelled.
    """
    with Reader(path, limits, stride) as reader, LandmarkStore() as raw:
        people = tracker.find_people(
            sample_frames(path, SEARCHED_FRAMES, limits), reader.info.time_base, all_people=face is not None
        )
        tracker.start(select_person(people, face, path.name))
        evidence, times = _track_frames(prefetch(reader), reader.info, tracker, raw, progress, observer)
        presence = compute_presence(evidence, float(reader.info.frame_rate) / stride)
        if not (presence.presence > 0).any():
            raise NoFaceError(
                f"{path.name} has no face that can be edited{_main_reason(presence.reasons)}",
                "give a video or image in which a face is clearly visible",
            )
        landmarks = LandmarkStore()
        try:
            _smooth(raw, landmarks, presence.shot)
        except BaseException:
            landmarks.close()
            raise
    track = Track(presence.presence, presence.shot, presence.reasons)
    return TrackedClip(reader.info, times, track, landmarks, stride, reader.skipped)


def _track_frames(
    frames: Iterable[Frame],
    info: MediaInfo,
    tracker: Tracker,
    raw: LandmarkStore,
    progress: Progress,
    observer: FrameObserver | None,
) -> tuple[list[Evidence], np.ndarray]:
    """Append the landmarks of each frame to `raw`; return the evidence for presence and the times (T,) in seconds."""
    observer_stride = max(1, info.frames // OBSERVED_FRAMES)
    evidence, stamps, next_observed = [], [], 0
    for frame in frames:
        landmarks, frame_evidence = tracker.track(frame.pixels)
        raw.append(landmarks)
        evidence.append(frame_evidence)
        stamps.append(frame.pts)
        if observer is not None and landmarks is not None and frame.index >= next_observed:
            observer(frame.index, frame.image, landmarks)
            next_observed = frame.index + observer_stride
        progress("track", (frame.index + 1) / max(info.frames, frame.index + 1))
    return evidence, (np.array(stamps, np.float64) - stamps[0]) * float(info.time_base)


def _smooth(raw: LandmarkStore, smooth: LandmarkStore, shot: np.ndarray) -> None:
    """Smooth in overlapping chunks, with the same result as at once."""
    margin = SMOOTHING_RADIUS + MAX_GAP
    for first in range(0, len(raw), SMOOTHING_CHUNK):
        last = min(first + SMOOTHING_CHUNK, len(raw))
        a, b = max(0, first - margin), min(len(raw), last + margin)
        for row in smooth_landmarks(raw.read(a, b), shot[a:b])[first - a : last - a]:
            smooth.append(row)


def _fit(fitter: Fitter, track: Track, landmarks: LandmarkStore, progress: Progress) -> tuple[Motion, float]:
    """Fit identity and motion; return the motion and the mean error in percent of the eye distance."""
    visible = np.flatnonzero(track.presence > 0)
    samples = visible[sample_indices(len(visible), fitter.settings.identity_frames)]
    sample_landmarks = landmarks.rows(samples)
    identity = fitter.fit_identity(sample_landmarks)
    progress("fit", 0.3)
    motion = fitter.fit_motion(track, landmarks.read, identity)
    progress("fit", 1.0)
    return motion, float(fitter.landmark_error(motion.at(samples), sample_landmarks).mean())


def _main_reason(reasons: tuple[tuple[int, int, str], ...]) -> str:
    """The reason that applies to most frames, in brackets."""
    frames: dict[str, int] = {}
    for first, last, word in reasons:
        frames[word] = frames.get(word, 0) + last - first + 1
    return f" (it is {max(frames, key=lambda word: frames[word])})" if frames else ""

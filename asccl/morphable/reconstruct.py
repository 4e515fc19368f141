"""Reconstruct the 3D motion of a face in a file: decode, track, fit. Shared by sources, references and previews."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asccl.errors import NoFaceError
from asccl.face.people import Person, select_person
from asccl.face.presence import Evidence, compute_presence
from asccl.face.smooth import MAX_GAP, SMOOTHING_RADIUS, smooth_landmarks
from asccl.face.store import LandmarkStore
from asccl.face.tracker import Tracker
from asccl.morphable.fit import Fitter, sample_indices
from asccl.progress import Progress
from asccl.types import DEFAULT_FRAME_RATE, Frame, Image, MediaInfo, Motion, Track
from asccl.video import Limits, Reader, iterate_samples
from asccl.video.kept_frames import KeptFrames
from asccl.video.threads import BackgroundWriter, prefetch

OBSERVED_FRAMES = 24  # approximate number of frames that are passed to an observer
SEARCHED_FRAMES = 8  # frames in which people are searched for
SMOOTHING_CHUNK = 600  # frames
FrameObserver = Callable[[int, Image, np.ndarray], None]  # frame index, frame, landmarks (478, 3)


@dataclass
class TrackedClip:
    """A face tracked through T frames.

    Attributes:
        info: the file.
        times: (T,) seconds after the first frame.
        track: presence and shots.
        landmarks: smoothed, on disk, NaN where there is no face.
        stride: every `stride`-th frame of the file was processed.
        unreadable: number of frames that the file promises and that could not be read.
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
    """A tracked and fitted face of T frames.

    Attributes:
        info: the file.
        times: (T,) seconds after the first frame.
        track: presence and shots.
        motion: the fitted 3DMM.
        landmarks: smoothed, on disk, NaN where there is no face.
        error: of the fit, mean landmark distance in percent of the eye distance.
        unreadable: number of frames that the file promises and that could not be read.
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


def reconstruct(path: Path, tracker: Tracker, fitter: Fitter, progress: Progress, limits: Limits) -> FittedClip:
    """Track the largest face of a file and fit the 3DMM to it; memory does not grow with the file's length.

    Args:
        path: a video or a still.
        tracker: follows the face; it is started here.
        fitter: fits the 3DMM.
        progress: receives the stages "track" and "fit".
        limits: what is accepted.

    Raises:
        NoFaceError: the file has no face that can be edited.
        UnreadableError: the file cannot be decoded.
        LimitError: the file exceeds the limits.
        CancelledError: the progress was cancelled.
    """
    clip = track_face(path, tracker, progress, limits)
    try:
        return fit_clip(clip, fitter, progress)
    except BaseException:
        clip.landmarks.close()
        raise


def fit_clip(
    clip: TrackedClip, fitter: Fitter, progress: Progress, emotion_probabilities: np.ndarray | None = None
) -> FittedClip:
    """Fit the 3DMM to a tracked face.

    Args:
        clip: its landmarks belong to the result from then on.
        fitter: fits the 3DMM.
        progress: receives the stage "fit".
        emotion_probabilities: mean probability of each emotion in the clip, in the order of `EMOTIONS`, (7,), by which
            the fit decides which expression may last through it; None where it is unknown.

    Raises:
        CancelledError: the progress was cancelled.
    """
    progress("fit", 0.0)
    motion, error = _fit(fitter, clip.track, clip.landmarks, emotion_probabilities, progress)
    motion = replace(motion, frame_rate=_mean_frame_rate(clip.times))
    return FittedClip(clip.info, clip.times, clip.track, motion, clip.landmarks, error, clip.unreadable)


def track_face(
    path: Path,
    tracker: Tracker,
    progress: Progress,
    limits: Limits,
    face: int | None = None,
    observe: FrameObserver | None = None,
    stride: int = 1,
    people: list[Person] | None = None,
    kept: KeptFrames | None = None,
) -> TrackedClip:
    """Track the chosen face through a file.

    Args:
        path: a video or a still.
        tracker: follows the face; it is started here.
        progress: receives the stage "track".
        limits: what is accepted.
        face: index of the face; None selects the largest.
        observe: is called with about `OBSERVED_FRAMES` frames that have the face.
        stride: process every `stride`-th frame only.
        people: in the file, if they were searched for before.
        kept: gets the frames, for a second pass over the file.

    Raises:
        NoFaceError: the file has no face that can be edited.
        UnreadableError: the file cannot be decoded.
        LimitError: the file exceeds the limits.
        CancelledError: the progress was cancelled.
    """
    with Reader(path, limits, stride) as reader, LandmarkStore() as raw:
        if people is None:
            samples = prefetch(iterate_samples(path, SEARCHED_FRAMES, limits))
            people = tracker.find_people(samples, reader.info.time_base, all_people=face is not None)
        tracker.start(select_person(people, face, path.name))
        with closing(prefetch(reader)) as frames:
            evidence, times = _track_frames(frames, reader.info, tracker, raw, progress, observe, kept)
        result = compute_presence(evidence, float(reader.info.frame_rate) / stride)
        if not (result.presence > 0).any():
            raise NoFaceError(
                f"{path.name} has no face that can be edited{_main_reason(result.reasons)}",
                "give a video or image in which a face is clearly visible",
            )
        landmarks = LandmarkStore()
        try:
            _smooth(raw, landmarks, result.shot)
        except BaseException:
            landmarks.close()
            raise
    track = Track(result.presence, result.shot, result.reasons)
    return TrackedClip(reader.info, times, track, landmarks, stride, reader.skipped)


def _track_frames(
    frames: Iterable[Frame],
    info: MediaInfo,
    tracker: Tracker,
    raw: LandmarkStore,
    progress: Progress,
    observe: FrameObserver | None,
    kept: KeptFrames | None,
) -> tuple[list[Evidence], np.ndarray]:
    """Append the landmarks of all frames to `raw`; return the evidence and the times of the frames.

    Frames are observed in a thread of their own.
    """
    interval = max(1, info.frames // OBSERVED_FRAMES)
    evidence, stamps, next_observed = [], [], 0

    def observe_frame(item: tuple[Frame, np.ndarray]) -> None:
        if observe is not None:
            observe(item[0].index, item[0].image, item[1])

    with BackgroundWriter(observe_frame) as observer:
        for frame in frames:
            landmarks, frame_evidence = tracker.track(frame.pixels)
            raw.append(landmarks)
            evidence.append(frame_evidence)
            stamps.append(frame.pts)
            if kept is not None:
                kept.add(frame)
            if observe is not None and landmarks is not None and frame.index >= next_observed:
                observer.put((frame, landmarks))
                next_observed = frame.index + interval
            progress("track", (frame.index + 1) / max(info.frames, frame.index + 1))
    return evidence, (np.array(stamps, np.float64) - stamps[0]) * float(info.time_base)


def _smooth(raw: LandmarkStore, smooth: LandmarkStore, shot: np.ndarray) -> None:
    """Append the smoothed rows of `raw` to `smooth`, chunk by chunk."""
    overlap = SMOOTHING_RADIUS + MAX_GAP
    for first in range(0, len(raw), SMOOTHING_CHUNK):
        last = min(first + SMOOTHING_CHUNK, len(raw))
        a, b = max(0, first - overlap), min(len(raw), last + overlap)
        for row in smooth_landmarks(raw.read(a, b), shot[a:b])[first - a : last - a]:
            smooth.append(row)


def _fit(
    fitter: Fitter,
    track: Track,
    landmarks: LandmarkStore,
    emotion_probabilities: np.ndarray | None,
    progress: Progress,
) -> tuple[Motion, float]:
    """Fit the identity to sampled frames and the motion to all; return the motion and its error on the samples."""
    present = np.flatnonzero(track.presence > 0)
    index = present[sample_indices(len(present), fitter.settings.identity_frames)]
    samples = landmarks.select(index)
    identity = fitter.fit_identity(samples, emotion_probabilities)
    progress("fit", 0.3)
    motion = fitter.fit_motion(track, landmarks.read, identity)
    progress("fit", 1.0)
    return motion, float(fitter.landmark_error(motion.select(index), samples).mean())


def _mean_frame_rate(times: np.ndarray) -> float:
    """Frames per second over a clip with frames at `times` (T,); the default rate for a still."""
    duration = float(times[-1] - times[0])
    return (len(times) - 1) / duration if duration > 0 else DEFAULT_FRAME_RATE


def _main_reason(reasons: tuple[tuple[int, int, str], ...]) -> str:
    """The reason that holds in most frames, in brackets; empty without reasons."""
    frames: dict[str, int] = {}
    for first, last, reason in reasons:
        frames[reason] = frames.get(reason, 0) + last - first + 1
    return f" (it is {max(frames, key=lambda reason: frames[reason])})" if frames else ""

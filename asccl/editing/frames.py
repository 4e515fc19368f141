"""The frames that an edit is planned for, and the sample frames by which a plan is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asccl.editing.adaptation.measures import read_networks
from asccl.editing.adaptation.samples import AdaptationSample, FacePatch, attach_landmarks, select_samples
from asccl.editing.cache import KeyedCache
from asccl.editing.models import Models
from asccl.editing.strength import FaceSample
from asccl.face.crop import expression_crop
from asccl.face.people import Person
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.head import HeadModel
from asccl.morphable.reconstruct import FittedClip, TrackedClip, fit_clip, track_face
from asccl.progress import Progress
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.types import EditRequest, Image, Motion
from asccl.video import Limits
from asccl.video.kept_frames import KeptFrames

MIN_SAMPLES = 4  # frames of a clip; at most one less than twice as many
MIN_SAMPLE_PRESENCE = 0.5
ADAPTATION_SAMPLES = 6  # frames of a clip that an adaptation renders
PLAN_STEPS = 64  # results of planning that are kept for one face


@dataclass(frozen=True)
class ObservedFace:
    """One person in a file, as observed on sample frames.

    Attributes:
        motion: of the frames that the samples number.
        samples: frames that show the face, for the person's identity and emotion.
        strength_samples: frames by which the strength of an edit is chosen.
        warp: the warp renderer of this person.
        readings: of the emotions in the samples, from `read_emotions`.
        adaptation_samples: small frames by which an edit is adapted to the face.
        plan_steps: results of planning that do not depend on the frames to be edited.
    """

    motion: Motion
    samples: tuple[FaceSample, ...]
    strength_samples: tuple[FaceSample, ...]
    warp: WarpRenderer
    readings: np.ndarray | None
    adaptation_samples: tuple[AdaptationSample, ...] = ()
    plan_steps: KeyedCache[Any] = field(default_factory=lambda: KeyedCache(PLAN_STEPS))


@dataclass(frozen=True)
class EditFrames:
    """T frames that an edit is planned for.

    Attributes:
        face: the person in them.
        motion: of T frames; its weight is how far the face can be edited in each.
        times: seconds after the first frame of the file, (T,); NaN for a frame that only gives context.
    """

    face: ObservedFace
    motion: Motion
    times: np.ndarray


def observe_clip(
    request: EditRequest,
    models: Models,
    limits: Limits,
    progress: Progress,
    people: list[Person] | None = None,
    kept: KeptFrames | None = None,
) -> tuple[FittedClip, ObservedFace]:
    """Track and fit the face in a whole file and observe it on sample frames; the first of two passes over the file.

    Args:
        request: names the file and the face.
        models: to track and fit with.
        limits: of the file.
        progress: reports the stages "track" and "fit".
        people: in the file, if they were searched for before.
        kept: gets the frames, for the second pass.

    Returns:
        The fitted clip, to be closed by the caller, and the observed face.

    Raises:
        NoFaceError: the file shows no such face, or none that can be edited.
        UnreadableError, LimitError: the file cannot be read.
        CancelledError: by the user.
    """
    observer = _ClipObserver(models.head, request.adapt)
    tracker = FaceMeshTracker(models.embedder.embed)
    try:
        tracked = track_face(
            request.source, tracker, progress, limits, request.face, observer, people=people, kept=kept
        )
    finally:
        tracker.close()
    try:
        samples = observer.sampler.face_samples(tracked)
        readings = read_emotions(samples)
        clip = fit_clip(tracked, models.fitter, progress, None if readings is None else readings[0])
    except BaseException:
        tracked.landmarks.close()
        raise
    warp = WarpRenderer(models.head, observer.warp.appearance())
    adaptation_samples = observer.adaptation_samples(clip, models.head)
    return clip, ObservedFace(clip.motion, samples, samples, warp, readings, adaptation_samples)


def read_emotions(samples: Sequence[FaceSample]) -> np.ndarray | None:
    """Read the emotions in some frames by each network of the adaptation, of which the first is that of the report.

    Returns:
        Mean probability of each emotion in the order of `EMOTIONS`, (networks, 7); None without frames.
    """
    if not samples:
        return None
    return np.stack(read_networks(np.stack([expression_crop(s.image, s.landmarks) for s in samples]))[1])


class FrameSampler:
    """Keeps between `MIN_SAMPLES` and twice as many frames, spread evenly over however many are offered."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, Image]] = []
        self._stride, self._offered = 1, 0

    def offer(self, index: int, image: Image) -> None:
        """Keep a frame where it is due. index: of the frame in the clip."""
        if self._offered % self._stride == 0:
            self.frames.append((index, image))
            if len(self.frames) >= 2 * MIN_SAMPLES:
                self.frames, self._stride = self.frames[::2], 2 * self._stride
        self._offered += 1

    def face_samples(self, clip: TrackedClip | FittedClip) -> tuple[FaceSample, ...]:
        """The kept frames of a clip that show the face clearly, with its landmarks."""
        return tuple(
            FaceSample(t, image, clip.landmarks.read(t, t + 1)[0])
            for t, image in self.frames
            if clip.track.presence[t] > MIN_SAMPLE_PRESENCE
        )


class _ClipObserver:
    """Gets some frames of a clip while it is tracked; a `FrameObserver`.

    Args:
        head: the 3D head model.
        is_adapted: whether the edit is to be adapted to the face, which needs samples of its own.
    """

    def __init__(self, head: HeadModel, is_adapted: bool):
        self.warp, self.sampler, self._is_adapted = WarpObserver(head), FrameSampler(), is_adapted
        self._patches: list[FacePatch] = []

    def __call__(self, index: int, image: Image, landmarks: np.ndarray) -> None:
        self.warp.add(image, landmarks)
        self.sampler.offer(index, image)
        if self._is_adapted:
            self._patches.append(FacePatch.cut(index, image, landmarks))

    def adaptation_samples(self, clip: FittedClip, head: HeadModel) -> tuple[AdaptationSample, ...]:
        """Some observed frames of a clip that show the face clearly and differ in viseme and head turn."""
        samples = [
            attach_landmarks(patch, clip.landmarks.read(patch.t, patch.t + 1)[0])
            for patch in self._patches
            if clip.track.presence[patch.t] > MIN_SAMPLE_PRESENCE
        ]
        return tuple(select_samples(samples, clip.motion, head.names, ADAPTATION_SAMPLES))

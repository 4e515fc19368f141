"""Fit a face on a few sampled frames of a file, for reference styles and previews."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from asccl.directors.base import ReferenceStyle
from asccl.directors.reference import check_emotions
from asccl.editing.adaptation.measures import read_networks
from asccl.editing.adaptation.samples import FacePatch, attach_landmarks, select_samples
from asccl.editing.cache import KeyedCache
from asccl.editing.frames import EditFrames, ObservedFace, read_emotions
from asccl.editing.models import Models
from asccl.editing.plan import plan_edit
from asccl.editing.strength import FaceSample
from asccl.errors import NoFaceError
from asccl.face.crop import expression_crop
from asccl.face.people import bounding_box
from asccl.face.pose import estimate_head_pose
from asccl.face.presence import turn_weight
from asccl.morphable.fit import Fitter
from asccl.progress import Progress
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.types import DetectedFace, EditRequest, Image, Motion, Preview, Track, as_image
from asccl.video import Limits, draw_badge, read_frame_at, sample_frames

SAMPLED_FRAMES = 16  # of a file
STRENGTH_SAMPLES = 4  # of the sampled frames that show the face
PREVIEW_ADAPTATION_SAMPLES = 3  # likewise, rendered by an adaptation
KEPT_MOMENTS = 2  # of a file, so that another emotion or intensity at the same moment need not detect the face again


@dataclass(frozen=True)
class SampledFrames:
    """Frames of a file that show the face.

    Attributes:
        images: n images, (H, W, 3) uint8 RGB.
        landmarks: (n, 478, 3) pixels.
        motion: of n frames, each a shot of its own.
    """

    images: list[Image]
    landmarks: np.ndarray
    motion: Motion


def fit_sampled_frames(path: Path, models: Models, limits: Limits, face: DetectedFace | None = None) -> SampledFrames:
    """Detect and fit a face in `SAMPLED_FRAMES` frames of a file.

    Args:
        path: a video or still.
        models: to detect and fit with.
        limits: of the file.
        face: the face to follow; None takes the largest.

    Returns:
        The frames that show the face.

    Raises:
        NoFaceError: none of the sampled frames shows a face.
        UnreadableError, LimitError: the file cannot be read.
    """
    images, detections = [], []
    previous = None if face is None else _box_landmarks(face)
    for frame in sample_frames(path, SAMPLED_FRAMES, limits):
        landmarks = models.landmarker.detect(frame.image, previous)
        if landmarks is not None:
            images.append(frame.image)
            detections.append(landmarks)
            previous = landmarks
    if not detections:
        raise NoFaceError(f"{path.name} shows no face", "give a video or image with a clearly visible face")
    landmarks = np.stack(detections)
    crops = [expression_crop(i, p) for i, p in zip(images, landmarks, strict=True)]
    emotion_probabilities = models.expression.probabilities(np.stack(crops)).mean(0)
    identity = models.fitter.fit_identity(landmarks, emotion_probabilities)
    return SampledFrames(images, landmarks, _fit_frames(landmarks, models.fitter, identity))


def reference_style(frames: SampledFrames, models: Models) -> ReferenceStyle:
    """Style of a reference from its sampled frames, as several networks and its own coefficients show it."""
    crops = np.stack([expression_crop(i, p) for i, p in zip(frames.images, frames.landmarks, strict=True)])
    features = models.expression.features(crops).sum(0)
    network_features, network_probabilities = read_networks(crops)
    coefficients = frames.motion.coefficients
    mean = coefficients.mean(0)
    probabilities = check_emotions(np.mean(network_probabilities, axis=0), mean, models.head.names)
    return ReferenceStyle(mean, probabilities, features, coefficients, network_features, network_probabilities)


@dataclass(frozen=True)
class PreviewMoment:
    """One frame of a file with its face.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        motion: of the sampled frames and, last, of this one.
        landmarks: (478, 3) pixels; None without a face.
        presence: see `Preview`.
    """

    image: Image
    motion: Motion
    landmarks: np.ndarray | None = None
    presence: float = 0.0


@dataclass(frozen=True)
class PreviewSession:
    """One face of one file, of which any frame can be shown edited.

    Attributes:
        path: the file.
        frames: sampled from it.
        face: as observed on these frames.
        quick_face: likewise, with one frame for the strength of an edit, for quick previews of the plain preset.
        moments: the latest that were shown, by their time.
    """

    path: Path
    frames: SampledFrames
    face: ObservedFace
    quick_face: ObservedFace
    moments: KeyedCache[PreviewMoment] = field(
        default_factory=lambda: KeyedCache(KEPT_MOMENTS), compare=False, repr=False
    )

    @classmethod
    def open(cls, path: Path, face: DetectedFace, models: Models, limits: Limits) -> PreviewSession:
        """Sample the frames of a file and observe the face in them.

        Args:
            path: a video or still.
            face: the face to follow.
            models: to detect and fit with.
            limits: of the file.

        Returns:
            The session.

        Raises:
            NoFaceError: none of the sampled frames shows the face.
            UnreadableError, LimitError: the file cannot be read.
        """
        frames = fit_sampled_frames(path, models, limits, face)
        observer = WarpObserver(models.head)
        for image, landmarks in zip(frames.images, frames.landmarks, strict=True):
            observer.add(image, landmarks)
        pairs = zip(frames.images, frames.landmarks, strict=True)
        samples = tuple(FaceSample(t, image, landmarks) for t, (image, landmarks) in enumerate(pairs))
        spread = np.unique(np.linspace(0, len(samples) - 1, STRENGTH_SAMPLES).round().astype(int))
        warp = WarpRenderer(models.head, observer.appearance())
        patches = [attach_landmarks(FacePatch.cut(s.t, s.image, s.landmarks), s.landmarks) for s in samples]
        adaptation_samples = tuple(
            select_samples(patches, frames.motion, models.head.names, PREVIEW_ADAPTATION_SAMPLES)
        )
        strength_samples = tuple(samples[t] for t in spread)
        readings = read_emotions(samples)
        observed = ObservedFace(frames.motion, samples, strength_samples, warp, readings, adaptation_samples)
        middle = strength_samples[len(strength_samples) // 2 :][:1]
        return cls(path, frames, observed, ObservedFace(frames.motion, middle, middle, warp, read_emotions(middle)))

    def render_frame(
        self,
        request: EditRequest,
        time: float,
        models: Models,
        limits: Limits,
        reference: ReferenceStyle | None = None,
        progress: Progress | None = None,
        is_quick: bool = False,
    ) -> Preview:
        """Show one frame before and after the edit.

        Args:
            request: of the edit.
            time: of the frame, seconds after the first one.
            models: to edit with.
            limits: of the file.
            reference: style of `request.reference`.
            progress: can cancel the adaptation to the face.
            is_quick: whether to show the plain preset, its strength chosen on one frame.

        Returns:
            The frame before and after; unedited where it shows no face.

        Raises:
            UnreadableError, LimitError: the file cannot be read.
            InputError, SettingError, WeightsError: see `plan_edit`.
        """
        moment = self.moments.get(time, lambda: self._observe(time, models, limits))
        image, landmarks, motion = moment.image, moment.landmarks, moment.motion
        if landmarks is None:
            return Preview(image, image, 0.0)
        times = np.append(np.full(len(self.frames.motion), np.nan), time)
        face, planned = (self.quick_face, replace(request, adapt=False)) if is_quick else (self.face, request)
        plan = plan_edit(planned, EditFrames(face, motion, times), models, reference, progress)
        edited = as_image(plan.start().render(image, landmarks, len(motion) - 1))
        marked = as_image(draw_badge(edited)) if request.badge else edited
        return Preview(image, marked, moment.presence, box=tuple(map(float, bounding_box(landmarks))))

    def _observe(self, time: float, models: Models, limits: Limits) -> PreviewMoment:
        """Decode a frame, and detect and fit its face."""
        image = read_frame_at(self.path, time, limits).image
        landmarks = models.landmarker.detect(image, self.typical_landmarks())
        if landmarks is None:
            return PreviewMoment(image, self.frames.motion)
        pose = estimate_head_pose(landmarks)
        presence = float(turn_weight(np.array(pose.yaw), np.array(pose.pitch)))
        identity = self.frames.motion.identity.astype(np.float64)
        fitted = replace(_fit_frames(landmarks[None], models.fitter, identity), weight=np.full(1, presence, np.float32))
        return PreviewMoment(image, append_motion(self.frames.motion, fitted), landmarks, presence)

    def typical_landmarks(self) -> np.ndarray:
        """Landmarks of the sampled frame with the face of median size."""
        size = np.linalg.norm(np.ptp(self.frames.landmarks[..., :2], axis=1), axis=1)
        return self.frames.landmarks[int(np.argsort(size)[len(size) // 2])]


def _fit_frames(landmarks: np.ndarray, fitter: Fitter, identity: np.ndarray) -> Motion:
    """Fit frames that are unrelated in time: each is a shot of its own."""
    n = len(landmarks)
    track = Track(np.ones(n, np.float32), np.arange(n, dtype=np.int32))
    return fitter.fit_motion(track, lambda first, last: landmarks[first:last], identity)


def _box_landmarks(face: DetectedFace) -> np.ndarray:
    """Landmarks (478, 3) that only carry the box and the angle of a detected face, enough to look near it."""
    x0, y0, x1, y1 = face.box
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, 0], landmarks[:, 1] = (x0 + x1) / 2, (y0 + y1) / 2
    landmarks[0, :2], landmarks[1, :2] = (x0, y0), (x1, y1)
    across = 0.5 * (x1 - x0) * np.array([np.cos(face.angle), np.sin(face.angle)])
    landmarks[33, :2] -= across
    landmarks[263, :2] += across
    return landmarks


def append_motion(sampled: Motion, shot: Motion) -> Motion:
    """The motion of sampled frames and, behind it, that of a further shot of the same person."""
    fields = ("coefficients", "scale", "rotation", "translation", "weight")
    appended = {name: np.concatenate([getattr(sampled, name), getattr(shot, name)]) for name in fields}
    number = 0 if sampled.shot is None else int(sampled.shot.max()) + 1
    shots = None if sampled.shot is None else np.append(sampled.shot, np.full(len(shot), number, sampled.shot.dtype))
    return replace(sampled, shot=shots, frame_rate=shot.frame_rate, **appended)


def preview_bytes(session: PreviewSession) -> int:
    """Memory of the sampled frames of a session and of the moments that it keeps, in bytes."""
    images = session.frames.images
    return sum(image.nbytes for image in images) + KEPT_MOMENTS * images[0].nbytes + session.frames.landmarks.nbytes

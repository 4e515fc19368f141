"""Show one frame of a file before and after an edit, by a face that was fitted on sampled frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from asccl.directors.base import ReferenceStyle
from asccl.editing.adaptation.samples import FacePatch, attach_landmarks, select_samples
from asccl.editing.cache import KeyedCache
from asccl.editing.frames import EditFrames, ObservedFace, read_emotions
from asccl.editing.models import Models
from asccl.editing.plan import plan_edit
from asccl.editing.sampled_frames import SampledFrames, fit_frames, fit_sampled_frames
from asccl.editing.strength import FaceSample
from asccl.face.people import bounding_box
from asccl.face.pose import estimate_head_pose
from asccl.face.presence import turn_weight
from asccl.progress import Progress
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.types import DetectedFace, EditRequest, Image, Motion, Preview, as_image
from asccl.video import Limits, draw_badge, read_frame_at

STRENGTH_SAMPLES = 4  # of the sampled frames that show the face
PREVIEW_ADAPTATION_SAMPLES = 3  # likewise, rendered by an adaptation
KEPT_MOMENTS = 2  # of a file, so that another emotion or intensity at the same moment need not detect the face again


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
        fitted = replace(fit_frames(landmarks[None], models.fitter, identity), weight=np.full(1, presence, np.float32))
        return PreviewMoment(image, append_motion(self.frames.motion, fitted), landmarks, presence)

    def typical_landmarks(self) -> np.ndarray:
        """Landmarks of the sampled frame with the face of median size."""
        size = np.linalg.norm(np.ptp(self.frames.landmarks[..., :2], axis=1), axis=1)
        return self.frames.landmarks[int(np.argsort(size)[len(size) // 2])]


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

"""What a few frames of a file tell about one face: enough for a reference's style and for a preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asccl.directors.base import Director, ReferenceStyle, Target
from asccl.editing.strength import FaceSample, identity_preserving_strength
from asccl.errors import NoFaceError
from asccl.face.crop import expression_crop
from asccl.face.landmarker import FaceLandmarker
from asccl.face.pose import estimate_head_pose
from asccl.face.presence import PITCH_RANGE, YAW_RANGE
from asccl.face.tracker import EmbedFunction
from asccl.morphable.fit import Fitter
from asccl.nets.protocols import ExpressionClassifier
from asccl.renderers.base import Renderer
from asccl.types import DetectedFace, Image, Motion, Preview, Track, as_image
from asccl.video import Limits, read_frame_at, sample_frames

JUDGED = 4  # of them, by which the strength of an edit is judged
SEVERAL = 16  # frames of a clip that stand for it


@dataclass(frozen=True)
class SampledFrames:
    """Some frames that show the face: landmarks (n, 478, 3) pixels, motion of n frames."""

    images: list[Image]
    landmarks: np.ndarray
    motion: Motion


def fit_sampled_frames(
    path: Path, eyes: FaceLandmarker, fitter: Fitter, limits: Limits, face: DetectedFace | None = None
) -> SampledFrames:
    """Look at `SEVERAL` frames of a file. Raises NoFaceError, UnreadableError, LimitError."""
    images, found, near = [], [], None
    for frame in sample_frames(path, SEVERAL, limits):
        if near is None and face is not None:
            near = _stand_in(face)
        landmarks = eyes.detect(frame.image, near)
        if landmarks is not None:
            images.append(frame.image)
            found.append(landmarks)
            near = landmarks
    if not found:
        raise NoFaceError(f"{path.name} shows no face", "give a video or picture with a face that is plain to see")
    landmarks = np.stack(found)
    return SampledFrames(images, landmarks, _still_motion(landmarks, fitter, fitter.fit_identity(landmarks)))


def _still_motion(landmarks: np.ndarray, fitter: Fitter, identity: np.ndarray) -> Motion:
    """Frames that have nothing to do with each other in time: each is a shot of its own."""
    n = len(landmarks)
    track = Track(np.ones(n, np.float32), np.arange(n, dtype=np.int32))
    return fitter.fit_motion(track, lambda first, last: landmarks[first:last], identity)


def _stand_in(face: DetectedFace) -> np.ndarray:
    """Landmarks that only say where a found face is."""
    x0, y0, x1, y1 = face.box
    grid = np.zeros((478, 3), np.float32)
    grid[:, 0], grid[:, 1] = (x0 + x1) / 2, (y0 + y1) / 2
    grid[0, :2], grid[1, :2] = (x0, y0), (x1, y1)
    grid[33, :2], grid[263, :2] = (x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)
    return grid


def reference_style(seen: SampledFrames, net: ExpressionClassifier) -> ReferenceStyle:
    """Style of a reference from some of its frames."""
    crops = np.stack([expression_crop(i, p) for i, p in zip(seen.images, seen.landmarks, strict=True)])
    probabilities, features = net.predict(crops)
    coefficients = seen.motion.coefficients
    return ReferenceStyle(coefficients.mean(0), probabilities.mean(0), features.sum(0), coefficients)


def source_emotion_probabilities(samples: Sequence[FaceSample], net: ExpressionClassifier) -> np.ndarray | None:
    """Probability (7,) of each emotion in the order of `EMOTIONS`, over some frames; None without any."""
    if not samples:
        return None
    return net.predict(np.stack([expression_crop(s.image, s.landmarks) for s in samples]))[0].mean(0)


class PreviewSession:
    """One face of one file, ready to show any frame edited. Threads must not share one."""

    def __init__(
        self, path: Path, seen: SampledFrames, renderer: Renderer, judged_by: Renderer, fitter: Fitter, limits: Limits,
        shown: np.ndarray | None,
    ):  # fmt: skip
        """judged_by: the renderer by which the strength of an edit is judged; may be the same. shown: see `Target`."""
        self._path, self._seen, self._fitter, self._limits = path, seen, fitter, limits
        self._renderer, self._judged_by, self._shown = renderer, judged_by, shown
        for image, landmarks in zip(seen.images, seen.landmarks, strict=True):
            judged_by.observe(image, landmarks)
        self._strength: dict[tuple, float] = {}

    def show(
        self, time: float, eyes: FaceLandmarker, director: Director, target: Target, embed: EmbedFunction
    ) -> Preview:
        """The frame `time` seconds after the first, before and after the edit."""
        image = read_frame_at(self._path, time, self._limits).image
        size = np.linalg.norm(np.ptp(self._seen.landmarks[..., :2], axis=1), axis=1)
        landmarks = eyes.detect(image, self._seen.landmarks[int(np.argsort(size)[len(size) // 2])])
        if landmarks is None:
            return Preview(image, image, 0.0)
        presence = pose_weight(landmarks)
        here = _still_motion(landmarks[None], self._fitter, self._seen.motion.identity.astype(np.float64))
        motion = _together(self._seen.motion, here, presence)
        target = replace(target, shown=self._shown)
        target = replace(target, intensity=target.intensity * self._bearable(director, target, embed))
        new = director(motion, target)
        self._renderer.plan(motion, new)
        return Preview(image, as_image(self._renderer.render(image, landmarks, len(motion) - 1)), presence)

    def _bearable(self, director: Director, target: Target, embed: EmbedFunction) -> float:
        """Found out once for every emotion, reference and variant."""
        style = b"" if target.reference is None else target.reference.mean.tobytes()
        key = (target.emotion, style, target.seed)
        if key not in self._strength:
            seen = self._seen
            pick = np.unique(np.linspace(0, len(seen.images) - 1, JUDGED).round().astype(int))
            samples = [FaceSample(int(t), seen.images[t], seen.landmarks[t]) for t in pick]
            self._strength[key] = identity_preserving_strength(
                seen.motion, director, target, self._judged_by, samples, embed
            )
        return self._strength[key]


def _together(seen: Motion, here: Motion, presence: float) -> Motion:
    """Frames of a glance and one more."""
    weight = np.append(seen.weight, np.float32(presence))
    both = {
        k: np.concatenate([getattr(seen, k), getattr(here, k)])
        for k in ("coefficients", "scale", "rotation", "translation")
    }
    shot = None if seen.shot is None else np.append(seen.shot, seen.shot.max() + 1)
    return replace(seen, weight=weight, shot=shot, **both)


def pose_weight(landmarks: np.ndarray) -> float:
    """How far the turn of the head (478, 3) allows an edit, in [0, 1]."""
    pose = estimate_head_pose(landmarks)
    shares = [
        (none - abs(angle)) / (none - full)
        for angle, (full, none) in ((pose.yaw, YAW_RANGE), (pose.pitch, PITCH_RANGE))
    ]
    return float(np.clip(min(shares), 0, 1))

"""Takes: one synthetic speaker says the same words twice with two emotions in front of one camera."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asccl.face.crop import CROP_SIZE
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import ARCFACE_SIDE_CM, FRAME_SIDE, sample_emotion_pair
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS

FRAME_SPACING = 4  # frames of the words between two frames of a take
HEAD_JITTER = 0.02  # radians, standard deviation of the head's rotation between frames and between takes
CROP_JITTER = 0.008  # crop sides, standard deviation of the error of an alignment


class Take(NamedTuple):
    """K frames of two takes; frame k of both has the same words.

    Attributes:
        source: (K, S, S, 3) uint8 RGB, aligned like ArcFace crops with small errors.
        target: like `source`, with another emotion.
        source_emotion: index into `EMOTIONS`.
        target_emotion: index into `EMOTIONS`.
        source_coefficients: (K, 52) float32.
        target_coefficients: (K, 52) float32.
    """

    source: np.ndarray
    target: np.ndarray
    source_emotion: int
    target_emotion: int
    source_coefficients: np.ndarray
    target_coefficients: np.ndarray


class SyntheticTakes:
    """Map-style data set of `Take`; item i depends on the seed and on i only.

    Frames of a take differ by the face alone: head pose and alignment vary a little between all frames of both takes.

    Args:
        seed: selects the items.
        size: side of the crops in pixels.
        count: number of items, each with a speaker of its own.
        frames: K of each take.
        head: head model, the bundled one by default.
        own_cameras: degrade both takes like different cameras, instead of one.
    """

    def __init__(
        self,
        seed: int = 0,
        size: int = CROP_SIZE,
        count: int = 1000,
        frames: int = 8,
        head: AnnyHead | None = None,
        own_cameras: bool = False,
    ):
        self.own_cameras = own_cameras
        self.seed, self.size, self.count, self.frames = seed, size, count, frames
        self.head = head or load_anny_head()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Take:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        rng = np.random.default_rng((self.seed, index, 4))
        renderer = HeadRenderer(SyntheticPerson.sample(rng, self.head), self.head, self.size / ARCFACE_SIDE_CM)
        camera, degrade = Camera.sample(rng, FRAME_SIDE), CameraDegradation.sample(rng)
        emotions = sample_emotion_pair(rng)
        speech = talking_track(rng, FRAME_SPACING * self.frames, self.head)[::FRAME_SPACING]
        images: list[np.ndarray] = []
        coefficients: list[np.ndarray] = []
        for emotion in emotions:
            if images and self.own_cameras:
                degrade = CameraDegradation.sample(rng)
            take = apply_emotion(speech, sample_style(rng, EMOTIONS[emotion], self.head), self.head)
            coefficients.append(take)
            crops = [degrade(renderer.render(w, self._sample_view(renderer, w, camera, rng)), rng) for w in take]
            images.append(np.stack(crops))
        return Take(
            source=images[0],
            target=images[1],
            source_emotion=emotions[0],
            target_emotion=emotions[1],
            source_coefficients=coefficients[0],
            target_coefficients=coefficients[1],
        )

    def _sample_view(
        self, renderer: HeadRenderer, coefficients: np.ndarray, camera: Camera, rng: np.random.Generator
    ) -> Camera:
        """Return the view of an aligned crop with small errors of head pose and alignment."""
        rotation = _small_rotation(rng.normal(0, HEAD_JITTER, 3))
        camera = replace(camera, rotation=rotation @ camera.rotation)
        view = camera.arcface_view(renderer.landmarks(coefficients, camera), self.size)
        scale = np.exp(rng.normal(0, CROP_JITTER))
        centre = [[0, 0, (self.size - 1) / 2]] * 2
        matrix = scale * (view.matrix - centre) + centre
        matrix[:, 2] += rng.normal(0, CROP_JITTER * self.size, 2)
        return replace(view, matrix=matrix)


def _small_rotation(angles: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) by small angles (3,) in radians about x, y and z."""
    x, y, z = angles
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    u, _, v = np.linalg.svd(np.eye(3) + skew)
    return u @ v

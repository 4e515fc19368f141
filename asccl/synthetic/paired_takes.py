"""Takes: one made-up speaker says the same words twice, with one emotion and with another, before the same camera."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asccl.face.crop import CROP_SIZE
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.synthetic.datasets import FRAME_SIDE, sample_emotion_pair, talking_track
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.head_renderer import Camera, HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import apply_emotion, sample_style
from asccl.types import EMOTIONS

APART = 4  # frames of the words between two that are shown
UNSTEADY = 0.02  # radians: how the head of a speaker moves between pictures, and between takes
MISPLACED = 0.008  # of the crop's side: by how much an alignment is wrong


class Take(NamedTuple):
    """source, target: (K, S, S, 3) uint8 RGB, aligned like ArcFace crops up to small errors: frame k of both shows the
    same words. source_emotion, target_emotion: index into `EMOTIONS`. source_coefficients, target_coefficients: (K, 52)
    float32."""

    source: np.ndarray
    target: np.ndarray
    source_emotion: int
    target_emotion: int
    source_coefficients: np.ndarray
    target_coefficients: np.ndarray


class SyntheticTakes:
    """A map-style data set of `Take`; item i depends on seed and i alone.

    size: side of the crops. count: speakers. frames: K of each take. What tells two frames of a take apart is the face:
    head and alignment move a little from picture to picture, in both takes for themselves.
    """

    def __init__(self, seed: int = 0, size: int = CROP_SIZE, count: int = 1000, frames: int = 8,
                 head: AnnyHead | None = None):  # fmt: skip
        self.seed, self.size, self.count, self.frames = seed, size, count, frames
        self.head = head or load_anny_head()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Take:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        rng = np.random.default_rng((self.seed, index, 4))
        sitting = HeadRenderer(SyntheticPerson.sample(rng, self.head), self.head, self.size / 20)
        camera, capture, emotions = (
            Camera.sample(rng, FRAME_SIDE),
            CameraDegradation.sample(rng),
            sample_emotion_pair(rng),
        )
        track = talking_track(rng, APART * self.frames, self.head)[::APART]
        pictures, shown = [], []
        for emotion in emotions:
            shown.append(apply_emotion(track, sample_style(rng, EMOTIONS[emotion], self.head), self.head))
            pictures.append([self._picture(sitting, w, camera, capture, rng) for w in shown[-1]])
        return Take(np.stack(pictures[0]), np.stack(pictures[1]), *emotions, *shown)

    def _picture(self, sitting: HeadRenderer, coefficients: np.ndarray, camera: Camera, capture: CameraDegradation,
                 rng: np.random.Generator) -> np.ndarray:  # fmt: skip
        camera = replace(camera, rotation=_turn(rng.normal(0, UNSTEADY, 3)) @ camera.rotation)
        view = camera.arcface_view(sitting.landmarks(coefficients, camera), self.size)
        scale = np.exp(rng.normal(0, MISPLACED))
        middle = (self.size - 1) / 2
        matrix = scale * (view.matrix - [[0, 0, middle]] * 2) + [[0, 0, middle]] * 2
        matrix[:, 2] += rng.normal(0, MISPLACED * self.size, 2)
        return capture(sitting.render(coefficients, replace(view, matrix=matrix)), rng)


def _turn(angles: np.ndarray) -> np.ndarray:
    """A small rotation, radians about each axis."""
    x, y, z = angles
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    u, _, v = np.linalg.svd(np.eye(3) + skew)
    return u @ v

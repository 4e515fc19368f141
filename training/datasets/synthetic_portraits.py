"""Made-up people who talk with changing emotions and move their heads: portraits whose coefficients are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from asccl.morphable.anny_head import AnnyHead
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.head_crop import CROP_SIDE_CM
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import FRAME_SIDE, talking_track
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import MAX_COEFFICIENT, emotion_offset, sample_style
from asccl.types import EMOTIONS
from training.datasets.portraits import InMemory

MOOD = 40  # frames that an emotion lasts
CHANGE = 5.0  # frames over which it gives way to the next (Gaussian)
MOVES = np.deg2rad((5.0, 3.5, 2.5))  # deviation of pitch, yaw and roll
SLOW = 10.0  # frames over which the head moves (Gaussian)


def synthetic_portrait(seed: int, number: int, frames: int, size: int, surface: FaceSurface) -> InMemory:
    """Person `number` of a seed; the same picture for picture every time. Emotions follow one another; each of the
    seven comes once before one comes again."""
    head = surface.head
    rng = np.random.default_rng((seed, number, 6))
    person, camera = SyntheticPerson.sample(rng, head), Camera.sample(rng, FRAME_SIDE)
    coefficients = moods(rng, talking_track(rng, frames, head), head)
    cameras = [replace(camera, rotation=turn @ camera.rotation) for turn in _turns(rng, frames)]
    scene = Scene.synthetic(surface, person.identity, cameras, size)
    sitting = HeadRenderer(person, head, size / CROP_SIDE_CM)
    pictures, places = [], []
    for w, view, crop in zip(coefficients, cameras, scene.crops, strict=True):
        near = Camera(view.rotation, view.distance, _through(crop, view.matrix), (size, size))
        pictures.append(sitting.render(w, near).transpose(2, 0, 1))
        places.append(sitting.landmarks(w, near))
    drawn = scene.conditions(coefficients).channels
    return InMemory(
        np.stack(pictures), np.rint(drawn * 255).astype(np.uint8), np.float32(places), f"synthetic {seed}-{number}"
    )


def moods(rng: np.random.Generator, speech: np.ndarray, head: AnnyHead) -> np.ndarray:
    """Words (T, 52) said with one emotion after the other -> (T, 52)."""
    count = -(-len(speech) // MOOD)
    order = np.concatenate([rng.permutation(len(EMOTIONS)) for _ in range(-(-count // len(EMOTIONS)))])[:count]
    now = np.repeat(np.eye(count), MOOD, 0)[: len(speech)]
    share = gaussian_filter1d(now, CHANGE, axis=0, mode="nearest")
    offset = sum(
        s[:, None] * emotion_offset(speech, sample_style(rng, EMOTIONS[emotion], head), head)
        for s, emotion in zip(share.T, order, strict=True)
    )
    return np.clip(speech + offset, 0, MAX_COEFFICIENT).astype(np.float32)


def _turns(rng: np.random.Generator, frames: int) -> np.ndarray:
    """(frames, 3, 3) small rotations that wander."""
    noise = gaussian_filter1d(rng.standard_normal((frames + 8 * int(SLOW), 3)), SLOW, axis=0)[4 * int(SLOW) :][:frames]
    return np.stack([cv2.Rodrigues(angles)[0] for angles in noise * MOVES * np.sqrt(2 * SLOW * np.sqrt(np.pi))])


def _through(crop: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The map `matrix`, then `crop`, both (2, 3)."""
    return np.column_stack([crop[:, :2] @ matrix[:, :2], crop[:, :2] @ matrix[:, 2] + crop[:, 2]])

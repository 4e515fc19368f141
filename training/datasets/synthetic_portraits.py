"""Synthetic people who talk with changing emotions and move their heads: portraits with known coefficients."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.head_crop import CROP_SIDE_CM
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import FRAME_SIDE
from asccl.synthetic.emotions import MAX_COEFFICIENT, emotion_offset, sample_style
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS
from training.datasets.portraits import ScenePortrait

EMOTION_FRAMES = 40  # duration of an emotion
EMOTION_BLEND_SIGMA = 5.0  # frames, of the Gaussian over which one emotion changes to the next
HEAD_ANGLE_STD = np.deg2rad((5.0, 3.5, 2.5))  # of pitch, yaw and roll
HEAD_MOTION_SIGMA = 10.0  # frames, of the Gaussian that smooths the motion of the head


def synthetic_portrait(seed: int, number: int, frames: int, size: int, surface: FaceSurface) -> ScenePortrait:
    """Render a synthetic person; the same arguments give the same pixels.

    Emotions follow one another; each of the seven comes once before one comes again.

    Args:
        seed: of the person.
        number: of the person among those of the seed.
        frames: number of frames.
        size: side of a frame, pixels.
        surface: of the head model.
    """
    head = surface.head
    rng = np.random.default_rng((seed, number, 6))
    person, camera = SyntheticPerson.sample(rng, head), Camera.sample(rng, FRAME_SIDE)
    coefficients = sample_emotions(rng, talking_track(rng, frames, head), head)
    cameras = [replace(camera, rotation=rotation @ camera.rotation) for rotation in sample_rotations(rng, frames)]
    scene = Scene.synthetic(surface, person.identity, cameras, size)
    renderer = HeadRenderer(person, head, size / CROP_SIDE_CM)
    images, landmarks = [], []
    for w, frame_camera, crop_matrix in zip(coefficients, cameras, scene.crop_matrices, strict=True):
        crop_camera = camera_of_crop(frame_camera, crop_matrix, size)
        images.append(renderer.render(w, crop_camera).transpose(2, 0, 1))
        landmarks.append(renderer.landmarks(w, crop_camera))
    channels = scene.conditions(coefficients).channels
    return ScenePortrait(
        frames=np.stack(images),
        conditions=np.rint(channels * 255).astype(np.uint8),
        landmarks=np.stack(landmarks).astype(np.float32),
        name=f"synthetic {seed}-{number}",
        coefficients=coefficients,
        scene=scene,
    )


@lru_cache(maxsize=1)
def shared_portraits(seed: int, count: int, frames: int, size: int) -> tuple[ScenePortrait, ...]:
    """Return synthetic people, the same objects for trainings of one seed in one process.

    Args:
        seed: of the people.
        count: number of people.
        frames: number of frames of each.
        size: side of a frame, pixels.
    """
    surface = FaceSurface(load_anny_head())
    return tuple(synthetic_portrait(seed, number, frames, size, surface) for number in range(count))


def camera_of_crop(camera: Camera, crop_matrix: np.ndarray, size: int) -> Camera:
    """Return the camera that sees a crop of a camera's image.

    Args:
        camera: of the whole image.
        crop_matrix: (2, 3) from pixels of the image to those of the crop.
        size: side of the crop, pixels.
    """
    linear, offset = crop_matrix[:, :2], crop_matrix[:, 2]
    matrix = np.column_stack([linear @ camera.matrix[:, :2], linear @ camera.matrix[:, 2] + offset])
    return Camera(camera.rotation, camera.distance, matrix, (size, size))


def sample_emotions(rng: np.random.Generator, speech: np.ndarray, head: AnnyHead) -> np.ndarray:
    """Add one emotion after the other to speech.

    Args:
        rng: random numbers.
        speech: (T, 52) coefficients without emotion.
        head: the head model.

    Returns:
        (T, 52) coefficients.
    """
    count = -(-len(speech) // EMOTION_FRAMES)
    order = np.concatenate([rng.permutation(len(EMOTIONS)) for _ in range(-(-count // len(EMOTIONS)))])[:count]
    active = np.repeat(np.eye(count), EMOTION_FRAMES, 0)[: len(speech)]
    weights = gaussian_filter1d(active, EMOTION_BLEND_SIGMA, axis=0, mode="nearest")
    offset = sum(
        weight[:, None] * emotion_offset(speech, sample_style(rng, EMOTIONS[emotion], head), head)
        for weight, emotion in zip(weights.T, order, strict=True)
    )
    return np.clip(speech + offset, 0, MAX_COEFFICIENT).astype(np.float32)


def sample_rotations(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Sample a smooth sequence of small rotations (frames, 3, 3)."""
    margin, sigma = 4 * int(HEAD_MOTION_SIGMA), HEAD_MOTION_SIGMA
    noise = gaussian_filter1d(rng.standard_normal((frames + 2 * margin, 3)), sigma, axis=0)[margin:][:frames]
    angles = noise * HEAD_ANGLE_STD * np.sqrt(2 * sigma * np.sqrt(np.pi))
    return np.stack([cv2.Rodrigues(angle)[0] for angle in angles])

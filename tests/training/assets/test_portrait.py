"""The rendered portrait of the head, as FaceMesh detects it."""

from __future__ import annotations

import mediapipe as mp
import numpy as np
import pytest

from asccl.morphable.anny_head import load_anny_head
from training.assets.portrait import PortraitCamera, render

HEAD = load_anny_head()
IDENTITY = 0.5 * np.random.default_rng(1).normal(size=len(HEAD.identity))


def units(**values: float) -> np.ndarray:
    coefficients = np.zeros(52)
    for name, value in values.items():
        coefficients[HEAD.index[name]] = value
    return coefficients


@pytest.mark.parametrize(
    ("coefficients", "identity", "yaw"),
    [
        (units(), None, 0),
        (units(jawOpen=0.4), IDENTITY, 15),
        (units(mouthSmileLeft=0.7), None, -15),
    ],
)
def test_face_mesh_detects_the_landmarks_where_the_head_has_them(coefficients, identity, yaw):
    camera = PortraitCamera.facing(yaw, 0, 384)
    image = render(HEAD, coefficients, identity, camera)
    assert image.shape == (384, 384, 3)
    assert image.dtype == np.uint8
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True) as net:
        faces = net.process(image).multi_face_landmarks
    assert faces, "no face detected"
    detected = np.array([(p.x, p.y) for p in faces[0].landmark]) * 384 - 0.5
    expected = camera.project(HEAD.landmarks_on(HEAD.deform(coefficients, identity)))[0]
    error = np.linalg.norm(detected - expected, axis=1).mean() / (camera.scale * 9)  # of the eye distance
    assert error < 0.04

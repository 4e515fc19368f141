"""Faces that lie on their side or upside down are detected, tracked and cropped as upright ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from asccl.face.crop import expression_crop, quarter_turns, turn_points
from asccl.face.landmarker import FaceLandmarker
from asccl.face.mesh import NOSE_TIP
from asccl.face.pose import estimate_head_pose
from asccl.face.tracker import FaceMeshTracker
from asccl.types import Frame
from tests.face.scenes import backdrop, put


@pytest.fixture(scope="module")
def upright() -> np.ndarray:
    return put(backdrop(), 300, 170, 130)


@pytest.fixture(scope="module")
def faces(upright) -> list[np.ndarray]:
    """Landmarks (478, 3) of the face in the scene turned by 0 to 3 quarter turns."""
    landmarker = FaceLandmarker()
    landmarks = [landmarker.detect(np.ascontiguousarray(np.rot90(upright, turns))) for turns in range(4)]
    landmarker.close()
    return landmarks


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_landmarks_turn_with_the_face(upright, faces, turns):
    expected = turn_points(faces[0], upright.shape, turns)
    assert np.abs(faces[turns] - expected)[:468, :2].mean() < 1.5


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_as_many_turns_bring_it_back(faces, turns):
    assert (quarter_turns(faces[turns]) + turns) % 4 == 0


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_yaw_and_pitch_are_those_of_the_upright_face(faces, turns):
    upright, turned = estimate_head_pose(faces[0]), estimate_head_pose(faces[turns])
    assert turned[:2] == pytest.approx(upright[:2], abs=3)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_expression_crop_is_upright(upright, faces, turns):
    turned = expression_crop(np.rot90(upright, turns), turn_points(faces[0], upright.shape, turns))
    assert np.abs(turned.astype(int) - expression_crop(upright, faces[0])).mean() < 3


def test_a_face_upside_down_is_tracked(upright):
    image = np.ascontiguousarray(np.rot90(upright, 2))
    with FaceMeshTracker() as tracker:
        (person,) = tracker.find_people([Frame(image, 0, 0)], Fraction(1, 25))
        tracker.start(person)
        observations = [tracker.track(image) for _ in range(3)]
    assert abs(observations[-1].evidence.roll) > 170
    assert abs(person.detected.angle) > 3
    nose = observations[-1].landmarks[NOSE_TIP, 1]
    assert nose < observations[-1].landmarks[33, 1]

"""Gaze units are recovered from the positions of the irises."""

from __future__ import annotations

import numpy as np
import pytest
from face_scenes import HEAD, SURFACE, units

from asccl.face import mesh
from asccl.renderers.neural.face_surface import EYEBALL_REGIONS, iris_vertices
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.renderers.neural.head_crop import WeakPerspectiveView

VIEW = WeakPerspectiveView(12.0, np.eye(3), np.array([200.0, 150.0, 0.0]))
ESTIMATE = GazeEstimator(SURFACE)


def gaze_landmarks(**values: float) -> np.ndarray:
    """(478, 3) pixels of the average head with the irises where gaze units put them."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:468, :2] = VIEW.project(HEAD.landmarks(units()))[0]
    vertices = SURFACE.deform(SURFACE.rest, units(**values))
    for name, iris in zip(EYEBALL_REGIONS, (mesh.RIGHT_IRIS, mesh.LEFT_IRIS), strict=True):
        eyeball = HEAD.region[SURFACE.vertex_index] == HEAD.regions.index(name)
        landmarks[list(iris), :2] = VIEW.project(vertices[iris_vertices(eyeball, SURFACE.rest)].mean(0))[0]
    return landmarks


@pytest.mark.parametrize("gaze", [{"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}, {"eyeLookUpLeft": 0.7}, {}])
def test_gaze_is_estimated_from_the_irises(gaze):
    estimated = ESTIMATE(SURFACE.rest, units(jawOpen=0.2), VIEW, gaze_landmarks(**gaze))
    assert np.abs(estimated - units(jawOpen=0.2, **gaze)).max() < 0.08


def test_a_closed_eye_has_no_gaze():
    landmarks = gaze_landmarks(eyeLookInLeft=0.6)
    landmarks[list(mesh.LEFT_EYE), 1] = landmarks[mesh.LEFT_EYE[0], 1]
    assert ESTIMATE(SURFACE.rest, units(), VIEW, landmarks)[HEAD.index["eyeLookInLeft"]] == 0

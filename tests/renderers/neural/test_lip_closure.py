"""Closed lips stay closed, and open ones open by the gain."""

from __future__ import annotations

import numpy as np
import pytest
from face_scenes import HEAD, SURFACE, units

from asccl.face import mesh
from asccl.renderers.neural.lip_closure import LipClosureConstraint, lip_gap_cm
from asccl.synthetic.camera import Camera

CONSTRAINT = LipClosureConstraint(SURFACE)
SNEER = units(mouthUpperUpLeft=0.8, mouthUpperUpRight=0.8)


def opening(vertices: np.ndarray) -> np.ndarray:
    """(5,) cm between the middle of the inner lips."""
    upper, lower = CONSTRAINT.inner_lips(vertices)
    return (lower - upper)[2:7, 1]


@pytest.mark.parametrize(
    ("jaw", "gain", "lip_gap"), [(0.0, 1.0, np.zeros(9)), (0.5, 1.3, np.linspace(0.1, 0.5, 9))], ids=["closed", "open"]
)
def test_the_edit_opens_the_lips_by_the_gain_alone(jaw, gain, lip_gap):
    source = SURFACE.deform(SURFACE.rest, units(jawOpen=jaw))
    edited = SURFACE.deform(SURFACE.rest, units(jawOpen=jaw) + SNEER)
    corrected = edited + CONSTRAINT(source, edited, gain, lip_gap)
    assert np.abs(opening(edited) - opening(source)).min() > 0.2
    assert np.abs(opening(corrected) - opening(source) - (gain - 1) * lip_gap[2:7]).max() < 0.12


def test_the_correction_does_not_reach_above_the_nose():
    source = SURFACE.deform(SURFACE.rest, units(jawOpen=0.5))
    edited = SURFACE.deform(SURFACE.rest, units(jawOpen=0.5) + SNEER)
    correction = CONSTRAINT(source, edited, 1.0, np.linspace(0.1, 0.5, 9))
    assert np.abs(correction[SURFACE.rest[:, 1] < 0]).max() < 0.01


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_the_gap_of_the_lips_is_measured_on_the_landmarks_of_a_turned_head(gap):
    rotation = Camera.from_angles(20, -10, 30, 300).rotation
    points = HEAD.landmarks(units()).astype(np.float32)
    points[list(mesh.LOWER_INNER_LIP)] = points[list(mesh.UPPER_INNER_LIP)] + [0, 0.315 + gap, 0]
    assert np.abs(lip_gap_cm(8 * (points @ rotation.T), 8.0, rotation) - gap).max() < 0.02

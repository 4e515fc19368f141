"""Smooth transitions between two levels."""

from __future__ import annotations

import numpy as np

from asccl.face.easing import smoothstep


def test_smoothstep_follows_its_polynomial_inside_the_range():
    assert np.allclose(smoothstep(np.array([0.25, 0.5, 0.75])), [0.15625, 0.5, 0.84375])


def test_smoothstep_is_constant_outside_the_range():
    assert np.array_equal(smoothstep(np.array([-1.0, 0.0, 1.0, 2.0])), [0, 0, 1, 1])

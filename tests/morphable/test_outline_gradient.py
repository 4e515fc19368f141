"""The benchmark of outlines, very small."""

import numpy as np
import pytest
import torch

from benchmarks.outline_gradient import compare, difference_gradient


def test_central_differences_of_a_plane_are_its_slope():
    slope = torch.linspace(-1, 1, 52)
    result = difference_gradient(lambda x, y: (y - x).sum(), lambda w: w * slope, torch.zeros(52), torch.ones(52), 0.05)
    np.testing.assert_allclose(result, slope, atol=1e-5)


def test_the_comparison_of_gradients_weights_signs_by_size():
    values = compare(np.array([2.0, 2.0]), np.array([3.0, -1.0]))
    assert values["signs that agree"] == pytest.approx(0.75)
    assert values["cosine"] == pytest.approx(4 / np.sqrt(80))

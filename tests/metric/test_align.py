import numpy as np
import pytest
import torch

from asccl.face.mesh import RIGID_LANDMARKS
from asccl.metric.align import estimate_affine, warp_affine


def random_landmarks(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(20, 90, (478, 3))


def test_a_known_transform_is_estimated_whatever_the_mouth_does():
    rng = np.random.default_rng(0)
    points = random_landmarks(rng)
    true = np.array([[1.1, -0.2, 5], [0.15, 0.9, -3]])
    target = points.copy()
    target[:, :2] = points[:, :2] @ true[:, :2].T + true[:, 2]
    expressive = [n for n in range(478) if n not in RIGID_LANDMARKS]
    target[expressive] += rng.normal(0, 20, (len(expressive), 3))
    np.testing.assert_allclose(estimate_affine(points, target), true, atol=1e-3)


def test_landmarks_that_are_no_face_are_refused():
    with pytest.raises(ValueError, match="landmarks of a face"):
        estimate_affine(np.zeros((478, 3)), np.zeros((478, 3)))


def test_warp_moves_pixels_as_the_matrix_says_and_marks_pixels_outside_of_the_image():
    image = torch.arange(48.0).view(1, 1, 6, 8)
    shift = torch.tensor([[[1.0, 0, 2], [0, 1, -1]]])  # two to the right, one up
    warped, valid = warp_affine(image, shift, (6, 8))
    assert torch.allclose(warped[0, 0, :5, 2:], image[0, 0, 1:, :6])
    assert valid[0, 0, :5, 2:].all()
    assert not valid[0, 0, 5].any()
    assert not valid[0, 0, :, :2].any()


def test_gradients_pass_through_the_warp():
    image = torch.rand(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    turn = torch.tensor([[[0.9, -0.2, 0.7], [0.2, 0.9, -0.4]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: warp_affine(v, turn, (5, 7))[0], image)

from __future__ import annotations

import pytest
import torch

from asccl.nets.mini_xception import MiniXception, XceptionModule
from asccl.types import EMOTIONS
from asccl.zoo import load_mini_expression_net


def fixed_image() -> torch.Tensor:
    """(1, 3, 112, 112): the same on every machine."""
    t = torch.linspace(0, 1, 112)
    return torch.stack([torch.sin(9 * t)[:, None] * torch.cos((5 + 2 * c) * t) for c in range(3)])[None]


@torch.inference_mode()
def test_known_probabilities():
    """Computed by another implementation of the published network."""
    expected = torch.tensor([0.056298, 0.0031649, 0.00019279, 0.042132, 0.58508, 0.23819, 0.074943])
    probabilities = load_mini_expression_net()(fixed_image()).softmax(-1)[0]
    torch.testing.assert_close(probabilities, expected, rtol=1e-3, atol=1e-5)


@torch.inference_mode()
def test_one_pass_gives_logits_and_features():
    logits, features = load_mini_expression_net().predict(fixed_image())
    assert logits.shape == (1, len(EMOTIONS))
    assert features.shape == (1, 256)
    assert features.min() >= 0


@pytest.mark.parametrize("size", [15, 16])
def test_a_module_halves_the_resolution_rounding_up(size):
    assert XceptionModule(4, 8, pre_activation=True)(torch.zeros(1, 4, size, size)).shape == (1, 8, 8, 8)


def test_gradients_reach_the_image():
    image = fixed_image().requires_grad_()
    MiniXception((4, 4), 1, (8, 8), pre_activation=False)(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().max() > 0

from __future__ import annotations

import pytest
import torch

from asccl import hub, tensor_files
from asccl.nets.blocks import tensor_shapes
from asccl.nets.expression import FEATURE_SIZE, ExpressionNet
from asccl.types import EMOTIONS


@pytest.fixture(scope="module")
def net() -> ExpressionNet:
    net = ExpressionNet()
    net.load_state_dict(tensor_files.load_tensors(hub.locate("expression-faceapi"), tensor_shapes(net)))
    return net.freeze()


def fixed_image() -> torch.Tensor:
    """(1, 3, 112, 112): the same on every machine."""
    t = torch.linspace(0, 1, 112)
    return torch.stack([torch.sin(9 * t)[:, None] * torch.cos((5 + 2 * c) * t) for c in range(3)])[None]


@torch.inference_mode()
def test_known_probabilities(net):
    """Computed by another implementation of the published network."""
    expected = torch.tensor([0.241708, 0.272970, 0.003895, 0.000136, 0.115790, 0.115341, 0.250159])
    torch.testing.assert_close(net(fixed_image()).softmax(-1)[0], expected, rtol=1e-3, atol=1e-5)


@torch.inference_mode()
def test_features_lead_to_the_logits(net):
    features = net.features(fixed_image())
    assert features.shape == (1, FEATURE_SIZE)
    assert features.min() >= 0
    torch.testing.assert_close(net.classify(features), net(fixed_image()))
    assert net(fixed_image()).shape == (1, len(EMOTIONS))


def test_shape_is_checked(net):
    with pytest.raises(ValueError, match=r"\(B, 3, 112, 112\), got \(1, 3, 64, 64\)"):
        net(torch.zeros(1, 3, 64, 64))

from __future__ import annotations

import pytest
import torch

from asccl import hub, tensor_files
from asccl.nets.blocks import tensor_shapes
from asccl.nets.mobilefacenet import EMBEDDING_SIZE, MAP_CHANNELS, MAP_STRIDES, MobileFaceNet


@pytest.fixture(scope="module")
def net() -> MobileFaceNet:
    net = MobileFaceNet()
    net.load_state_dict(tensor_files.load_tensors(hub.locate("mobilefacenet-arcface"), tensor_shapes(net)))
    return net.freeze()


def fixed_image(size: int = 112) -> torch.Tensor:
    """(1, 3, size, size): the same on every machine."""
    t = torch.linspace(0, 1, size)
    return torch.stack([torch.sin(9 * t)[:, None] * torch.cos((5 + 2 * c) * t) for c in range(3)])[None]


@torch.inference_mode()
def test_known_embedding(net):
    """Computed by another implementation from the published graph, whose two defects were corrected."""
    expected = torch.tensor([-0.250832, 0.681011, 0.375371, -0.304213, -1.553802, 0.781257])
    torch.testing.assert_close(net(fixed_image())[0, :6], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(112, 112), (224, 224), (64, 48)])
def test_maps(net, size):
    maps = net.feature_maps(torch.zeros(2, 3, *size))
    expected = [(2, c, size[0] // s, size[1] // s) for c, s in zip(MAP_CHANNELS, MAP_STRIDES, strict=True)]
    assert [tuple(m.shape) for m in maps] == expected


def test_shapes_are_checked(net):
    assert net(torch.zeros(2, 3, 112, 112)).shape == (2, EMBEDDING_SIZE)
    with pytest.raises(ValueError, match=r"\(B, 3, 112, 112\), got \(2, 3, 128, 128\)"):
        net(torch.zeros(2, 3, 128, 128))
    for wrong in ((2, 3, 112, 100), (2, 3, 100, 112), (2, 1, 112, 112), (3, 112, 112), (1, 3, 0, 16)):
        with pytest.raises(ValueError, match="multiples of 16"):
            net.feature_maps(torch.zeros(wrong))


def test_gradients_reach_the_image_and_not_the_weights(net):
    x = fixed_image().requires_grad_()
    sum(m.square().mean() for m in net.feature_maps(x)).backward()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in net.parameters())

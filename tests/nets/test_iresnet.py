from __future__ import annotations

import copy

import pytest
import torch
from official import names, synthetic_weights

from asccl.nets.blocks import tensor_shapes
from asccl.nets.iresnet import EMBEDDING_SIZE, MAP_CHANNELS, MAP_STRIDES, IResNet


def with_synthetic_weights(net: IResNet) -> IResNet:
    net.load_state_dict(synthetic_weights(tensor_shapes(net)), strict=False)
    return net.freeze()


@pytest.fixture(scope="module")
def small() -> IResNet:
    return with_synthetic_weights(IResNet(18, head=True))


def random_image(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(3), dtype=dtype) * 2 - 1


def test_names_and_shapes_are_the_authors():
    """They have one more layer, bn2, which their metric never uses."""
    own = {f"resnet50.{name}": tuple(value.shape) for name, value in IResNet(50).state_dict().items()}
    theirs = {n: s for n, s in names("scc").items() if not n.startswith(("mlp.", "resnet50.bn2."))}
    assert own == theirs


@pytest.mark.parametrize("size", [(112, 112), (64, 48), (16, 16)])
@torch.inference_mode()
def test_maps(small, size):
    expected = [(2, c, size[0] // s, size[1] // s) for c, s in zip(MAP_CHANNELS, MAP_STRIDES, strict=True)]
    assert [tuple(m.shape) for m in small.feature_maps(random_image(2, 3, *size))] == expected


@torch.inference_mode()
def test_shapes_are_checked(small):
    assert small(random_image(2, 3, 112, 112)).shape == (2, EMBEDDING_SIZE)
    with pytest.raises(ValueError, match=r"\(B, 3, 112, 112\), got \(2, 3, 128, 128\)"):
        small(torch.zeros(2, 3, 128, 128))
    with pytest.raises(ValueError, match="with its head"):
        IResNet(18)(torch.zeros(1, 3, 112, 112))
    for wrong in ((2, 3, 112, 100), (2, 3, 100, 112), (2, 1, 112, 112), (3, 112, 112), (1, 3, 0, 16)):
        with pytest.raises(ValueError, match="multiples of 16, got"):
            small.feature_maps(torch.zeros(wrong))


@pytest.mark.parametrize("size", [(48, 64), (32, 32)])
def test_folding_changes_neither_maps_nor_gradients_nor_the_embedding(small, size):
    plain = copy.deepcopy(small).double()
    folded = copy.deepcopy(plain).fold_batch_norm()
    results = []
    for net in (plain, folded):
        x = random_image(2, 3, *size, dtype=torch.float64).requires_grad_()
        maps = net.feature_maps(x)
        sum(m.square().mean() for m in maps).backward()
        results.append([*maps, x.grad])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-9 * float(a.detach().abs().max()))
    face = random_image(1, 3, 112, 112, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(folded(face), plain(face), rtol=1e-9, atol=1e-9)


def test_a_folded_network_stays_frozen_and_checks_its_input(small):
    folded = copy.deepcopy(small).fold_batch_norm()
    torch.nn.ModuleList([folded]).train()
    assert not any(part.training for part in folded.modules())
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    with pytest.raises(ValueError, match="multiples of 16 and at least 32"):
        folded.feature_maps(torch.zeros(1, 3, 16, 32))
    for wrong in (folded, IResNet(18)):
        with pytest.raises(ValueError, match="frozen network that is not folded yet"):
            wrong.fold_batch_norm()


def test_gradients_reach_the_image_and_not_the_weights(small):
    x = random_image(1, 3, 32, 32).requires_grad_()
    sum(m.square().mean() for m in small.feature_maps(x)).backward()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in small.parameters())

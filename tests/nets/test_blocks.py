from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from asccl.nets.blocks import Freezable, SameConv2d, same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (112, 3, 2, (0, 1)),
        (7, 3, 2, (1, 1)),
        (8, 3, 1, (1, 1)),
        (7, 7, 7, (0, 0)),
        (5, 1, 2, (0, 0)),
        (6, 4, 3, (0, 1)),
    ],
)
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_same_convolution_against_sums_by_hand():
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    # windows start at 0 and 2; the last row and column of the second one lie outside
    expected = [[x[0, 0, r : r + 3, c : c + 3].sum() for c in (0, 2)] for r in (0, 2)]
    torch.testing.assert_close(layer(x)[0, 0], torch.tensor(expected))
    assert layer(torch.zeros(1, 1, 5, 7)).shape == (1, 1, 3, 4)


class DropoutNet(Freezable):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.Dropout())


def test_frozen_stays_frozen():
    parent = nn.ModuleList([DropoutNet(), DropoutNet().freeze()])
    parent.train()
    free, frozen = parent
    assert free.training
    assert free.layers[1].training
    assert not frozen.training
    assert not frozen.layers[1].training
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert copy.deepcopy(frozen).train().layers[1].training is False

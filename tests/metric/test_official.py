"""The authors' own loss with synthetic weights: the value and the gradient are those of their code."""

import official
import pytest
import torch

from asccl.metric.loss import asccl_region_losses
from asccl.metric.loss_settings import LossSettings
from asccl.metric.neighbours import neighbour_pairs
from asccl.metric.scc import SCCMetric
from asccl.nets.iresnet import MAP_CHANNELS, IResNet

SETTINGS = LossSettings(negatives="all", daas="authors", query="generated")
LOSS_WEIGHT = 0.3  # in their code


def their_metric() -> SCCMetric:
    state = official.synthetic_weights(official.names("scc"))
    metric = SCCMetric(IResNet(50), MAP_CHANNELS)
    theirs = {name.removeprefix("resnet50."): value for name, value in state.items()}
    metric.backbone.load_state_dict({name: theirs[name] for name in metric.backbone.state_dict()})
    for n, head in enumerate(metric.heads):
        for k in (0, 2):
            head[k].load_state_dict({kind: state[f"mlp.{3 * n + k}.{kind}"] for kind in ("weight", "bias")})
    return metric.freeze()


def test_loss_and_gradient_are_those_of_the_authors():
    metric, expected = their_metric(), official.expected("scc")
    rng = torch.Generator().manual_seed(expected["seed"])
    x = torch.rand(2, 3, 112, 112, generator=rng) * 2 - 1
    y = (x + 0.3 * torch.randn(x.shape, generator=rng)).clamp(-1, 1)
    x.requires_grad_()
    pairs = []
    for size, locations in zip((56, 28, 14, 7), expected["locations"], strict=True):
        row, column = torch.tensor(locations).unbind(1)
        pairs.append(neighbour_pairs(row * size + column, size, size, wrap=True))
    parts = asccl_region_losses(metric, source=y, generated=x, settings=SETTINGS, pairs=pairs)
    loss = LOSS_WEIGHT * torch.stack([part.mean for part in parts]).sum()
    loss.backward()
    assert loss.item() == pytest.approx(expected["loss"], rel=official.TOLERANCE)
    assert x.grad.abs().sum().item() == pytest.approx(expected["grad_abs_sum_first_argument"], rel=official.TOLERANCE)

"""The temporal metric and loss (STCCL) against a plain reference in float64, and their properties."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from asccl.metric.loss import ASCCLLoss, asccl_loss
from asccl.metric.loss_settings import LossSettings
from asccl.metric.temporal import measure_movement, temporal_disparity, temporal_weight
from tests.metric import plain
from tests.metric.small import small_metric

TEMPORAL = LossSettings(samples=None, temporal=True, temporal_weight=1.0, temporal_samples=None)
SPATIAL = replace(TEMPORAL, temporal=False)


def similar_clips(seed: int, batch: int = 1, frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Two clips (batch, frames, 3, 32, 32) in [-1, 1] that differ by noise, float64."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(batch, frames, 3, 32, 32, generator=rng, dtype=torch.float64) * 2 - 1
    y = (x + 0.2 * torch.randn(x.shape, generator=rng, dtype=torch.float64)).clamp(-1, 1)
    return x, y


def temporal_part(metric, x, y, settings=TEMPORAL, valid=None) -> torch.Tensor:
    """What `temporal` adds to the loss of the frames."""
    flat = None if valid is None else valid.flatten(0, 1)
    spatial = asccl_loss(metric, x.flatten(0, 1), y.flatten(0, 1), replace(settings, temporal=False), valid=flat)
    return asccl_loss(metric, x, y, settings, valid=valid) - spatial


@pytest.mark.parametrize("heads", ["random", "identity"])
def test_temporal_disparity_is_the_mapped_change_of_a_region(heads):
    metric = small_metric(heads=heads)
    x, _ = similar_clips(0)
    maps = [m[None] for m in metric.feature_maps(x[0])]
    pairs = metric.sample_pairs(maps, None)
    for n, values in enumerate(metric.temporal_disparities(maps, pairs)):
        weights = tuple(p.numpy() for p in metric.heads[n].parameters()) if heads == "random" else None
        expected = plain.temporal_disparities(maps[n][0].numpy(), weights)
        np.testing.assert_allclose(values[0].numpy(), expected, atol=1e-12)


def test_temporal_loss_is_the_plain_one():
    metric = small_metric()
    x, y = similar_clips(1)
    a, b = ([m.numpy() for m in metric.feature_maps(v[0])] for v in (x, y))
    weights = [tuple(p.numpy() for p in head.parameters()) for head in metric.heads]
    assert float(temporal_part(metric, x, y)) == pytest.approx(plain.temporal(a, b, weights), rel=1e-5)


def test_without_daas_every_moving_region_has_weight_one():
    metric = small_metric()
    x, y = similar_clips(2)
    uniform = replace(TEMPORAL, daas="off")
    assert temporal_part(metric, x, y, uniform) != pytest.approx(float(temporal_part(metric, x, y)), rel=1e-4)


def test_temporal_weight_grows_with_the_movement():
    x = torch.randn(1, 2, 50, 4)
    movement = measure_movement(x, x)
    weight = temporal_weight(movement)
    order = movement.size[0, 0].argsort()
    assert (weight[0, 0][order].diff() >= 0).all()


def test_the_same_words_have_a_lower_temporal_loss_than_other_words():
    metric = small_metric()
    x, y = similar_clips(3, frames=4)
    assert temporal_part(metric, x, y) < temporal_part(metric, x, y[:, [1, 0, 3, 2]])


def test_the_temporal_score_of_a_clip_with_itself_is_close_to_one():
    metric = small_metric()
    x, y = similar_clips(4, batch=2)
    score = metric(x, x, samples=None, temporal=True)
    assert score.shape == (2,)
    assert (score > 0.95).all()
    assert (metric(x, y, samples=None, temporal=True) < score).all()


def test_a_source_that_stands_still_has_no_temporal_loss():
    metric = small_metric()
    x, y = similar_clips(5)
    still = x[:, :1].expand_as(x)
    assert float(temporal_part(metric, still, y)) == pytest.approx(0, abs=1e-9)


def test_a_generated_clip_that_stands_still_has_a_bounded_gradient():
    metric = small_metric()
    x, _ = similar_clips(6)
    still = x[:, :1].repeat(1, 3, 1, 1, 1).requires_grad_()
    asccl_loss(metric, x, still, TEMPORAL).backward()
    assert still.grad.abs().max() < 100


def test_temporal_gradients_are_those_of_finite_differences():
    metric = small_metric()
    x, y = similar_clips(7)
    y.requires_grad_()
    loss = asccl_loss(metric, x, y, TEMPORAL)
    (gradient,) = torch.autograd.grad(loss, y)
    step = 1e-6 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        change = asccl_loss(metric, x, y + step, TEMPORAL) - asccl_loss(metric, x, y - step, TEMPORAL)
    assert float(change / 2) == pytest.approx(float((gradient * step).sum()), rel=1e-3)


def test_what_is_not_valid_does_not_change_the_temporal_loss():
    metric = small_metric(heads="identity")
    features = torch.randn(1, 2, 4, 2, 2, dtype=torch.float64)
    region = torch.tensor([0, 3])
    changed = features.clone()
    changed[..., 0, 1] = 9
    assert torch.equal(temporal_disparity(features, region), temporal_disparity(changed, region))
    x, y = similar_clips(8)
    valid = torch.ones(1, 3, 1, 32, 32, dtype=torch.bool)
    valid[..., :16, :] = False
    assert temporal_part(metric, x, y, valid=valid) != pytest.approx(float(temporal_part(metric, x, y)), rel=1e-4)


def test_images_are_refused_where_clips_are_needed():
    x, y = similar_clips(9)
    with pytest.raises(ValueError, match=r"expected clips \(B, T, 3, H, W\) with T of 2 or more, got \(3, 3, 32, 32\)"):
        ASCCLLoss(small_metric(), TEMPORAL)(x[0], y[0])


def test_the_module_is_the_function():
    metric = small_metric()
    x, y = similar_clips(10)
    assert ASCCLLoss(metric, TEMPORAL)(x, y) == asccl_loss(metric, x, y, TEMPORAL)

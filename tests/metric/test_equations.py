"""Eq. 1, 3, 4, 6 and 7 against a plain reference in float64, and the properties that the paper claims for them."""

import numpy as np
import pytest
import torch

from asccl.metric.contrast import masked_mean
from asccl.metric.daas import daas_weight
from asccl.metric.loss import asccl_loss, asccl_region_losses
from asccl.metric.loss_settings import LossSettings
from asccl.metric.neighbours import sample_regions
from asccl.metric.scc import DisparityMapping, _fast_visual_disparity, cosine_similarity, visual_disparity
from asccl.metric.sccl import contrastive_loss, sccl_loss
from asccl.metric.variants import merge_regions
from tests.metric import plain
from tests.metric.small import similar_images, small_metric

ALL_REGIONS = LossSettings(samples=None)


def head_weights(metric) -> list:
    return [tuple(p.numpy() for p in head.parameters()) for head in metric.heads]


@pytest.mark.parametrize("heads", ["random", "identity"])
def test_disparity_and_similarity_are_equations_3_and_1(heads):
    metric = small_metric(heads=heads)
    x, y = similar_images(0, batch=1)
    a, b = metric.feature_maps(x), metric.feature_maps(y)
    pairs = metric.sample_pairs(a, None)
    for n, (s, g) in enumerate(zip(metric.disparities(a, pairs), metric.disparities(b, pairs), strict=True)):
        maps = [m[n][0].detach().numpy() for m in (a, b)]
        w = head_weights(metric)[n] if heads == "random" else None
        for region in range(s.size[0] * s.size[1]):
            source, generated = (plain.disparities(m, *divmod(region, s.size[1]), w) for m in maps)
            for j in range(8):
                assert (source[j] is not None) == bool(s.pairs.inside[region, j])
                if source[j] is None:
                    continue
                np.testing.assert_allclose(s.values[0, region, j].numpy(), source[j], atol=1e-12)
                cosine = float(cosine_similarity(s.values, g.values)[0, region, j])
                assert cosine == pytest.approx(plain.cosine(source[j], generated[j]), abs=1e-4)


def test_the_fast_path_of_the_first_layer_is_equation_3():
    features = torch.randn(2, 16, 5, 7, dtype=torch.float64)
    head, pairs = DisparityMapping(16).double(), sample_regions(5, 7, None)
    expected = visual_disparity(features, pairs, head)
    torch.testing.assert_close(_fast_visual_disparity(features, pairs, head), expected, rtol=1e-12, atol=1e-12)


def test_weight_is_equation_6():
    d = torch.randn(3, 5, 8, 6, dtype=torch.float64) * torch.tensor([0.1, 1.0, 10.0]).view(3, 1, 1, 1)
    expected = [plain.weight(v.numpy(), 2, 2) for v in d.view(-1, 6)]
    np.testing.assert_allclose(daas_weight(d).flatten().numpy(), expected, rtol=1e-12)
    expected = [plain.weight(v.numpy(), 3, 1.5) for v in d.view(-1, 6)]
    np.testing.assert_allclose(daas_weight(d, 3, 1.5).flatten().numpy(), expected, rtol=1e-12)
    assert daas_weight(d).min() >= 0.5
    assert daas_weight(d).max() <= 2


def test_weight_is_a_constant():
    d = torch.randn(2, 3, 8, 4, requires_grad=True)
    assert not daas_weight(d).requires_grad


@pytest.mark.parametrize("daas", ["paper", "off"])
def test_loss_is_equation_7(daas):
    metric = small_metric()
    x, y = similar_images(1, batch=2)
    settings = LossSettings(samples=None, daas=daas)
    a, b = ([m.numpy() for m in metric.feature_maps(v)] for v in (x, y))
    expected = []
    for n in range(4):  # the mean runs over the pairs of the whole batch; all images have the same number
        w = [head_weights(metric)[n]]
        expected.append(np.mean([plain.asccl([a[n][i]], [b[n][i]], w, daas=daas == "paper") for i in range(2)]))
    assert float(asccl_loss(metric, x, y, settings)) == pytest.approx(sum(expected), rel=1e-5)


def test_both_directions_are_their_mean_and_source_is_the_other_one():
    metric = small_metric()
    x, y = similar_images(2)
    plain_settings = {"samples": None, "daas": "off"}
    queries = ("generated", "source", "both")
    ways = [float(asccl_loss(metric, x, y, LossSettings(query=q, **plain_settings))) for q in queries]
    swapped = float(asccl_loss(metric, y, x, LossSettings(query="source", **plain_settings)))
    assert ways[2] == pytest.approx((ways[0] + ways[1]) / 2)
    assert ways[0] == pytest.approx(swapped)
    assert ways[0] != pytest.approx(ways[1], rel=1e-6)
    assert float(sccl_loss(metric, x, y, LossSettings(query="both", samples=None))) == pytest.approx(ways[2])


def test_all_negatives_are_every_other_sampled_pair():
    rng = np.random.default_rng(3)
    query, key = rng.normal(size=(2, 5, 8, 6))
    valid = torch.ones(1, 5, 8, dtype=torch.bool)
    losses = contrastive_loss(*merge_regions(torch.tensor(query)[None], torch.tensor(key)[None], valid))
    keys = list(key.reshape(40, 6))
    expected = [plain.contrast(q, keys, n, 0.07) for n, q in enumerate(query.reshape(40, 6))]
    np.testing.assert_allclose(losses.flatten().numpy(), expected, rtol=1e-4)


def test_too_many_negatives_are_refused():
    metric = small_metric()
    x, _ = similar_images(0, size=96)
    with pytest.raises(ValueError, match="set samples"):
        asccl_loss(metric, x, x, LossSettings(samples=None, negatives="all"))


def test_shuffling_the_weights_over_regions_changes_the_loss():
    """In the authors' code it does not: they multiply after the mean."""
    metric = small_metric()
    x, y = similar_images(4)
    part = asccl_region_losses(metric, x, y, ALL_REGIONS)[0]
    shuffled = part.weight[:, torch.randperm(part.weight.shape[1], generator=torch.Generator().manual_seed(0))]
    assert abs(float(masked_mean(shuffled * part.contrast, part.valid) / part.mean) - 1) > 1e-5


def test_the_authors_weight_is_one_number_for_a_map():
    metric = small_metric()
    x, y = similar_images(4)
    theirs = asccl_region_losses(metric, x, y, LossSettings(samples=None, daas="authors"))[0]
    assert len(theirs.weight.unique()) == 1


def test_identical_images_have_a_lower_loss_than_any_shifted_pair():
    metric = small_metric()
    x, _ = similar_images(5, batch=1, size=64)
    same = float(asccl_loss(metric, x, x, ALL_REGIONS))
    for shift in (1, 2, 5, 16):
        for axis in (2, 3):
            for moved in (x.roll(shift, axis), x.roll(-shift, axis)):
                assert float(asccl_loss(metric, x, moved, ALL_REGIONS)) > same
                assert metric(x, moved).item() < metric(x, x).item()
    assert metric(x, x).item() == pytest.approx(1, abs=1e-4)


def test_a_pair_beyond_the_border_is_no_candidate():
    """A corner region has three neighbours: eight rows of three candidates, five rows that do not count."""
    features = torch.randn(1, 6, 2, 2, dtype=torch.float64)
    pairs = sample_regions(2, 2, None)
    disparity = visual_disparity(features, pairs)
    valid = pairs.inside[None]
    losses = contrastive_loss(disparity, disparity, valid)
    assert torch.isfinite(losses[valid]).all()
    junk = torch.where(valid[..., None], disparity, 1e3)
    assert torch.allclose(contrastive_loss(disparity, junk, valid)[valid], losses[valid])


def test_regions_and_map_mean_agree():
    metric = small_metric()
    part = asccl_region_losses(metric, *similar_images(6), ALL_REGIONS)[1]
    count = part.valid.sum(-1)
    assert float((part.per_region() * count).sum() / count.sum()) == pytest.approx(float(part.mean))

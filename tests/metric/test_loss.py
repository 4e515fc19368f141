"""Gradients, freezing, refused arguments and the settings of real trainings."""

import copy

import pytest
import torch

from asccl.metric.loss import ASCCLLoss, asccl_loss, asccl_region_losses
from asccl.metric.loss_settings import LossSettings
from asccl.metric.scc import SCCMetric
from asccl.metric.sccl import sccl_loss
from tests.metric.small import similar_images, small_metric

TWELVE_REGIONS = LossSettings(samples=12)


def test_gradcheck():
    metric = small_metric()
    x, y = similar_images(0, batch=1)
    settings = LossSettings(samples=4, query="both")

    def loss(generated: torch.Tensor) -> torch.Tensor:
        return asccl_loss(metric, x, generated, settings, torch.Generator().manual_seed(0))

    assert torch.autograd.gradcheck(loss, y.requires_grad_(), fast_mode=True)


def test_gradients_reach_the_generated_image_and_nothing_else():
    loss = ASCCLLoss(small_metric())
    x, y = (v.requires_grad_() for v in similar_images(1))
    loss(x, y).backward()
    assert x.grad is None
    assert y.grad.abs().sum() > 0
    assert torch.isfinite(y.grad).all()
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_the_name_of_a_metric_is_not_a_metric():
    with pytest.raises(TypeError, match=r"got str: load it by asccl\.load_metric"):
        ASCCLLoss("scc-mobilefacenet")  # type: ignore[arg-type]  # what a newcomer tries


def test_learning_the_metric_sends_gradients_to_it():
    metric = small_metric()
    trainable = copy.deepcopy(metric)
    trainable.frozen = trainable.backbone.frozen = False
    trainable.requires_grad_(True)
    sccl_loss(trainable, *similar_images(2)).backward()
    assert all(p.grad is not None for p in trainable.heads.parameters())


def test_frozen_stays_frozen_whatever_a_parent_does():
    parent = torch.nn.ModuleDict({"loss": ASCCLLoss(small_metric())})
    x, y = similar_images(3)
    before = parent["loss"](x, y)
    parent.train()
    assert not parent["loss"].metric.training
    assert not parent["loss"].metric.backbone.training
    assert torch.equal(parent["loss"](x, y), before)  # batch statistics would differ, and be updated
    assert torch.equal(parent["loss"](x, y), before)


def test_the_generator_decides():
    metric = small_metric()
    x, y = similar_images(4, size=64)
    a, b, c = (asccl_loss(metric, x, y, TWELVE_REGIONS, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(asccl_loss(metric, x, y, TWELVE_REGIONS), asccl_loss(metric, x, y, TWELVE_REGIONS))


def test_pixels_that_show_nothing_do_not_count():
    metric = small_metric()
    x, y = similar_images(5, size=64)
    valid = torch.ones(2, 1, 64, 64, dtype=torch.bool)
    valid[:, :, :, 48:] = False
    complete = asccl_region_losses(metric, x, y, LossSettings(samples=None), valid=torch.ones_like(valid))
    masked = asccl_region_losses(metric, x, y, LossSettings(samples=None), valid=valid)
    for part, reference in zip(masked, complete, strict=True):
        columns, first_invalid = part.pairs.region % part.size[1], part.size[1] * 3 // 4
        assert not part.valid[:, columns >= first_invalid].any()
        unaffected = columns < first_invalid - 1
        assert torch.equal(part.valid[:, unaffected], reference.valid[:, unaffected])


def test_without_valid_pixels_the_loss_is_zero():
    metric = small_metric()
    x, y = similar_images(5, size=64)
    loss = asccl_loss(metric, x, y.requires_grad_(), valid=torch.zeros(2, 1, 64, 64, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0


def test_a_hidden_part_sends_no_nan():
    metric = small_metric()
    x, y = similar_images(6)
    y.requires_grad_()
    valid = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.02
    asccl_loss(metric, x, y, LossSettings(samples=None), valid=valid).backward()
    assert torch.isfinite(y.grad).all()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (torch.zeros(3, 64, 64), r"\(B, 3, H, W\)"),
        (torch.zeros(1, 1, 64, 64), r"\(B, 3, H, W\)"),
        (torch.zeros(1, 3, 60, 64), "multiples of 16"),
        (torch.zeros(1, 3, 16, 64), "at least 32"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), r"\[-1, 1\] as floating point"),
        (torch.full((1, 3, 64, 64), 200.0), "values up to 200: convert by"),
        (torch.full((1, 3, 64, 64), float("nan")), "values that are not finite: has the generator diverged"),
    ],
)
def test_wrong_images_are_refused_in_words(image, expected):
    with pytest.raises(ValueError, match=expected):
        asccl_loss(small_metric().float(), image, image)


@pytest.mark.parametrize("wrong", [{"daas": "on"}, {"negatives": "All"}, {"query": "target"}])
def test_a_misspelt_setting_is_refused(wrong):
    with pytest.raises(ValueError, match="to be one of"):
        LossSettings(**wrong)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="1 or more samples"):
        asccl_loss(small_metric(), *similar_images(0), LossSettings(samples=0))


@pytest.fixture
def idle_metric(monkeypatch) -> SCCMetric:
    """A metric whose backbone must not be used."""
    metric = small_metric()
    monkeypatch.setattr(metric.backbone, "feature_maps", lambda x: pytest.fail("the backbone was used"))
    return metric


@pytest.mark.parametrize("shape", [(2, 1, 64, 64), (3, 1, 32, 32), (2, 3, 32, 32), (2, 32, 32)])
def test_a_mask_of_another_shape_is_refused_before_the_backbone_runs(idle_metric, shape):
    with pytest.raises(ValueError, match=r"expected valid pixels of shape \(2, 1, 32, 32\), got"):
        asccl_loss(idle_metric, *similar_images(0), valid=torch.ones(shape, dtype=torch.bool))


@pytest.mark.parametrize("compute", [asccl_loss, sccl_loss, SCCMetric.forward])
def test_different_batches_are_refused_before_the_backbone_runs(idle_metric, compute):
    with pytest.raises(ValueError, match="two images of one shape"):
        compute(idle_metric, similar_images(0)[0], similar_images(0, batch=3)[0])


def test_rectangular_images_work():
    metric = small_metric()
    x = torch.rand(1, 3, 48, 112, dtype=torch.float64)
    assert torch.isfinite(asccl_loss(metric, x, x.flip(3)))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_autocast_stays_close_to_float32(kind):
    metric = small_metric().float()
    x, y = (v.float() for v in similar_images(7, size=64))
    results = []
    for enabled in (False, True):
        v = y.clone().requires_grad_()
        with torch.autocast("cpu", dtype=kind, enabled=enabled):
            loss = asccl_loss(metric, x, v)
        assert loss.dtype == torch.float32
        loss.backward()
        results.append((loss.item(), v.grad))
    assert results[1][0] == pytest.approx(results[0][0], rel=0.03)
    a, b = (g.flatten() for _, g in results)
    assert torch.cosine_similarity(a, b, 0) > 0.95


def test_it_compiles_into_one_graph():
    loss = ASCCLLoss(small_metric().float())
    x, y = (v.float() for v in similar_images(8))
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    a, b = (y.clone().requires_grad_() for _ in range(2))
    results = compiled(x, a), loss(x, b)
    for result in results:
        result.backward()
    assert torch.allclose(*results, rtol=1e-5)
    assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-7)

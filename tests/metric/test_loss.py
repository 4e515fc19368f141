"""Where gradients go, what stays frozen, what is refused, and the settings of real trainings."""

import copy

import pytest
import torch

from asccl.metric.loss import ASCCLLoss, LossSettings, asccl_loss, asccl_region_losses, sccl_loss
from tests.metric.small import pictures, small_metric

FEW = LossSettings(samples=12)


def test_gradcheck():
    metric = small_metric()
    x, y = pictures(0, batch=1)
    rng = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    assert torch.autograd.gradcheck(
        lambda v: asccl_loss(metric, x, v, LossSettings(samples=4, query="both"), rng()),
        y.requires_grad_(),
        fast_mode=True,
    )


def test_gradients_reach_the_generated_image_and_nothing_else():
    loss = ASCCLLoss(small_metric())
    x, y = (v.requires_grad_() for v in pictures(1))
    loss(x, y).backward()
    assert x.grad is None
    assert y.grad.abs().sum() > 0 and torch.isfinite(y.grad).all()
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_learning_the_metric_sends_gradients_to_it():
    metric = small_metric()
    trainable = copy.deepcopy(metric)
    trainable.frozen = trainable.backbone.frozen = False
    trainable.requires_grad_(True)
    sccl_loss(trainable, *pictures(2)).backward()
    assert all(p.grad is not None for p in trainable.heads.parameters())


def test_frozen_stays_frozen_whatever_a_parent_does():
    parent = torch.nn.ModuleDict({"loss": ASCCLLoss(small_metric())})
    x, y = pictures(3)
    before = parent["loss"](x, y)
    parent.train()
    assert not parent["loss"].metric.training and not parent["loss"].metric.backbone.training
    assert torch.equal(parent["loss"](x, y), before)  # batch statistics would differ, and be updated
    assert torch.equal(parent["loss"](x, y), before)


def test_the_generator_decides():
    metric = small_metric()
    x, y = pictures(4, size=64)
    a, b, c = (asccl_loss(metric, x, y, FEW, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(asccl_loss(metric, x, y, FEW), asccl_loss(metric, x, y, FEW))


def test_pixels_that_show_nothing_do_not_count():
    metric = small_metric()
    x, y = pictures(5, size=64)
    valid = torch.ones(2, 1, 64, 64, dtype=torch.bool)
    valid[:, :, :, 48:] = False
    whole = asccl_region_losses(metric, x, y, LossSettings(samples=None), valid=torch.ones_like(valid))
    parts = asccl_region_losses(metric, x, y, LossSettings(samples=None), valid=valid)
    for part, all_of_it in zip(parts, whole, strict=True):
        columns = part.pairs.region % part.size[1]
        assert not part.valid[:, columns >= part.size[1] * 3 // 4].any()
        assert part.valid[:, columns < part.size[1] * 3 // 4 - 1].sum() == all_of_it.valid[
            :, columns < part.size[1] * 3 // 4 - 1].sum()  # fmt: skip
    nothing = asccl_loss(metric, x, y.clone().requires_grad_(), valid=torch.zeros_like(valid))
    nothing.backward()
    assert nothing.item() == 0


def test_a_hidden_part_sends_no_nan():
    metric = small_metric()
    x, y = pictures(6)
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
        (torch.zeros(1, 3, 16, 64), "from 32 on"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), r"\[-1, 1\] as floating point"),
        (torch.full((1, 3, 64, 64), 200.0), "values up to 200: convert by"),
        (torch.full((1, 3, 64, 64), float("nan")), "values up to nan"),
    ],
)
def test_wrong_images_are_refused_in_words(image, expected):
    with pytest.raises(ValueError, match=expected):
        asccl_loss(small_metric().float(), image, image)


@pytest.mark.parametrize("wrong", [{"daas": "on"}, {"negatives": "All"}, {"query": "target"}])
def test_a_misspelt_setting_is_refused(wrong):
    with pytest.raises(ValueError, match="to be one of"):
        LossSettings(**wrong)


def test_no_samples_and_a_mask_of_another_size_are_refused():
    metric, (x, y) = small_metric(), pictures(0)
    with pytest.raises(ValueError, match="1 or more samples"):
        asccl_loss(metric, x, y, LossSettings(samples=0))
    with pytest.raises(ValueError, match="expected valid pixels for"):
        asccl_loss(metric, x, y, valid=torch.ones(2, 1, 64, 64, dtype=torch.bool))


def test_different_batches_are_refused():
    metric = small_metric()
    with pytest.raises(ValueError, match="alike"):
        asccl_loss(metric, pictures(0)[0], pictures(0, batch=3)[0])


def test_rectangles_and_large_pictures_work():
    metric = small_metric()
    x = torch.rand(1, 3, 48, 112, dtype=torch.float64)
    assert torch.isfinite(asccl_loss(metric, x, x.flip(3)))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_autocast_stays_close_to_float32(kind):
    metric = small_metric().float()
    x, y = (v.float() for v in pictures(7, size=64))
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
    x, y = (v.float() for v in pictures(8))
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    a, b = (y.clone().requires_grad_() for _ in range(2))
    whole, plain = compiled(x, a), loss(x, b)
    whole.backward(), plain.backward()
    assert torch.allclose(whole, plain, rtol=1e-5)
    assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-7)

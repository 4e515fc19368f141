import math

import pytest
import torch

from asccl.nets.ned_renderer import NedDiscriminator, RendererSizes
from training import losses

JAW = 17


def test_least_squares_want_one_for_real_and_zero_for_generated():
    ones, zeros = torch.ones(4), torch.zeros(4)
    assert losses.lsgan_real(ones) == 0
    assert losses.lsgan_real(zeros) == 1
    assert losses.lsgan_fake(zeros) == 0
    assert losses.lsgan_fake(2 * ones) == 4


def test_mouth_correlation_ignores_scale_and_level():
    jaw = torch.rand(5, 10, generator=torch.Generator().manual_seed(0))
    assert losses.mouth_correlation(0.5 * jaw + 0.2, jaw).item() == pytest.approx(0, abs=1e-5)
    assert losses.mouth_correlation(1 - jaw, jaw).item() == pytest.approx(2, abs=1e-5)


def test_mouth_correlation_ignores_jaws_that_are_still():
    jaw = torch.rand(5, 10, generator=torch.Generator().manual_seed(0))
    jaw[1:] = 0.3
    assert losses.mouth_correlation(-jaw, jaw).item() == pytest.approx(2, abs=1e-5)
    assert losses.mouth_correlation(jaw[1:], jaw[1:]).item() == 0


def test_mouth_back_does_not_move_the_generated_sequence():
    generated = torch.rand(2, 10, 52, requires_grad=True)
    cycled = (torch.rand(2, 10, 52) + 0).requires_grad_()
    losses.mouth_back(cycled, generated, JAW).backward()
    assert generated.grad is None
    assert cycled.grad[..., JAW].abs().sum() > 0
    assert cycled.grad[..., :JAW].abs().sum() == cycled.grad[..., JAW + 1 :].abs().sum() == 0


def test_mouth_forward_moves_the_generated_sequence():
    generated, source = torch.rand(2, 10, 52, requires_grad=True), torch.rand(2, 10, 52)
    losses.mouth_forward(generated, source, JAW).backward()
    assert generated.grad[..., JAW].abs().sum() > 0


def test_frame_contrast_is_small_for_frames_that_differ():
    x = torch.randn(2, 5, 4, 8, 6, generator=torch.Generator().manual_seed(0))
    assert losses.frame_contrast_loss(x, x, torch.ones(4, 8, dtype=torch.bool)).item() < 0.05


def test_frame_contrast_is_log_k_for_equal_frames():
    frame = torch.randn(2, 1, 4, 8, 6, generator=torch.Generator().manual_seed(0))
    x = frame.expand(-1, 5, -1, -1, -1)
    loss = losses.frame_contrast_loss(x, x, torch.ones(4, 8, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(5), abs=1e-4)


def test_feature_matching_compares_layers_and_not_scores():
    discriminator = NedDiscriminator(RendererSizes(ngf=4, downsamplings=2, blocks=2, ndf=4, layers=2, running=False))
    conditions, a, b = torch.rand(2, 9, 32, 32), torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    features, other = discriminator(conditions, a), discriminator(conditions, b)
    assert losses.feature_matching(features, features) == 0
    other_scores = [[*scale[:-1], scale[-1] + 5] for scale in features]
    assert losses.feature_matching(other_scores, features) == 0
    by_hand = [
        4 * sum((x - y).abs().mean() for x, y in zip(s[:-1], t[:-1], strict=True)) / 3
        for s, t in zip(features, other, strict=True)
    ]
    assert losses.feature_matching(features, other).item() == pytest.approx(sum(by_hand).item() / 2, rel=1e-5)


def test_every_scale_counts_the_same():
    features = [[torch.rand(3), torch.ones(3)], [torch.zeros(2)]]
    assert losses.mean_over_scales(losses.lsgan_real, features) == 0.5


def test_masked_l1_counts_pixels_inside_the_mask_alone():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :] = 1
    generated, real = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    real[..., 2:, :], real[..., 0, :] = 9, 1
    assert losses.masked_l1(mask, generated, real) == 0.5
    assert losses.masked_l1(0 * mask, generated, real) == 0


def test_a_linear_score_has_the_squared_norm_of_its_weights_as_gradient_penalty():
    weights = torch.arange(12.0).view(3, 2, 2)
    images = torch.randn(5, 3, 2, 2, requires_grad=True)
    scores = (images * weights).sum((1, 2, 3))[:, None]
    assert losses.gradient_penalty(scores, images).item() == pytest.approx(weights.square().sum().item())


def test_the_gradient_penalty_has_a_gradient():
    weight = torch.tensor(2.0, requires_grad=True)
    images = torch.randn(5, 3, 2, 2, requires_grad=True)
    losses.gradient_penalty((weight * images).flatten(1), images).backward()
    assert weight.grad.item() == pytest.approx(2 * 2.0 * 12 / 12**2)


def test_the_second_softmax_bounds_the_identity_loss_from_below():
    logits, person = torch.tensor([[50.0, 0.0, 0.0]]), torch.tensor([0])
    assert losses.identity_loss(logits, person).item() == pytest.approx(0, abs=1e-6)
    bound = math.log(math.e + 2) - 1
    assert losses.identity_loss(logits, person, softmax_twice=True).item() == pytest.approx(bound)


def test_the_redrawn_neutral_face_is_a_constant():
    neutral, redrawn = (torch.rand(2, 3, 4, 4, requires_grad=True) for _ in range(2))
    losses.neutral_consistency(neutral, redrawn).backward()
    assert neutral.grad is not None
    assert redrawn.grad is None

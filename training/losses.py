"""Losses that only trainings need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from asccl.metric.contrast import TEMPERATURE
from asccl.metric.scc import normalize
from training.engine.distributed import mean_count

MIN_JAW_MOVEMENT = 0.01  # root mean square of the jaw coefficient around its mean, below which the jaw counts as still

ScaleFeatures = Sequence[Sequence[torch.Tensor]]  # of a multiscale discriminator: per scale its layers, the scores last


def frame_contrast_loss(
    x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor, temperature: float = TEMPERATURE
) -> torch.Tensor:
    """InfoNCE across time (eq. 4 with frames as candidates).

    Of all frames of the other take, the one with the same words has the most similar disparity at the same region. The
    paper's negatives are other neighbours in the same image; they do not distinguish mouth shapes.

    Args:
        x: (takes, K, N, 8, C) mapped disparities of the first takes.
        y: the same of the second takes; frame k of both says the same.
        valid: (N, 8) bool, pairs inside the image.
        temperature: tau.

    Returns:
        Scalar, the mean of both directions; log K where frames do not differ.
    """
    with torch.autocast(x.device.type, enabled=False):
        a, b = (normalize(v[:, :, valid]).transpose(1, 2) for v in (x, y))  # (takes, P, K, C)
        logits = (a @ b.mT / temperature).flatten(0, 1)
    frame = torch.arange(x.shape[1], device=x.device).expand(len(logits), -1)
    return (F.cross_entropy(logits, frame) + F.cross_entropy(logits.mT, frame)) / 2


def lsgan_real(scores: torch.Tensor) -> torch.Tensor:
    """Least-squares GAN loss (Mao et al., 2017) of scores (B,) that should say "real": scalar, 0 where all are 1."""
    return (scores - 1).square().mean()


def lsgan_fake(scores: torch.Tensor) -> torch.Tensor:
    """Least-squares GAN loss of scores (B,) that should say "generated": scalar, 0 where all are 0."""
    return scores.square().mean()


def style_reconstruction(style: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """NED: distance of the style (B, S) encoded from the generated sequence to the style that was asked for."""
    return F.l1_loss(style, target)


def cycle_consistency(cycled: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """NED: distance of the source (B, T, C) to the generated sequence translated back to the source's style."""
    return F.l1_loss(cycled, source)


def mouth_correlation(generated: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """NED: 1 - Pearson correlation over time of the opening of the jaw, (B, T) both -> scalar, the mean.

    Sequences whose jaw is still in the source are left out of the mean, which is over the sequences of all devices.
    """
    a, b = (x - x.mean(1, keepdim=True) for x in (generated, source))
    moves = b.square().mean(1).sqrt() > MIN_JAW_MOVEMENT
    correlation = (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1) + 1e-8).sqrt()
    return ((1 - correlation) * moves).sum() / mean_count(moves.sum()).clamp(min=1)


def mouth_forward(generated: torch.Tensor, source: torch.Tensor, jaw: int) -> torch.Tensor:
    """`mouth_correlation` of the generated sequence with the source.

    Args:
        generated: (B, T, C) coefficients.
        source: (B, T, C) coefficients.
        jaw: index of the coefficient that opens the jaw.
    """
    return mouth_correlation(generated[..., jaw], source[..., jaw])


def mouth_back(cycled: torch.Tensor, generated: torch.Tensor, jaw: int) -> torch.Tensor:
    """`mouth_correlation` of the sequence translated back with the generated one, which is a constant here.

    Args:
        cycled: (B, T, C) coefficients.
        generated: (B, T, C) coefficients.
        jaw: index of the coefficient that opens the jaw.
    """
    return mouth_correlation(cycled[..., jaw], generated.detach()[..., jaw])


def mean_over_scales(loss: Callable[[torch.Tensor], torch.Tensor], features: ScaleFeatures) -> torch.Tensor:
    """Apply a loss of scores to every scale of a multiscale discriminator; return the mean."""
    return torch.stack([loss(scale[-1]) for scale in features]).mean()


def feature_matching(generated: ScaleFeatures, real: ScaleFeatures) -> torch.Tensor:
    """Feature matching (Wang et al., CVPR 2018): L1 distance of a discriminator's features, with `real` constant.

    The mean over each layer, 4 times the mean over the layers before the scores, the mean over the scales.
    """
    distances = [
        torch.stack([F.l1_loss(a, b.detach()) for a, b in zip(x[:-1], y[:-1], strict=True)]).mean()
        for x, y in zip(generated, real, strict=True)
    ]
    return 4 * torch.stack(distances).mean()


def masked_l1(mask: torch.Tensor, generated: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference inside a mask, over the pixels of all devices.

    Args:
        mask: (B, 1, H, W), 1 inside.
        generated: (B, 3, H, W).
        real: (B, 3, H, W).
    """
    return (mask * (generated - real).abs()).sum() / (3 * mean_count(mask.sum())).clamp(min=1)


def perceptual_distance(
    generated: Sequence[torch.Tensor], real: Sequence[torch.Tensor], weights: Sequence[float]
) -> torch.Tensor:
    """Perceptual loss (Johnson et al., ECCV 2016) with L1 distances.

    Args:
        generated: feature maps of the generated image.
        real: feature maps of the real image, a constant here.
        weights: of each map.
    """
    distances = [w * F.l1_loss(a, b.detach()) for w, a, b in zip(weights, generated, real, strict=True)]
    return torch.stack(distances).sum()


def reconstruction(generated: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """ICface: mean absolute difference of images in [-1, 1], (B, 3, H, W) both -> scalar."""
    return F.l1_loss(generated, real)


def attribute_distance(attributes: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
    """ICface: mean absolute difference of the controls that a discriminator reads to the true ones, (B, 20) both."""
    return F.l1_loss(attributes, controls)


def identity_loss(logits: torch.Tensor, person: torch.Tensor, softmax_twice: bool = False) -> torch.Tensor:
    """ICface: cross entropy of the people's logits with the person of the image.

    Args:
        logits: (B, people).
        person: (B,) int64.
        softmax_twice: take the softmax of the logits as logits, as the published code does. This bounds the loss from
            below and weakens its gradient.

    Returns:
        Scalar.
    """
    return F.cross_entropy(logits.softmax(1) if softmax_twice else logits, person)


def neutral_consistency(neutral: torch.Tensor, redrawn: torch.Tensor) -> torch.Tensor:
    """ICface: distance of the neutral face to the same face that is driven by the controls of a neutral face.

    Args:
        neutral: (B, 3, H, W), receives the gradient.
        redrawn: (B, 3, H, W), a constant here.
    """
    return F.l1_loss(neutral, redrawn.detach())


def gradient_penalty(scores: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    r"""R1 (Mescheder et al., ICML 2018): squared gradient of the scores of real images, summed over an image's pixels.

    .. math:: R_1 = \mathbb{E}_x \lVert \nabla_x D(x) \rVert^2

    Args:
        scores: (B, ...) of the images, from a graph that contains them.
        images: (B, 3, H, W) with requires_grad.

    Returns:
        Scalar, the mean over the images, whose gradient reaches the discriminator.
    """
    per_image = scores.flatten(1).mean(1).sum()
    (gradient,) = torch.autograd.grad(per_image, images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()

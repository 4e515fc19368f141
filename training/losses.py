"""Losses that only a training needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from asccl.metric.loss import TEMPERATURE
from asccl.metric.scc import normalize
from training.engine.distributed import mean_count

RESTING_JAW = 0.01  # root mean square of its movement, below which it counts as still


def frames_contrast(
    x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor, temperature: float = TEMPERATURE
) -> torch.Tensor:
    """Eq. 4 across time: of all frames of the other take, the one with the same words has the most similar disparity
    at the same place. The paper's negatives are other neighbours in the same picture; they do not tell mouth shapes
    apart.

    x, y: (takes, K, N, 8, C) mapped disparities, frame k of both saying the same. valid: (N, 8) bool. Returns a scalar,
    the mean of both directions; log K where frames do not differ.
    """
    with torch.autocast(x.device.type, enabled=False):
        a, b = (normalize(v[:, :, valid]).transpose(1, 2) for v in (x, y))  # (takes, P, K, C)
        logits = (a @ b.mT / temperature).flatten(0, 1)
    same = torch.arange(x.shape[1], device=x.device).expand(len(logits), -1)
    return (F.cross_entropy(logits, same) + F.cross_entropy(logits.mT, same)) / 2


def lsgan_real(score: torch.Tensor) -> torch.Tensor:
    """Least-squares GAN (Mao et al., 2017): scores (B,) of what should pass for real -> scalar, 0 where all are 1."""
    return (score - 1).square().mean()


def lsgan_fake(score: torch.Tensor) -> torch.Tensor:
    """Scores (B,) of what was made -> scalar, 0 where all are 0."""
    return score.square().mean()


def style_reconstruction(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """NED: the style (B, S) read from what was made is the one that was asked for."""
    return F.l1_loss(found, wanted)


def cycle_consistency(returned: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """NED: with the source's own style again, what was made is the source (B, T, C)."""
    return F.l1_loss(returned, source)


def mouth_correlation(made: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """NED: 1 - Pearson correlation over time of the jaw's opening, (B, T) both -> scalar, the mean.

    A jaw that rests says nothing: its sequence is left out of the mean, which is over the sequences of all devices.
    """
    a, b = (x - x.mean(1, keepdim=True) for x in (made, source))
    moves = b.square().mean(1).sqrt() > RESTING_JAW
    correlation = (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1) + 1e-8).sqrt()
    return ((1 - correlation) * moves).sum() / mean_count(moves.sum()).clamp(min=1)


def mouth_forward(made: torch.Tensor, source: torch.Tensor, jaw: int) -> torch.Tensor:
    """Coefficients (B, T, C): from the source to what was made of it. jaw: the coefficient of its opening."""
    return mouth_correlation(made[..., jaw], source[..., jaw])


def mouth_back(returned: torch.Tensor, made: torch.Tensor, jaw: int) -> torch.Tensor:
    """Coefficients (B, T, C): from what was made to what came back by the cycle."""
    return mouth_correlation(returned[..., jaw], made.detach()[..., jaw])


def on_scales(loss: Callable[[torch.Tensor], torch.Tensor], told: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """A loss of scores, the mean over the scales of a multiscale discriminator. told: what it said of pictures."""
    return torch.stack([loss(scale[-1]) for scale in told]).mean()


def feature_matching(made: Sequence[Sequence[torch.Tensor]], real: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """Wang et al. (CVPR 2018): a discriminator's layers say the same of what was made and of the real picture.

    made, real: what it said, per scale and layer, the scores last; `real` is a constant. Absolute differences: their
    mean over each layer, 4 times the mean over the layers before the scores, the mean over the scales.
    """
    apart = [
        torch.stack([F.l1_loss(a, b.detach()) for a, b in zip(x[:-1], y[:-1], strict=True)]).mean()
        for x, y in zip(made, real, strict=True)
    ]
    return 4 * torch.stack(apart).mean()


def inside(mask: torch.Tensor, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of pictures (B, 3, H, W) where the mask (B, 1, H, W) is 1 -> scalar."""
    return (mask * (made - real).abs()).sum() / (3 * mean_count(mask.sum())).clamp(min=1)


def perceptual(made: Sequence[torch.Tensor], real: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """Johnson et al. (ECCV 2016), with absolute differences: the maps of a network trained on photographs, of what was
    made and of the real picture, weighted; `real` is a constant."""
    apart = [w * F.l1_loss(a, b.detach()) for w, a, b in zip(weights, made, real, strict=True)]
    return torch.stack(apart).sum()

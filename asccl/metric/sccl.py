"""The contrast of visual disparities (eq. 4) and the SCCL loss that trains the metric (eq. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from asccl.metric.contrast import TEMPERATURE, info_nce, masked_mean
from asccl.metric.loss_settings import LossSettings
from asccl.metric.scc import Disparities, SCCMetric, check_same_shape, normalize
from asccl.metric.variants import merge_regions


def contrastive_loss(
    query: torch.Tensor, key: torch.Tensor, valid: torch.Tensor, temperature: float = TEMPERATURE
) -> torch.Tensor:
    r"""Compute InfoNCE over the neighbours of each region (eq. 4).

    .. math:: \ell^{l, i \to j}_{xy} = -\log \frac{\exp(x_{i \to j} \cdot y_{i \to j} / \tau)}
        {\sum_k \exp(x_{i \to j} \cdot y_{i \to k} / \tau)}

    Disparities are scaled to length 1 before the product. The paper prints no minus log, and the exponential of a sum;
    its text says that the loss is minimized.

    Args:
        query: disparities of one image, (B, N, 8, C).
        key: disparities of the other image, (B, N, 8, C).
        valid: pairs that count, (B, N, 8) bool; the others are no candidates.
        temperature: tau.

    Returns:
        Loss of each pair, (B, N, 8). Entries where `valid` is False are undefined.
    """
    with torch.autocast(query.device.type, enabled=False):  # a cosine divided by 0.07 needs float32
        return info_nce(normalize(query) @ normalize(key).mT / temperature, valid)


def directional_contrast(
    source: torch.Tensor, generated: torch.Tensor, valid: torch.Tensor, settings: LossSettings
) -> torch.Tensor:
    """Contrast each pair by eq. 4 in the direction and with the negatives that the settings name.

    Args:
        source: disparities of the source image, (B, N, 8, C).
        generated: disparities of the generated image, (B, N, 8, C).
        valid: pairs that count, (B, N, 8) bool.
        settings: see `LossSettings`.

    Returns:
        Loss of each pair, (B, N, 8).
    """
    shape = valid.shape
    if settings.negatives == "all":
        source, generated, valid = merge_regions(source, generated, valid)
    losses = []
    if settings.query in ("generated", "both"):
        losses.append(contrastive_loss(generated, source, valid, settings.temperature))
    if settings.query in ("source", "both"):
        losses.append(contrastive_loss(source, generated, valid, settings.temperature))
    return (losses[0] if len(losses) == 1 else (losses[0] + losses[1]) / 2).view(shape)


def sccl_loss(
    metric: SCCMetric,
    x: torch.Tensor,
    y: torch.Tensor,
    settings: LossSettings = LossSettings(query="both"),
    rng: torch.Generator | None = None,
) -> torch.Tensor:
    r"""Compute the loss that trains the metric (eq. 5).

    .. math:: \mathcal{L}_{sccl} = \sum_l \sum_{i,j} \sum_{x,y} \ell^{l, i \to j}_{xy}

    The sum over pairs and images is taken as a mean, so that all maps have the same weight. Gradients reach the metric,
    unless it is frozen, and both images.

    Args:
        metric: the metric to train.
        x: (B, 3, H, W) RGB in [-1, 1], aligned with `y`.
        y: (B, 3, H, W) RGB in [-1, 1]: the same person says the same words with another emotion.
        settings: `daas`, `lambda_` and `power` are not used.
        rng: see `SCCMetric.sample_pairs`.

    Returns:
        A scalar.

    Raises:
        ValueError: an image has another shape, type or range.
    """
    check_same_shape(x, y)
    x_maps, y_maps = metric.feature_maps(x), metric.feature_maps(y)
    pairs = metric.sample_pairs(x_maps, settings.samples, rng)
    return sccl_from_disparities(metric.disparities(x_maps, pairs), metric.disparities(y_maps, pairs), settings)


def sccl_from_disparities(x: Sequence[Disparities], y: Sequence[Disparities], settings: LossSettings) -> torch.Tensor:
    """Compute eq. 5 from the disparities of both images.

    Args:
        x: disparities of one image, one entry for each map.
        y: disparities of the same pairs in the other image.
        settings: see `sccl_loss`.

    Returns:
        A scalar.
    """
    means = []
    for a, b in zip(x, y, strict=True):
        valid = a.pairs.inside.expand(len(a.values), -1, -1)
        means.append(masked_mean(directional_contrast(a.values, b.values, valid, settings), valid))
    return torch.stack(means).sum()

"""Contrast of visual disparities (eq. 4), the SCCL loss that trains the metric (eq. 5) and the ASCCL loss (eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import nn

from asccl.metric.daas import LAMBDA, POWER, daas_weight
from asccl.metric.neighbours import NeighbourPairs, valid_pairs
from asccl.metric.scc import (
    MAX_REGIONS,
    Disparities,
    Samples,
    SCCMetric,
    check_same_shape,
    normalize,
    visual_disparity,
)
from asccl.metric.variants import authors_daas_weight, merge_regions

TEMPERATURE = 0.07  # tau of eq. 4
Negatives = Literal["neighbours", "all"]
Query = Literal["generated", "source", "both"]
Daas = Literal["paper", "off", "authors"]
CHOICES = {"negatives": get_args(Negatives), "query": get_args(Query), "daas": get_args(Daas)}


@dataclass(frozen=True)
class LossSettings:
    """Settings of the losses.

    Attributes:
        temperature: tau of eq. 4.
        negatives: pairs that a pair is contrasted with in eq. 4. "neighbours" are the other neighbours of the same
            region (the paper); "all" is every other sampled pair of the image (the authors' code), which needs a small
            `samples`.
        query: the image whose disparity is compared with the candidates of the other image. "generated" is the authors'
            choice; "both" is the mean of the two directions.
        daas: "paper" for a weight per pair (eq. 6), "off" for weight 1, "authors" for the authors' one weight per map.
        lambda_: factor lambda of the weight, eq. 6.
        power: exponent r of the sigmoid, eq. 6.
        samples: number of regions of each map, see `SCCMetric.sample_pairs`.
    """

    temperature: float = TEMPERATURE
    negatives: Negatives = "neighbours"
    query: Query = "generated"
    daas: Daas = "paper"
    lambda_: float = LAMBDA
    power: float = POWER
    samples: Samples = MAX_REGIONS

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"expected {name} to be one of {', '.join(choices)}, got {getattr(self, name)!r}")


class RegionLoss(NamedTuple):
    """The loss on one feature map with N regions of 8 neighbours each.

    Attributes:
        weight: DAAS weight of each pair (eq. 6), (B, N, 8).
        contrast: contrast of each pair (eq. 4), (B, N, 8).
        mean: mean of weight times contrast over the valid pairs of the batch (eq. 7), a scalar.
        valid: pairs that count, (B, N, 8) bool.
        pairs: the regions and their neighbours.
        size: (height, width) of the map.
    """

    weight: torch.Tensor
    contrast: torch.Tensor
    mean: torch.Tensor
    valid: torch.Tensor
    pairs: NeighbourPairs
    size: tuple[int, int]

    def per_region(self) -> torch.Tensor:
        """Average over the valid pairs of each region: (B, N), 0 for a region without a valid pair."""
        count = self.valid.sum(-1)
        return torch.where(self.valid, self.weight * self.contrast, 0).sum(-1) / count.clamp(min=1)


def masked_mean(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Average the entries of `values` where `valid`; 0 where there is none."""
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


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
        logits = normalize(query) @ normalize(key).mT / temperature
        positive = logits.diagonal(dim1=-2, dim2=-1)
        logits = torch.where(valid[..., None, :], logits, float("-inf"))
        total = torch.logsumexp(torch.where(valid.any(-1)[..., None, None], logits, 0), -1)
        return total - positive


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
        means.append(masked_mean(_directional_contrast(a.values, b.values, valid, settings), valid))
    return torch.stack(means).sum()


def asccl_loss(
    metric: SCCMetric,
    source: torch.Tensor,
    generated: torch.Tensor,
    settings: LossSettings = LossSettings(),
    rng: torch.Generator | None = None,
    valid: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Compute the loss that preserves speech while a generator changes the emotion (eq. 7).

    .. math:: \mathcal{L}_{asccl} = \sum_l \sum_{i,j} \sum_{x,y} w^l_{ij} \cdot \ell^{l, i \to j}_{xy}

    The sum over pairs and images is taken as a mean, so that all maps have the same weight. Gradients reach `generated`
    and, unless it is frozen, the metric; never `source`.

    Args:
        metric: from `asccl.load_metric`.
        source: x, (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 32: face crops.
        generated: y, the same shape and range; faces in the same pose as in `source` (see `asccl.metric.align`).
        settings: see `LossSettings`.
        rng: draws the regions of maps with more than `settings.samples`; see `sample_regions`.
        valid: (B, 1, H, W) bool, False for pixels without content, such as the border of a warped image.

    Returns:
        A scalar.

    Raises:
        ValueError: an image or `valid` has another shape, type or range.
    """
    losses = asccl_region_losses(metric, source, generated, settings, rng, valid)
    return torch.stack([loss.mean for loss in losses]).sum()


def asccl_region_losses(
    metric: SCCMetric,
    source: torch.Tensor,
    generated: torch.Tensor,
    settings: LossSettings = LossSettings(),
    rng: torch.Generator | None = None,
    valid: torch.Tensor | None = None,
    pairs: Sequence[NeighbourPairs] | None = None,
) -> list[RegionLoss]:
    """Compute the terms of `asccl_loss` for each feature map.

    Args:
        metric: computes the feature maps and their disparities.
        source: source image, (B, 3, H, W) RGB in [-1, 1].
        generated: generated image, aligned with `source`, (B, 3, H, W) RGB in [-1, 1].
        settings: negatives, query, DAAS and number of sampled regions.
        rng: random numbers that choose the regions of large maps.
        valid: pixels with content, (B, 1, H, W) bool; None for all.
        pairs: regions of each map, in place of those that `settings.samples` and `rng` choose.

    Returns:
        One entry for each map; the loss is the sum of their means.

    Raises:
        ValueError: an image or `valid` has another shape, type or range.
    """
    check_same_shape(source, generated)
    if valid is not None and (valid.shape[1:] != (1, *source.shape[2:]) or len(valid) not in (1, len(source))):
        expected = (len(source), 1, *source.shape[2:])
        raise ValueError(f"expected valid pixels of shape {expected}, got {tuple(valid.shape)}")
    with torch.no_grad():  # the source is a constant
        source_maps = metric.feature_maps(source)
        pairs = pairs or metric.sample_pairs(source_maps, settings.samples, rng)
        source_disparities = metric.disparities(source_maps, pairs)
    generated_maps = metric.feature_maps(generated)
    generated_disparities = metric.disparities(generated_maps, pairs)

    losses = []
    for x, y, features in zip(source_disparities, generated_disparities, generated_maps, strict=True):
        counted = x.pairs.inside.expand(len(source), -1, -1)
        if valid is not None:
            counted = counted & valid_pairs(valid, x.pairs, x.size)
        weight = _weight(x, features, settings)  # eq. 6
        contrast = _directional_contrast(x.values, y.values, counted, settings)  # eq. 4
        mean = masked_mean(weight * contrast, counted)  # eq. 7
        losses.append(RegionLoss(weight, contrast, mean, counted, x.pairs, x.size))
    return losses


def _weight(source: Disparities, generated_features: torch.Tensor, settings: LossSettings) -> torch.Tensor:
    """Weigh each pair, (B, N, 8), by eq. 6 unless the settings name a variant."""
    if settings.daas == "paper":
        return daas_weight(source.values, settings.lambda_, settings.power)
    ones = torch.ones_like(source.values[..., 0])
    if settings.daas == "authors":
        return authors_daas_weight(visual_disparity(generated_features, source.pairs)).expand(ones.shape)
    return ones


def _directional_contrast(
    source: torch.Tensor, generated: torch.Tensor, valid: torch.Tensor, settings: LossSettings
) -> torch.Tensor:
    """Contrast each pair, (B, N, 8), by eq. 4 in the direction and with the negatives that the settings name."""
    shape = valid.shape
    if settings.negatives == "all":
        source, generated, valid = merge_regions(source, generated, valid)
    losses = []
    if settings.query in ("generated", "both"):
        losses.append(contrastive_loss(generated, source, valid, settings.temperature))
    if settings.query in ("source", "both"):
        losses.append(contrastive_loss(source, generated, valid, settings.temperature))
    return (losses[0] if len(losses) == 1 else (losses[0] + losses[1]) / 2).view(shape)


class ASCCLLoss(nn.Module):
    """`asccl_loss` as a module that freezes its metric: it has nothing to train, and `.train()` changes nothing.

    Args:
        metric: from `asccl.load_metric`; it is frozen in place.
        settings: see `LossSettings`.
    """

    def __init__(self, metric: SCCMetric, settings: LossSettings = LossSettings()):
        super().__init__()
        self.metric = metric.freeze()
        self.settings = settings

    def forward(
        self,
        source: torch.Tensor,
        generated: torch.Tensor,
        rng: torch.Generator | None = None,
        valid: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute `asccl_loss`.

        Args:
            source: source image, (B, 3, H, W) RGB in [-1, 1].
            generated: generated image, aligned with `source`, (B, 3, H, W) RGB in [-1, 1].
            rng: random numbers that choose the regions of large maps.
            valid: pixels with content, (B, 1, H, W) bool; None for all.

        Returns:
            A scalar.
        """
        return asccl_loss(self.metric, source, generated, self.settings, rng, valid)

    def region_losses(
        self,
        source: torch.Tensor,
        generated: torch.Tensor,
        rng: torch.Generator | None = None,
        valid: torch.Tensor | None = None,
    ) -> list[RegionLoss]:
        """Compute `asccl_region_losses`.

        Args:
            source: source image, (B, 3, H, W) RGB in [-1, 1].
            generated: generated image, aligned with `source`, (B, 3, H, W) RGB in [-1, 1].
            rng: random numbers that choose the regions of large maps.
            valid: pixels with content, (B, 1, H, W) bool; None for all.

        Returns:
            One entry for each feature map.
        """
        return asccl_region_losses(self.metric, source, generated, self.settings, rng, valid)

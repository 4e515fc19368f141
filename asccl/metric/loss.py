"""The ASCCL loss (eq. 7), of images and of clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from asccl.metric.contrast import masked_mean
from asccl.metric.daas import daas_weight
from asccl.metric.loss_settings import LossSettings
from asccl.metric.neighbours import NeighbourPairs, valid_pairs, valid_regions
from asccl.metric.scc import Disparities, SCCMetric, check_clips, check_same_shape, visual_disparity
from asccl.metric.sccl import directional_contrast
from asccl.metric.temporal import measure_movement, temporal_contrast, temporal_weight
from asccl.metric.variants import authors_daas_weight


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
        source: x, (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 32: face crops. With
            `settings.temporal` clips, (B, T, 3, H, W) with T of 2 or more.
        generated: y, the same shape and range; faces in the same pose as in `source` (see `asccl.metric.align`).
        settings: see `LossSettings`.
        rng: draws the regions of maps with more than `settings.samples`; see `sample_regions`.
        valid: (B, 1, H, W) bool, or (B, T, 1, H, W) for clips: False for pixels without content, such as the border of
            a warped image.

    Returns:
        A scalar.

    Raises:
        ValueError: an image or `valid` has another shape, type or range.
    """
    if settings.temporal:
        return _clip_loss(metric, source, generated, settings, rng, valid)
    losses = asccl_region_losses(metric, source, generated, settings, rng, valid)
    return torch.stack([loss.mean for loss in losses]).sum()


def _clip_loss(
    metric: SCCMetric,
    source: torch.Tensor,
    generated: torch.Tensor,
    settings: LossSettings,
    rng: torch.Generator | None,
    valid: torch.Tensor | None,
) -> torch.Tensor:
    """Compute `asccl_loss` of all frames of clips (B, T, 3, H, W), and of their changes from frame to frame."""
    check_clips(source, generated)
    clips, frames = source.shape[:2]
    if valid is not None:
        valid = _check_valid(valid.flatten(0, 1), source.flatten(0, 1))
    with torch.no_grad():  # the source is a constant
        source_maps = metric.feature_maps(source.flatten(0, 1))
    generated_maps = metric.feature_maps(generated.flatten(0, 1))
    pairs = metric.sample_pairs(source_maps, settings.samples, rng)
    losses = _region_losses(metric, source_maps, generated_maps, settings, pairs, valid)
    by_clip = [[m.unflatten(0, (clips, frames)) for m in maps] for maps in (source_maps, generated_maps)]
    pairs = metric.sample_pairs(source_maps, settings.temporal_samples, rng)
    temporal = _temporal_losses(metric, by_clip[0], by_clip[1], settings, pairs, valid)
    return torch.stack([loss.mean for loss in losses]).sum() + settings.temporal_weight * torch.stack(temporal).sum()


def _temporal_losses(
    metric: SCCMetric,
    source_maps: Sequence[torch.Tensor],
    generated_maps: Sequence[torch.Tensor],
    settings: LossSettings,
    pairs: Sequence[NeighbourPairs],
    valid: torch.Tensor | None,
) -> list[torch.Tensor]:
    """Compute the temporal loss on each feature map (B, T, C, h, w); `valid` as (B * T, 1, H, W)."""
    with torch.no_grad():
        source_disparities = metric.temporal_disparities(source_maps, pairs)
        spatial_disparities = metric.disparities([m.flatten(0, 1) for m in source_maps], pairs)
    generated_disparities = metric.temporal_disparities(generated_maps, pairs)
    losses = []
    for x, y, spatial in zip(source_disparities, generated_disparities, spatial_disparities, strict=True):
        movement = measure_movement(x, spatial.values[:, spatial.pairs.inside])
        counted = movement.moves
        if valid is not None:
            inside = valid_regions(valid, spatial.size)[:, spatial.pairs.region].unflatten(0, source_maps[0].shape[:2])
            counted = counted & inside[:, :-1] & inside[:, 1:]
        sides = {"generated": (y, x), "source": (x, y)}
        chosen = sides if settings.query == "both" else (settings.query,)
        contrasts = [temporal_contrast(*sides[q], movement, counted, settings.temperature) for q in chosen]
        contrast = torch.stack(contrasts).mean(0)
        if settings.daas == "paper":
            contrast = temporal_weight(movement, settings.lambda_, settings.power) * contrast
        losses.append(masked_mean(contrast, counted))
    return losses


def _check_valid(valid: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Return `valid` if it fits the source images (B, 3, H, W). Raises ValueError."""
    if valid.shape[1:] != (1, *source.shape[2:]) or len(valid) not in (1, len(source)):
        expected = (len(source), 1, *source.shape[2:])
        raise ValueError(f"expected valid pixels of shape {expected}, got {tuple(valid.shape)}")
    return valid


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
    if valid is not None:
        valid = _check_valid(valid, source)
    with torch.no_grad():  # the source is a constant
        source_maps = metric.feature_maps(source)
    pairs = pairs or metric.sample_pairs(source_maps, settings.samples, rng)
    return _region_losses(metric, source_maps, metric.feature_maps(generated), settings, pairs, valid)


def _region_losses(
    metric: SCCMetric,
    source_maps: Sequence[torch.Tensor],
    generated_maps: Sequence[torch.Tensor],
    settings: LossSettings,
    pairs: Sequence[NeighbourPairs],
    valid: torch.Tensor | None,
) -> list[RegionLoss]:
    """Compute `asccl_region_losses` from the feature maps of both images."""
    with torch.no_grad():
        source_disparities = metric.disparities(source_maps, pairs)
    generated_disparities = metric.disparities(generated_maps, pairs)
    losses = []
    for x, y, features in zip(source_disparities, generated_disparities, generated_maps, strict=True):
        counted = x.pairs.inside.expand(len(features), -1, -1)
        if valid is not None:
            counted = counted & valid_pairs(valid, x.pairs, x.size)
        weight = _weight(x, features, settings)  # eq. 6
        contrast = directional_contrast(x.values, y.values, counted, settings)  # eq. 4
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


class ASCCLLoss(nn.Module):
    """`asccl_loss` as a module that freezes its metric: it has nothing to train, and `.train()` changes nothing.

    Args:
        metric: from `asccl.load_metric`; it is frozen in place.
        settings: see `LossSettings`.

    Raises:
        TypeError: `metric` is not a metric, for example its name.
    """

    def __init__(self, metric: SCCMetric, settings: LossSettings = LossSettings()):
        super().__init__()
        if not isinstance(metric, SCCMetric):
            raise TypeError(f"expected an SCCMetric, got {type(metric).__name__}: load it by asccl.load_metric")
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

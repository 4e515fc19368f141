"""The contrast (eq. 4) and the losses made of it: SCCL to learn the metric (eq. 5), ASCCL to use it (eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from asccl.metric.daas import LAMBDA, POWER, authors_daas_weight, daas_weight
from asccl.metric.neighbours import NeighbourPairs
from asccl.metric.scc import MAX_REGIONS, Disparities, Samples, SCCMetric, normalize, visual_disparity

TEMPERATURE = 0.07
CHOICES = {
    "negatives": ("neighbours", "all"),
    "query": ("generated", "source", "both"),
    "daas": ("paper", "off", "authors"),
}
MAX_ALL_NEGATIVES = 4096  # sampled pairs of a map for which `negatives="all"` builds its table


@dataclass(frozen=True)
class LossSettings:
    """temperature: tau of eq. 4.
    negatives: "neighbours" are the other neighbours of the same region (the paper); "all" is every other sampled pair of the
        picture (the authors' code), which asks for few samples.
    query: whose disparity is compared with the candidates of the other picture: the generated one's (as in the
        authors' code), the source's, or "both" with the mean of the two.
    daas: "paper" for eq. 6 per pair; "off" for 1; "authors" for one weight per map, as in their code.
    lambda_, power: of eq. 6. samples: regions of each map, see `SCCMetric.sample_pairs`.
    """

    temperature: float = TEMPERATURE
    negatives: Literal["neighbours", "all"] = "neighbours"
    query: Literal["generated", "source", "both"] = "generated"
    daas: Literal["paper", "off", "authors"] = "paper"
    lambda_: float = LAMBDA
    power: float = POWER
    samples: Samples = MAX_REGIONS

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"expected {name} to be one of {', '.join(known)}, got {getattr(self, name)!r}")


class RegionLoss(NamedTuple):
    """The loss on one feature map, before any mean. N regions, 8 neighbours each.

    contrast: (B, N, 8), eq. 4. weight: (B, N, 8), DAAS. valid: (B, N, 8) bool, the pairs that count. pairs: where.
    size: (height, width) of the map.
    """

    contrast: torch.Tensor
    weight: torch.Tensor
    valid: torch.Tensor
    pairs: NeighbourPairs
    size: tuple[int, int]

    def mean(self) -> torch.Tensor:
        """Eq. 7 on this map: weights times contrast, then the mean over the pairs that count."""
        return masked_mean(self.weight * self.contrast, self.valid)

    def per_region(self) -> torch.Tensor:
        """(B, N) the mean of each region's pairs; 0 where none counts."""
        count = self.valid.sum(-1)
        return torch.where(self.valid, self.weight * self.contrast, 0).sum(-1) / count.clamp(min=1)


def masked_mean(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


def contrastive_loss(
    query: torch.Tensor,
    key: torch.Tensor,
    valid: torch.Tensor,
    temperature: float = TEMPERATURE,
    negatives: Literal["neighbours", "all"] = "neighbours",
) -> torch.Tensor:
    """Minus log softmax of the corresponding pair among the non-corresponding ones  # eq. 4

    query, key: (B, N, 8, C) mapped disparities of the two pictures. valid: (B, N, 8) bool; others are no candidates,
    and their own contrast means nothing. Returns (B, N, 8).
    """
    shape = valid.shape
    if negatives == "all":
        query, key, valid = query.flatten(1, 2)[:, None], key.flatten(1, 2)[:, None], valid.flatten(1, 2)[:, None]
        if query.shape[2] > MAX_ALL_NEGATIVES:
            raise ValueError(f'negatives="all" takes {MAX_ALL_NEGATIVES // 8} regions of a map at most: set samples')
    with torch.autocast(query.device.type, enabled=False):  # a cosine over 0.07 needs the bits
        logits = normalize(query) @ normalize(key).mT / temperature
        positive = logits.diagonal(dim1=-2, dim2=-1)
        logits = torch.where(valid[..., None, :], logits, float("-inf"))
        top = torch.logsumexp(torch.where(valid.any(-1)[..., None, None], logits, 0), -1)
        return (top - positive).view(shape)


def sccl_loss(
    metric: SCCMetric, x: torch.Tensor, y: torch.Tensor, settings: LossSettings = LossSettings(query="both"),
    rng: torch.Generator | None = None,
) -> torch.Tensor:  # fmt: skip
    """The loss that teaches the metric, eq. 5: the mean over pairs, then the sum over maps; no weights.

    x, y: (B, 3, H, W) RGB in [-1, 1], aligned pictures of one person saying the same thing with two emotions.
    Gradients reach the metric, wherever it is not frozen, and both pictures. Returns a scalar.
    """
    a, b = metric.feature_maps(x), metric.feature_maps(y)
    pairs = metric.sample_pairs(a, settings.samples, rng)
    return sccl_from_disparities(metric.disparities(a, pairs), metric.disparities(b, pairs), settings)


def sccl_from_disparities(x: Sequence[Disparities], y: Sequence[Disparities], settings: LossSettings) -> torch.Tensor:
    """Eq. 5 on the disparities of both pictures, map by map."""
    means = []
    for a, b in zip(x, y, strict=True):
        valid = a.pairs.inside.expand(len(a.values), -1, -1)
        means.append(masked_mean(directional_contrast(a.values, b.values, valid, settings), valid))
    return torch.stack(means).sum()


def directional_contrast(source: torch.Tensor, generated: torch.Tensor, valid: torch.Tensor, settings: LossSettings) \
        -> torch.Tensor:  # fmt: skip
    options = (valid, settings.temperature, settings.negatives)
    if settings.query == "generated":
        return contrastive_loss(generated, source, *options)
    if settings.query == "source":
        return contrastive_loss(source, generated, *options)
    return (contrastive_loss(generated, source, *options) + contrastive_loss(source, generated, *options)) / 2


def asccl_region_losses(
    metric: SCCMetric,
    source: torch.Tensor,
    generated: torch.Tensor,
    settings: LossSettings = LossSettings(),
    rng: torch.Generator | None = None,
    valid: torch.Tensor | None = None,
    pairs: Sequence[NeighbourPairs] | None = None,
) -> list[RegionLoss]:
    """What `asccl_loss` adds up, map by map and region by region. The same arguments."""
    with torch.no_grad():  # the source side is a constant
        a = metric.feature_maps(source)
        pairs = pairs or metric.sample_pairs(a, settings.samples, rng)
        constant = metric.disparities(a, pairs)
    b = metric.feature_maps(generated)
    if source.shape != generated.shape:
        raise ValueError(f"expected two batches alike, got {tuple(source.shape)} and {tuple(generated.shape)}")
    out = []
    for x, y, features in zip(constant, metric.disparities(b, pairs), b, strict=True):
        counts = x.pairs.inside.expand(len(source), -1, -1)
        if valid is not None:
            if valid.shape[-2:] != source.shape[-2:]:
                raise ValueError(f"expected valid pixels for {tuple(source.shape)}, got {tuple(valid.shape)}")
            counts = counts & valid_pairs(valid, x.pairs, x.size)
        if settings.daas == "paper":
            weight = daas_weight(x.values, settings.lambda_, settings.power)  # eq. 6
        elif settings.daas == "authors":
            weight = authors_daas_weight(visual_disparity(features, x.pairs)).expand(counts.shape)
        else:
            weight = torch.ones_like(x.values[..., 0])
        out.append(
            RegionLoss(directional_contrast(x.values, y.values, counts, settings), weight, counts, x.pairs, x.size)
        )
    return out


def valid_pairs(valid: torch.Tensor, pairs: NeighbourPairs, size: tuple[int, int]) -> torch.Tensor:
    """(B, 1, H, W) bool pixels -> (B, N, 8) bool: both regions of a pair lie wholly on valid pixels."""
    block = (valid.shape[-2] // size[0], valid.shape[-1] // size[1])
    whole = (-F.max_pool2d(-valid.float(), block)).flatten(1) > 0.5
    return whole.index_select(1, pairs.region)[..., None] & whole[:, pairs.neighbour]


def asccl_loss(
    metric: SCCMetric,
    source: torch.Tensor,
    generated: torch.Tensor,
    settings: LossSettings = LossSettings(),
    rng: torch.Generator | None = None,
    valid: torch.Tensor | None = None,
) -> torch.Tensor:
    """The loss that keeps the mouth while a generator changes the emotion, eq. 7: mean over pairs, sum over maps.

    source, generated: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 from 32 on: face crops in the same pose
    (see `align`). valid: (B, 1, H, W) bool, False for pixels that show nothing, such as the borders of a warp.
    rng: draws the regions of maps that have more than `settings.samples`.
    Gradients reach `generated` and, unless it is frozen, the metric; never `source`. Returns a scalar.
    Raises ValueError.
    """
    parts = asccl_region_losses(metric, source, generated, settings, rng, valid)
    return torch.stack([part.mean() for part in parts]).sum()


class ASCCLLoss(nn.Module):
    """`asccl_loss` with a metric that is frozen for good: nothing here trains, and `.train()` changes nothing.

    metric: from `asccl.load_metric`. settings: see `LossSettings`.
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
        """See `asccl_loss`."""
        return asccl_loss(self.metric, source, generated, self.settings, rng, valid)

    def region_losses(
        self,
        source: torch.Tensor,
        generated: torch.Tensor,
        rng: torch.Generator | None = None,
        valid: torch.Tensor | None = None,
    ) -> list[RegionLoss]:
        """See `asccl_region_losses`."""
        return asccl_region_losses(self.metric, source, generated, self.settings, rng, valid)

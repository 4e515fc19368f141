"""The spatial coherent correlation (SCC) metric of the paper, section 4.1. This is the module to read first.

Two images show one person who says the same words with two emotions. The difference between a region of the face and a
neighbouring region is then similar in both images. A backbone computes feature maps of both images (eq. 2). The
difference of two neighbouring feature vectors, mapped by a small trained head, is their visual disparity (eq. 3). The
cosine of corresponding disparities (eq. 1) is the SCC score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self

import torch
import torch.nn.functional as F
from torch import nn

from asccl.metric.neighbours import NeighbourPairs, sample_regions
from asccl.metric.temporal import measure_movement, scale_to_unit, temporal_disparity
from asccl.nets.backbones import backbone_metadata, build_backbone
from asccl.nets.blocks import Freezable
from asccl.nets.pretrained import PretrainedNetwork

MAX_REGIONS = 1024  # default for the maximum number of regions of a map
MIN_IMAGE_SIZE = 32  # pixels: the smallest map then has two rows
EPS = 1e-7  # added to a length before dividing by it
MAX_ABS_VALUE = 1.5  # of RGB in [-1, 1], with room for the overshoot of a resampling filter

Samples = int | Sequence[int | None] | None
Heads = Literal["trained", "random", "identity"]


class Backbone(Protocol):
    """A network that computes four feature maps of decreasing size."""

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 -> four maps (B, C, h, w)."""


class DisparityMapping(nn.Sequential):
    """f of eq. 3: two fully connected layers with a rectified linear unit, C -> C -> C / 4."""

    def __init__(self, channels: int):
        super().__init__(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels // 4))


class Disparities(NamedTuple):
    """Visual disparities of one feature map.

    Attributes:
        values: (B, N, 8, C') float32, not normalized.
        pairs: the N regions and their neighbours.
        size: (height, width) of the map.
    """

    values: torch.Tensor
    pairs: NeighbourPairs
    size: tuple[int, int]


def visual_disparity(features: torch.Tensor, pairs: NeighbourPairs, head: nn.Module | None = None) -> torch.Tensor:
    r"""Map the difference of two neighbouring feature vectors (eq. 3).

    .. math:: x^{f,l}_{i \to j} = f(x^{f,l}_i - x^{f,l}_j)

    Args:
        features: one feature map, (B, C, h, w).
        pairs: regions i and neighbours j.
        head: f; None for f(x) = x, as in eq. 1 and Figure 2.

    Returns:
        (B, N, 8, C / 4) float32 for a `DisparityMapping`, (B, N, 8, C) without a head.
    """
    with torch.autocast(features.device.type, enabled=False):  # neighbours are similar: their difference needs float32
        vectors = _region_vectors(features)
        difference = _difference(vectors, pairs)  # x_i - x_j
        return difference if head is None else head(difference)


def _fast_visual_disparity(features: torch.Tensor, pairs: NeighbourPairs, head: nn.Module) -> torch.Tensor:
    """Compute `visual_disparity` with an eighth of the work in the first layer W: W (x_i - x_j) = W x_i - W x_j."""
    if not isinstance(head, DisparityMapping):
        return visual_disparity(features, pairs, head)
    first, relu, last = head
    with torch.autocast(features.device.type, enabled=False):
        projected = F.linear(_region_vectors(features), first.weight)
        return last(relu(_difference(projected, pairs) + first.bias))


def _region_vectors(features: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) -> (B, h * w, C), at least float32."""
    return features.to(at_least_float32(features)).flatten(2).transpose(1, 2)


def _difference(vectors: torch.Tensor, pairs: NeighbourPairs) -> torch.Tensor:
    """(B, h * w, C) -> (B, N, 8, C): each region minus each of its neighbours."""
    neighbour = vectors.index_select(1, pairs.neighbour.flatten()).unflatten(1, pairs.neighbour.shape)
    return vectors.index_select(1, pairs.region)[:, :, None] - neighbour


def at_least_float32(x: torch.Tensor) -> torch.dtype:
    """Return the type of x, or float32 where that type is less precise."""
    return torch.promote_types(x.dtype, torch.float32)


def cosine_similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    r"""Compare two visual disparities (eq. 1).

    .. math:: s^p_{i \to j} = \varphi(x^f_{i \to j}, y^f_{i \to j}), \quad
        s^n_{i \to k} = \varphi(x^f_{i \to j}, y^f_{i \to k}), \; k \neq j

    phi is the cosine along the channels, the last axis: (..., C) twice -> (...) in [-1, 1].
    """
    return (normalize(a) * normalize(b)).sum(-1)


def normalize(values: torch.Tensor) -> torch.Tensor:
    """Scale vectors (..., C) to length 1 along the channels."""
    return values / (values.norm(dim=-1, keepdim=True) + EPS)


class SCCMetric(PretrainedNetwork):
    """A backbone and one mapping f (eq. 3) for each of its four feature maps.

    Args:
        backbone: see `Backbone`.
        channels: channels of its feature maps.
        heads: "random" or "trained" for the paper's f, whose weights are random until they are loaded or trained;
            "identity" for f(x) = x, as in the paper's Figure 2.
    """

    KIND = "scc"

    def __init__(self, backbone: Freezable, channels: Sequence[int], heads: Heads = "random"):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(nn.Identity() if heads == "identity" else DisparityMapping(c) for c in channels)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        backbone: Any = build_backbone(metadata)
        return cls(backbone, backbone.MAP_CHANNELS)

    def to_metadata(self) -> dict[str, str]:
        if not all(isinstance(head, DisparityMapping) for head in self.heads):
            raise ValueError("expected a mapping f; without one, save the backbone")
        return {**super().to_metadata(), **backbone_metadata(self.backbone)}

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        r"""Compute the four feature maps of an image (eq. 2).

        .. math:: x^{f,l} = \phi^l(x), \quad l \in [1, 2, 3, 4]

        x: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 32. Raises ValueError.
        """
        check_image(x)
        return self.backbone.feature_maps(x)

    def sample_pairs(
        self, maps: Sequence[torch.Tensor], samples: Samples = MAX_REGIONS, rng: torch.Generator | None = None
    ) -> list[NeighbourPairs]:
        """Choose regions of each feature map.

        Args:
            maps: feature maps (B, C, h, w), of which only the shapes matter.
            samples: one number for all maps, or one for each; see `sample_regions`.
            rng: see `sample_regions`.

        Returns:
            The pairs of each map.

        Raises:
            ValueError: `samples` has another length than `maps`, or a number below 1.
        """
        counts = [samples] * len(maps) if samples is None or isinstance(samples, int) else list(samples)
        if len(counts) != len(maps):
            raise ValueError(f"expected one number of samples or {len(maps)}, got {len(counts)}")
        return [sample_regions(m.shape[-2], m.shape[-1], n, rng, m.device) for m, n in zip(maps, counts, strict=True)]

    def disparities(self, maps: Sequence[torch.Tensor], pairs: Sequence[NeighbourPairs]) -> list[Disparities]:
        """Compute the visual disparities (eq. 3) of the pairs of every feature map."""
        return [
            Disparities(_fast_visual_disparity(m, p, head), p, (m.shape[-2], m.shape[-1]))
            for m, p, head in zip(maps, pairs, self.heads, strict=True)
        ]

    def temporal_disparities(self, maps: Sequence[torch.Tensor], pairs: Sequence[NeighbourPairs]) -> list[torch.Tensor]:
        """Compute how the regions of every feature map change over time; the mapping is that of eq. 3.

        Args:
            maps: feature maps of clips, (B, T, C, h, w) each.
            pairs: their regions; the neighbours are not used.

        Returns:
            (B, T - 1, N, C') of each map, see `temporal_disparity`.
        """
        return [
            temporal_disparity(m, p.region, None if isinstance(head, nn.Identity) else head)
            for m, p, head in zip(maps, pairs, self.heads, strict=True)
        ]

    def forward(
        self,
        source: torch.Tensor,
        generated: torch.Tensor,
        samples: Samples = MAX_REGIONS,
        rng: torch.Generator | None = None,
        temporal: bool = False,
    ) -> torch.Tensor:
        """Compute the SCC score: the mean cosine of corresponding visual disparities (eq. 1).

        Args:
            source: (B, 3, H, W) RGB in [-1, 1]; with `temporal` clips, (B, T, 3, H, W) with T of 2 or more.
            generated: the same shape and range.
            samples: see `sample_pairs`.
            rng: see `sample_pairs`.
            temporal: compare how the regions change from frame to frame (`asccl.metric.temporal`) instead of how they
                differ from their neighbours.

        Returns:
            (B,) in [-1, 1], 1 for identical images. Every map has the same weight. The temporal score is 0 for a source
            that does not move.

        Raises:
            ValueError: an image has another shape, type or range.
        """
        if temporal:
            return self._temporal_score(source, generated, samples, rng)
        check_same_shape(source, generated)
        x_maps, y_maps = self.feature_maps(source), self.feature_maps(generated)
        pairs = self.sample_pairs(x_maps, samples, rng)
        scores = []
        for x, y in zip(self.disparities(x_maps, pairs), self.disparities(y_maps, pairs), strict=True):
            cosine = cosine_similarity(x.values, y.values) * x.pairs.inside
            scores.append(cosine.sum((1, 2)) / x.pairs.inside.sum())
        return torch.stack(scores).mean(0)

    def _temporal_score(
        self, source: torch.Tensor, generated: torch.Tensor, samples: Samples, rng: torch.Generator | None
    ) -> torch.Tensor:
        check_clips(source, generated)
        x_maps, y_maps = (
            [m.unflatten(0, source.shape[:2]) for m in self.feature_maps(clip.flatten(0, 1))]
            for clip in (source, generated)
        )
        pairs = self.sample_pairs(x_maps, samples, rng)
        spatial = self.disparities([m.flatten(0, 1) for m in x_maps], pairs)
        x_changes, y_changes = (self.temporal_disparities(maps, pairs) for maps in (x_maps, y_maps))
        scores = []
        for x, y, s in zip(x_changes, y_changes, spatial, strict=True):
            movement = measure_movement(x, s.values[:, s.pairs.inside])
            cosine = (scale_to_unit(x, movement) * scale_to_unit(y, movement)).sum(-1) * movement.moves
            scores.append(cosine.sum((1, 2)) / movement.moves.sum((1, 2)).clamp(min=1))
        return torch.stack(scores).mean(0)


def check_image(x: torch.Tensor) -> None:
    """Raise ValueError unless x is (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 32."""
    shape = tuple(x.shape)
    if x.dim() != 4 or shape[1] != 3 or shape[2] % 16 or shape[3] % 16 or min(shape[2:]) < MIN_IMAGE_SIZE:
        raise ValueError(
            f"expected (B, 3, H, W) with H and W multiples of 16 and at least {MIN_IMAGE_SIZE}, got {shape}"
        )
    if not x.is_floating_point():
        raise ValueError(f"expected RGB in [-1, 1] as floating point, got {x.dtype}: convert by x / 127.5 - 1")
    if torch.compiler.is_compiling() or not x.numel():
        return
    largest = float(x.detach().abs().amax())
    if not math.isfinite(largest):
        raise ValueError("expected RGB in [-1, 1], got values that are not finite: has the generator diverged?")
    if largest > MAX_ABS_VALUE:
        raise ValueError(f"expected RGB in [-1, 1], got values up to {largest:g}: convert by x / 127.5 - 1")


def check_same_shape(source: torch.Tensor, generated: torch.Tensor) -> None:
    """Raise ValueError unless both images have the same shape."""
    if source.shape != generated.shape:
        raise ValueError(f"expected two images of one shape, got {tuple(source.shape)} and {tuple(generated.shape)}")


def check_clips(source: torch.Tensor, generated: torch.Tensor) -> None:
    """Raise ValueError unless both are clips (B, T, 3, H, W) of one shape with T of 2 or more."""
    check_same_shape(source, generated)
    if source.dim() != 5 or source.shape[1] < 2:
        raise ValueError(f"expected clips (B, T, 3, H, W) with T of 2 or more, got {tuple(source.shape)}")

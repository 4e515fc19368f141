"""The spatial coherent correlation (SCC) metric of the paper, section 4.1. Start reading here.

Two pictures of one person who says the same thing with two emotions: what distinguishes a region of the face from its
neighbour in one of them distinguishes the same two regions in the other. A network sees both pictures (eq. 2); the
difference of two neighbouring feature vectors, mapped by a small learned head, is their visual disparity (eq. 3); the
cosine of corresponding disparities is the SCC score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import nn

from asccl.metric.neighbours import NeighbourPairs, sample_regions
from asccl.nets.blocks import Freezable

MAX_REGIONS = 1024  # regions of a map, at most, unless told
MIN_IMAGE_SIZE = 32  # pixels: the smallest map then has two rows
EPS = 1e-7  # added to a length before dividing by it
MAX_ABS_VALUE = 1.5  # RGB in [-1, 1] with room for what a resampling filter overshoots

Samples = int | Sequence[int | None] | None
Heads = Literal["trained", "random", "identity"]


class Backbone(Protocol):
    """A network that offers four feature maps of falling size."""

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 -> four maps (B, C, h, w)."""


class DisparityHead(nn.Sequential):
    """f of eq. 3: two fully connected layers with a rectified linear unit, C -> C -> C / 4."""

    def __init__(self, channels: int):
        super().__init__(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels // 4))


class Disparities(NamedTuple):
    """Visual disparities of one feature map.

    values: (B, N, 8, C') float32, not normalised. pairs: which regions and neighbours. size: (height, width).
    """

    values: torch.Tensor
    pairs: NeighbourPairs
    size: tuple[int, int]


def visual_disparity(features: torch.Tensor, pairs: NeighbourPairs, mapping: nn.Module | None = None) -> torch.Tensor:
    """f(x_i - x_j)  # eq. 3; without a mapping x_i - x_j, as in eq. 1.

    features: (B, C, h, w). mapping: a `DisparityHead` of C channels. Returns (B, N, 8, C / 4 or C) float32.
    """
    with torch.autocast(features.device.type, enabled=False):  # neighbours are alike: their difference needs the bits
        rows = features.to(at_least_float32(features)).flatten(2).transpose(1, 2)
        if mapping is None:
            return _difference(rows, pairs)
        first, bend, last = mapping
        # the first layer is linear: W (x_i - x_j) = W x_i - W x_j, an eighth of the work
        return last(bend(_difference(F.linear(rows, first.weight), pairs) + first.bias))


def _difference(rows: torch.Tensor, pairs: NeighbourPairs) -> torch.Tensor:
    """(B, h * w, C) -> (B, N, 8, C)"""
    neighbour = rows.index_select(1, pairs.neighbour.flatten()).unflatten(1, pairs.neighbour.shape)
    return rows.index_select(1, pairs.region)[:, :, None] - neighbour


def at_least_float32(x: torch.Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def cosine_similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """phi of eq. 1: cosine along the channels (the last axis). (..., C) twice -> (...) in [-1, 1]."""
    return (normalize(a) * normalize(b)).sum(-1)


def normalize(values: torch.Tensor) -> torch.Tensor:
    """(..., C) -> the same with length 1 along the channels."""
    return values / (values.norm(dim=-1, keepdim=True) + EPS)


class SCCMetric(Freezable):
    """A backbone and one mapping for each of its four maps.

    backbone: see `Backbone`. channels: of its maps. heads: "random" or "trained" for the paper's f (its weights are
    random until they are loaded or trained); "identity" for f(x) = x, as in the paper's Figure 2.
    """

    def __init__(self, backbone: Freezable, channels: Sequence[int], heads: Heads = "random"):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(nn.Identity() if heads == "identity" else DisparityHead(c) for c in channels)

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Eq. 2. x: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 32. Raises ValueError."""
        check_image(x)
        return self.backbone.feature_maps(x)

    def sample_pairs(self, maps: Sequence[torch.Tensor], samples: Samples = MAX_REGIONS, rng: torch.Generator | None = None) \
            -> list[NeighbourPairs]:  # fmt: skip
        """Regions of each map; `samples` is one number for all of them, or one for each. See `sample_regions`."""
        each = [samples] * len(maps) if samples is None or isinstance(samples, int) else list(samples)
        if len(each) != len(maps):
            raise ValueError(f"expected one number of samples or {len(maps)}, got {len(each)}")
        return [sample_regions(m.shape[-2], m.shape[-1], n, rng, m.device) for m, n in zip(maps, each, strict=True)]

    def disparities(self, maps: Sequence[torch.Tensor], pairs: Sequence[NeighbourPairs]) -> list[Disparities]:
        """Eq. 3 on every map."""
        return [
            Disparities(
                visual_disparity(m, p, head if isinstance(head, DisparityHead) else None), p, (m.shape[-2], m.shape[-1])
            )
            for m, p, head in zip(maps, pairs, self.heads, strict=True)
        ]

    def forward(self, source: torch.Tensor, generated: torch.Tensor, samples: Samples = MAX_REGIONS,
                rng: torch.Generator | None = None) -> torch.Tensor:  # fmt: skip
        """The SCC score: mean cosine of corresponding visual disparities, 1 for identical pictures.

        source, generated: (B, 3, H, W) RGB in [-1, 1]. Returns (B,) in [-1, 1]: every map counts the same.
        """
        a, b = self.feature_maps(source), self.feature_maps(generated)
        pairs = self.sample_pairs(a, samples, rng)
        scores = []
        for x, y in zip(self.disparities(a, pairs), self.disparities(b, pairs), strict=True):
            cosine = cosine_similarity(x.values, y.values) * x.pairs.inside
            scores.append(cosine.sum((1, 2)) / x.pairs.inside.sum())
        return torch.stack(scores).mean(0)


def check_image(x: torch.Tensor) -> None:
    """Raises ValueError unless x is (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 32."""
    shape = tuple(x.shape)
    if x.dim() != 4 or shape[1] != 3 or shape[2] % 16 or shape[3] % 16 or min(shape[2:]) < MIN_IMAGE_SIZE:
        raise ValueError(f"expected (B, 3, H, W) with H and W multiples of 16 from {MIN_IMAGE_SIZE} on, got {shape}")
    if not x.is_floating_point():
        raise ValueError(f"expected RGB in [-1, 1] as floating point, got {x.dtype}: convert by x / 127.5 - 1")
    if torch.compiler.is_compiling() or not x.numel():
        return
    largest = float(x.detach().abs().amax())
    if not largest <= MAX_ABS_VALUE:  # NaN, too
        raise ValueError(f"expected RGB in [-1, 1], got values up to {largest:g}: convert by x / 127.5 - 1")

"""A metric that is small enough for loops and finite differences."""

from __future__ import annotations

import torch
from torch import nn

from asccl.metric.scc import Heads, SCCMetric
from asccl.nets.blocks import Freezable

CHANNELS = (16, 16, 24, 24)


class SmallBackbone(Freezable):
    """Four smooth layers, each with half the resolution of the one before."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (3, *CHANNELS)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.Tanh())
            for a, b in zip(sizes, CHANNELS, strict=False)
        )

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps


def small_metric(seed: int = 0, heads: Heads = "random") -> SCCMetric:
    """Frozen, float64."""
    torch.manual_seed(seed)
    return SCCMetric(SmallBackbone(), CHANNELS, heads).double().freeze()


def similar_images(seed: int, batch: int = 2, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches (batch, 3, size, size) in [-1, 1] that differ by noise, float64."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(batch, 3, size, size, generator=rng, dtype=torch.float64) * 2 - 1
    y = (x + 0.2 * torch.randn(x.shape, generator=rng, dtype=torch.float64)).clamp(-1, 1)
    return x, y

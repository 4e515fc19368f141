"""Which regions of a feature map are looked at, and who their neighbours are."""

from __future__ import annotations

from typing import NamedTuple

import torch

# the eight neighbours of a region, (down, right)
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


class NeighbourPairs(NamedTuple):
    """N regions i of a feature map and their neighbours j; places count along the rows of the map.

    region: (N,) int64. neighbour: (N, 8) int64, in the order of `NEIGHBOURS`.
    inside: (N, 8) bool, False where the neighbour would lie beyond the border; its place is then that of the region.
    """

    region: torch.Tensor
    neighbour: torch.Tensor
    inside: torch.Tensor


def sample_regions(
    height: int,
    width: int,
    samples: int | None,
    rng: torch.Generator | None = None,
    device: torch.device | None = None,
) -> NeighbourPairs:
    """Regions of a height x width map: all where there are at most `samples` (None: always all), else `samples` drawn
    without repetition from `rng`, else, without an `rng`, an even grid of at most `samples`. Raises ValueError."""
    if samples is not None and samples < 1:
        raise ValueError(f"expected 1 or more samples, or None for all regions, got {samples}")
    total = height * width
    if samples is None or total <= samples:
        return neighbour_pairs(torch.arange(total, device=device), height, width)
    if rng is not None:
        drawn = torch.randperm(total, generator=rng, device=rng.device)[:samples]
        return neighbour_pairs(drawn.sort().values.to(device), height, width)
    step = 1
    while -(-height // step) * -(-width // step) > samples:
        step += 1
    rows = torch.arange((height - 1) % step // 2, height, step, device=device)
    columns = torch.arange((width - 1) % step // 2, width, step, device=device)
    return neighbour_pairs((rows[:, None] * width + columns).flatten(), height, width)


def neighbour_pairs(region: torch.Tensor, height: int, width: int, wrap: bool = False) -> NeighbourPairs:
    """Regions at given places (N,). wrap: a neighbour beyond the border is the one on the far side, as in the authors'
    code."""
    down, right = torch.tensor(NEIGHBOURS, device=region.device).unbind(1)
    row, column = region[:, None] // width + down, region[:, None] % width + right
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if wrap:
        return NeighbourPairs(region, row % height * width + column % width, torch.ones_like(inside))
    return NeighbourPairs(region, torch.where(inside, row * width + column, region[:, None]), inside)

"""Regions of a feature map and their eight neighbours."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

NEIGHBOUR_OFFSETS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))  # (down, right)


class NeighbourPairs(NamedTuple):
    """Pairs of a region i and a neighbour j, for N regions of a feature map. Indices count along the rows of the map.

    Attributes:
        region: index of each region, (N,) int64.
        neighbour: indices of its neighbours, (N, 8) int64, in the order of `NEIGHBOUR_OFFSETS`.
        inside: (N, 8) bool, False where the neighbour lies beyond the border; its index is then that of the region.
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
    """Choose regions of a feature map.

    Args:
        height: rows of the map.
        width: columns of the map.
        samples: maximum number of regions; None takes all. A map with no more regions than that gives all of them.
        rng: draws `samples` regions without repetition from a larger map. Without it the regions of a larger map form
            an even grid of at most `samples`.
        device: device of the indices.

    Returns:
        The pairs of all chosen regions.

    Raises:
        ValueError: `samples` is below 1.
    """
    if samples is not None and samples < 1:
        raise ValueError(f"expected 1 or more samples, or None for all regions, got {samples}")
    total = height * width
    if samples is None or total <= samples:
        return neighbour_pairs(torch.arange(total, device=device), height, width)
    if rng is not None:
        region = torch.randperm(total, generator=rng, device=rng.device)[:samples].sort().values
        return neighbour_pairs(region.to(device), height, width)
    step = 1
    while -(-height // step) * -(-width // step) > samples:
        step += 1
    rows = torch.arange((height - 1) % step // 2, height, step, device=device)
    columns = torch.arange((width - 1) % step // 2, width, step, device=device)
    return neighbour_pairs((rows[:, None] * width + columns).flatten(), height, width)


def neighbour_pairs(region: torch.Tensor, height: int, width: int, wrap: bool = False) -> NeighbourPairs:
    """Pair each region with its eight neighbours.

    Args:
        region: indices of the regions, (N,) int64.
        height: rows of the map.
        width: columns of the map.
        wrap: take a neighbour beyond the border from the opposite border, as the authors' code does.

    Returns:
        The pairs of these regions.
    """
    down, right = torch.tensor(NEIGHBOUR_OFFSETS, device=region.device).unbind(1)
    row, column = region[:, None] // width + down, region[:, None] % width + right
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if wrap:
        return NeighbourPairs(region, row % height * width + column % width, torch.ones_like(inside))
    return NeighbourPairs(region, torch.where(inside, row * width + column, region[:, None]), inside)


def valid_pairs(valid: torch.Tensor, pairs: NeighbourPairs, size: tuple[int, int]) -> torch.Tensor:
    """Mark the pairs whose two regions contain valid pixels only.

    Args:
        valid: (B, 1, H, W) bool.
        pairs: N regions of a map and their neighbours.
        size: (height, width) of the map.

    Returns:
        (B, N, 8) bool.
    """
    regions = valid_regions(valid, size)
    return regions.index_select(1, pairs.region)[..., None] & regions[:, pairs.neighbour]


def valid_regions(valid: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Mark the regions of a map of this (height, width) that contain valid pixels only: (B, 1, H, W) -> (B, h * w)."""
    block = (valid.shape[-2] // size[0], valid.shape[-1] // size[1])
    return (-F.max_pool2d(-valid.float(), block)).flatten(1) > 0.5

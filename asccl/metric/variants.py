"""Variants of the paper's equations that the authors' public code computes instead."""

from __future__ import annotations

import torch

HARDNESS_THRESHOLD = 0.8  # sigmoid of a feature difference above which the authors raise its weight
MAX_PAIRS = 4096  # sampled pairs of a map, of which `merge_regions` compares each with each


def authors_daas_weight(difference: torch.Tensor) -> torch.Tensor:
    """Compute the authors' variant of eq. 6: one weight for a whole feature map, which passes a gradient.

    difference: differences of features before any head, (...). Returns a scalar.
    """
    hardness = torch.sigmoid(difference.abs())
    return torch.where(hardness > HARDNESS_THRESHOLD, 2 * hardness**2, 1.0).mean()


def merge_regions(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Treat all pairs of a map as pairs of one region, so that every other pair of the image is a negative in eq. 4.

    values: (B, N, 8, ...). Returns each as (B, 1, N * 8, ...). Raises ValueError for more than `MAX_PAIRS` pairs.
    """
    if values[0].shape[1] * values[0].shape[2] > MAX_PAIRS:
        raise ValueError(f'negatives="all" supports at most {MAX_PAIRS // 8} regions of a map: set samples')
    return tuple(value.flatten(1, 2)[:, None] for value in values)

"""Similarities of corresponding and non-corresponding pairs (eq. 1), as in Figures 2 and 6 of the paper.

The pair i->j of the source corresponds to the pair i->j of the generated image. It does not correspond to the pairs
i->k of the same region with another neighbour k.
"""

from __future__ import annotations

import torch

from asccl.metric.scc import normalize

PAIR_KINDS = ("corresponding", "non_corresponding")


def cosine_table(source: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """Compare each disparity of a region with all disparities of the same region in the other image (eq. 1).

    Args:
        source: disparities of the source image, (B, N, 8, C).
        generated: disparities of the generated image, (B, N, 8, C).

    Returns:
        (B, N, 8, 8) in [-1, 1]: entry (j, k) is the cosine of i->j of the source and i->k of the generated image. The
        diagonal holds the corresponding pairs.
    """
    return normalize(source) @ normalize(generated).mT


def non_corresponding_mask(valid: torch.Tensor) -> torch.Tensor:
    """Mark the entries of a similarity table that compare two different valid pairs: (B, N, 8) -> (B, N, 8, 8) bool."""
    return valid[..., :, None] & valid[..., None, :] & ~torch.eye(8, dtype=torch.bool, device=valid.device)


def similarity_sums(table: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Sum a similarity table over the pairs of each image, from which means and deviations of many images follow.

    Args:
        table: (B, N, 8, 8), see `cosine_table`.
        valid: pairs that count, (B, N, 8) bool.

    Returns:
        (B, 2, 3) float64: for each image and each of `PAIR_KINDS` the number of values, their sum and the sum of their
        squares.
    """
    table = table.double()
    sides = ((table.diagonal(dim1=-2, dim2=-1), valid), (table, non_corresponding_mask(valid)))
    sums = []
    for values, mask in sides:
        counted = torch.where(mask, values, 0).flatten(1)
        sums.append(torch.stack([mask.flatten(1).sum(1).double(), counted.sum(1), counted.square().sum(1)], 1))
    return torch.stack(sums, 1)

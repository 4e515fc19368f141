"""Losses that only a training needs."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from asccl.metric.scc import unit

FRAME_TEMPERATURE = 0.01  # two frames of one speaker differ by about a hundredth in their score


def frames_contrast(
    x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor, temperature: float = FRAME_TEMPERATURE
) -> torch.Tensor:
    """Eq. 4 across time, with the SCC score of whole pictures in place of single pairs: of all frames of the other
    take, the one with the same words scores highest. The paper's negatives are neighbours in the same picture; they do
    not tell mouth shapes apart. Places that look the same in all frames cancel.

    x, y: (takes, K, N, 8, C) mapped disparities of one map, frame k of both saying the same. valid: (N, 8) bool.
    Returns a scalar, the mean of both directions; log K where frames do not differ.
    """
    a, b = (unit(v[:, :, valid]).flatten(2) for v in (x, y))  # (takes, K, P * C)
    scores = a @ b.mT / valid.sum()  # (takes, K, K), mean cosines
    same = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    return (F.cross_entropy(scores.mT / temperature, same) + F.cross_entropy(scores / temperature, same)) / 2

"""Losses that only a training needs."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from asccl.metric.loss import TEMPERATURE
from asccl.metric.scc import unit


def frames_contrast(
    x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor, temperature: float = TEMPERATURE
) -> torch.Tensor:
    """Eq. 4 across time: of all frames of the other take, the one with the same words has the most similar disparity
    at the same place. The paper's negatives are other neighbours in the same picture; they do not tell mouth shapes
    apart.

    x, y: (takes, K, N, 8, C) mapped disparities, frame k of both saying the same. valid: (N, 8) bool. Returns a scalar,
    the mean of both directions; log K where frames do not differ.
    """
    a, b = (unit(v[:, :, valid]).transpose(1, 2) for v in (x, y))  # (takes, P, K, C)
    logits = (a @ b.mT / temperature).flatten(0, 1)
    same = torch.arange(x.shape[1], device=x.device).expand(len(logits), -1)
    return (F.cross_entropy(logits, same) + F.cross_entropy(logits.mT, same)) / 2

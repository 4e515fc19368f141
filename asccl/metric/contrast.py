"""InfoNCE of a similarity table, the core of eq. 4, and the mean over the entries that count."""

from __future__ import annotations

import torch

TEMPERATURE = 0.07  # tau of eq. 4


def masked_mean(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Average the entries of `values` where `valid`; 0 where there is none."""
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)


def info_nce(logits: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Compute minus log softmax of the diagonal.

    Args:
        logits: (..., P, P), entry (j, k) compares query j with candidate k.
        valid: candidates that count, (..., P) bool.

    Returns:
        Loss of each query, (..., P). Entries where `valid` is False are undefined.
    """
    positive = logits.diagonal(dim1=-2, dim2=-1)
    logits = torch.where(valid[..., None, :], logits, float("-inf"))
    total = torch.logsumexp(torch.where(valid.any(-1)[..., None, None], logits, 0), -1)
    return total - positive

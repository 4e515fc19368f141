"""The disparity-aware adaptive strategy (DAAS), section 4.2 of the paper: harder regions weigh more."""

from __future__ import annotations

import torch

LAMBDA, POWER = 2.0, 2.0  # lambda and r of eq. 6
AUTHORS_THRESHOLD = 0.8


def daas_weight(disparity: torch.Tensor, lambda_: float = LAMBDA, power: float = POWER) -> torch.Tensor:
    """lambda * sigmoid(s)^r  # eq. 6

    The paper leaves open how a vector becomes one weight: s is its root mean square over the channels.
    disparity: (..., C) mapped, not normalised. Returns (...), constant, in [lambda / 2^r, lambda].
    """
    size = disparity.detach().square().mean(-1).sqrt()
    return lambda_ * torch.sigmoid(size) ** power


def authors_daas_weight(difference: torch.Tensor) -> torch.Tensor:
    """What the authors' code does instead: one number for a whole map, and a gradient flows through it.

    difference: (...) bare differences of features. Returns a scalar.
    """
    hardness = torch.sigmoid(difference.abs())
    return torch.where(hardness > AUTHORS_THRESHOLD, 2 * hardness**2, 1.0).mean()

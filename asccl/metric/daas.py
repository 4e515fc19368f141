"""The disparity-aware adaptive strategy (DAAS), section 4.2 of the paper: difficult regions get a larger weight."""

from __future__ import annotations

import torch

LAMBDA, POWER = 2.0, 2.0  # lambda and r of eq. 6


def daas_weight(disparity: torch.Tensor, lambda_: float = LAMBDA, power: float = POWER) -> torch.Tensor:
    r"""Weigh each pair by the size of its visual disparity (eq. 6).

    .. math:: w^l_{ij} = \lambda \cdot \mathrm{sigmoid}(s)^r, \quad s = \sqrt{\mathrm{mean}_c (x^{f,l}_{i \to j})_c^2}

    The paper does not say how the vector :math:`x^{f,l}_{i \to j}` becomes one number; here it is the root mean square
    over the channels.

    Args:
        disparity: output of the mapping f before normalization, (..., C).
        lambda_: factor lambda of the weight.
        power: exponent r of the sigmoid.

    Returns:
        (...) in [lambda / 2^r, lambda], without gradient.
    """
    size = disparity.detach().square().mean(-1).sqrt()
    return lambda_ * torch.sigmoid(size) ** power

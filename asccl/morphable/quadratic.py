"""Convex quadratic problems with bounds."""

from __future__ import annotations

import math

import numpy as np


def bounded_least_squares(
    hessian: np.ndarray,
    linear: np.ndarray,
    start: np.ndarray,
    upper: np.ndarray,
    temporal_weight: float,
    steps: int = 120,
) -> np.ndarray:
    r"""Fit bounded coefficients of all frames at once by FISTA (Beck and Teboulle 2009), in time linear in T.

    .. math:: \min_{0 \le w \le u} \sum_t \tfrac12 w_t^T H w_t - b_t^T w_t + \tfrac{c}{2} \lVert w_{t+1} - w_t \rVert^2

    Each step is a projected gradient step of length :math:`1 / (\lambda_{max}(H) + 4 c)` from the extrapolated point
    :math:`z_k = w_k + \frac{m_{k-1} - 1}{m_k} (w_k - w_{k-1})` with :math:`m_k = (1 + \sqrt{1 + 4 m_{k-1}^2}) / 2`.

    Args:
        hessian: H, (K, K).
        linear: b, (T, K).
        start: initial coefficients, (T, K).
        upper: u, (K,).
        temporal_weight: c.
        steps: number of steps.

    Returns:
        w, (T, K).
    """
    step = 1.0 / (np.linalg.eigvalsh(hessian)[-1] + 4 * temporal_weight)
    w, extrapolated, momentum = start, start, 1.0
    for _ in range(steps):
        gradient = extrapolated @ hessian
        gradient -= linear
        if temporal_weight:
            slope = np.diff(extrapolated, axis=0)
            slope *= temporal_weight
            gradient[:-1] -= slope
            gradient[1:] += slope
        gradient *= step
        new = np.subtract(extrapolated, gradient, out=gradient)
        np.minimum(np.maximum(new, 0.0, out=new), upper, out=new)
        new_momentum = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        extrapolated = new - w
        extrapolated *= (momentum - 1) / new_momentum
        extrapolated += new
        w, momentum = new, new_momentum
    return w

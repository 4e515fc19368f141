"""Smooth transitions between two levels."""

from __future__ import annotations

import numpy as np


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Ease from 0 to 1 with zero slope at both ends: 3 x^2 - 2 x^3, with x clipped to [0, 1]."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)

"""A director says what the face should do: `director(motion, target) -> motion`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from asccl.types import Motion


@dataclass(frozen=True)
class ReferenceStyle:
    """What a reference shows: the mean of its coefficients (52,), the probability of each emotion in the order of
    `EMOTIONS` (7,), the sum of its expression features (256,), and the coefficients (n, 52) of the frames looked at,
    in order; None where only their mean is known."""

    mean: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray
    coefficients: np.ndarray | None = None


@dataclass(frozen=True)
class Target:
    """emotion, reference: at least one. intensity: 0 to 2. seed: which natural variant; 0 is the plain one.
    shown: probability (7,) of each emotion that the source itself shows, in the order of `EMOTIONS`; None: unknown."""

    emotion: str | None = None
    reference: ReferenceStyle | None = None
    intensity: float = 1.0
    seed: int = 0
    shown: np.ndarray | None = None


class Director(Protocol):
    def __call__(self, motion: Motion, target: Target) -> Motion:
        """Coefficients (T, 52) and lip gain (T,) of the edited face; pose, identity and weight stay.

        Where `motion.weight` or the intensity is 0 the coefficients come back unchanged.
        """
        ...

"""Directors decide what the face should do: `director(motion, target) -> motion`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from asccl.types import Motion


@dataclass(frozen=True)
class ReferenceStyle:
    """Expression statistics of a reference clip or still.

    Attributes:
        mean: mean coefficients of the sampled frames, (52,).
        probabilities: mean probability of each emotion in the order of `EMOTIONS`, (7,).
        features: sum of the expression features of the sampled frames, (256,).
        coefficients: coefficients of the sampled frames in order, (n, 52); None where only their mean is known.
        network_features: mean expression features by each network of the adaptation, (D,) each; () if unknown.
        network_probabilities: mean probability of each emotion by each of these networks, (7,) each; () if unknown.
    """

    mean: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray
    coefficients: np.ndarray | None = None
    network_features: tuple[np.ndarray, ...] = ()
    network_probabilities: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Target:
    """What an edit should make of a face: an emotion, the style of a reference, or both.

    Attributes:
        emotion: one of `EMOTIONS`; None leaves the choice to the reference.
        reference: None where only an emotion is named.
        intensity: 0 to 2; scales what the edit adds to a calm face.
        seed: which natural variant of the emotion; 0 is the plain one.
        source_probabilities: probability of each emotion in the source, in the order of `EMOTIONS`, (7,); None where
            it is unknown.
        offsets: added to the change of each unit at intensity 1, (52,), as adapted to one face; 0 adds nothing.
        removal: 0 to 1, share that is taken away of what the source shows against the emotion; None is the intensity,
            up to 1.
    """

    emotion: str | None = None
    reference: ReferenceStyle | None = None
    intensity: float = 1.0
    seed: int = 0
    source_probabilities: np.ndarray | None = None
    offsets: np.ndarray | float = 0.0
    removal: float | None = None

    @property
    def removed_share(self) -> float:
        """Share that is taken away of what contradicts the emotion, 0 to 1."""
        return min(self.intensity, 1.0) if self.removal is None else self.removal


class Director(Protocol):
    """Turns the motion of the source into the motion of the edited face."""

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """Direct T frames.

        Returns:
            The motion with new coefficients (T, 52) and lip gain (T,); pose, identity and weight are those of the
            source. Where `motion.weight` is 0, or both intensity and removal are 0, the coefficients are unchanged.
        """
        ...

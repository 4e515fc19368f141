"""Directors decide what the face should do: `director(motion, target) -> motion`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from asccl.expression import EMOTIONS, NO_GROUPS, GroupAmounts
from asccl.types import Motion

MAX_EMOTIONAL_NEUTRALITY = 0.5  # probability of neutral up to which a reference counts as fully emotional
PROBABILITY_EXPONENT = 2.5  # sharpens the emotion probabilities of a reference


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
        intensity: 0 to 2; scales what the edit adds to a calm face. One number, or one of each frame, (T,).
        seed: which natural variant of the emotion; 0 is the plain one.
        source_probabilities: probability of each emotion in the source, in the order of `EMOTIONS`, (7,); None where
            it is unknown.
        source_readings: likewise by each network of the adaptation, (networks, 7); None where they are unknown.
        offsets: added to the change of each unit at intensity 1, (52,), as adapted to one face; 0 adds nothing.
        removal: 0 to 1, share that is taken away of what the source shows against the emotion; None is the intensity,
            up to 1. One number, or one of each frame, (T,).
        second_emotion: mixed into `emotion`; None for one alone.
        second_share: share of the second emotion in the mix, 0 to 1.
        groups: by how much parts of the face move in addition.
        group_intensity: multiplies `groups`; neither a strength nor offsets change it. One number, or one of each
            frame, (T,).
    """

    emotion: str | None = None
    reference: ReferenceStyle | None = None
    intensity: np.ndarray | float = 1.0
    seed: int = 0
    source_probabilities: np.ndarray | None = None
    source_readings: np.ndarray | None = None
    offsets: np.ndarray | float = 0.0
    removal: np.ndarray | float | None = None
    second_emotion: str | None = None
    second_share: float = 0.5
    groups: GroupAmounts = NO_GROUPS
    group_intensity: np.ndarray | float = 1.0

    @property
    def removed_share(self) -> np.ndarray | float:
        """Share that is taken away of what contradicts the emotion, 0 to 1; one number, or one of each frame, (T,)."""
        return np.minimum(self.intensity, 1.0) if self.removal is None else self.removal


def emotion_weights(target: Target) -> np.ndarray:
    """Weight of each preset in an edit, (7,), sum 1: of the named emotions, else of what the reference shows.

    The expression network assigns some probability to neutral for every speaker, so neutral counts only by the part of
    its probability that exceeds `MAX_EMOTIONAL_NEUTRALITY`.
    """
    if target.emotion is not None:
        weights = np.eye(len(EMOTIONS))
        first = weights[EMOTIONS.index(target.emotion)]
        if target.second_emotion is None:
            return first
        second = weights[EMOTIONS.index(target.second_emotion)]
        return (1 - target.second_share) * first + target.second_share * second
    assert target.reference is not None
    p = np.clip(target.reference.probabilities, 1e-6, 1)
    neutral = np.clip((p[0] - MAX_EMOTIONAL_NEUTRALITY) / (1 - MAX_EMOTIONAL_NEUTRALITY), 0, 1)
    others = p[1:] ** PROBABILITY_EXPONENT
    return np.concatenate([[neutral], (1 - neutral) * others / others.sum()])


class Director(Protocol):
    """Turns the motion of the source into the motion of the edited face."""

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """Direct T frames.

        Returns:
            The motion with new coefficients (T, 52) and lip gain (T,); pose, identity and weight are those of the
            source. Where `motion.weight` is 0, or intensity, removal and group intensity are 0, the coefficients are
            unchanged.
        """
        ...

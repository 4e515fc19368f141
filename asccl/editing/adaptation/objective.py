"""Rate an edit: how well expression networks read it, its price, and how far it exceeds its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asccl.editing.adaptation.directions import Direction

TEMPERATURE = 2.0  # of the logits: the networks are overconfident, and say nothing where a probability is 0 or 1
MIN_PROBABILITY = 0.005  # added to a probability before its logarithm: one hopeless frame must not decide
WORST_NETWORK_WEIGHT = 0.5  # of the network that reads least, beside the mean of the networks
REFERENCE_WEIGHT = 4.0  # of the likeness to a reference beside the logarithm of the probability
OFFSET_PRICE = 0.6  # of a change of one unit on both sides by 1


@dataclass(frozen=True)
class Goal:
    """What an edit should be read as.

    Attributes:
        emotion_weights: share of each emotion, (7,); the largest counts as 1.
        reference_features: features of a reference by each network, (D,) each; empty without one.
        reference_probabilities: mean probabilities of the reference by each network, (7,) each.
    """

    emotion_weights: np.ndarray
    reference_features: Sequence[np.ndarray] = ()
    reference_probabilities: Sequence[np.ndarray] = ()

    def readability(self, logits: np.ndarray, features: Sequence[np.ndarray]) -> float:
        """Rate what the networks read.

        Args:
            logits: (networks, M, 7) of all frames and views.
            features: mean expression features by each network, (D,) each.

        Returns:
            Mean log probability of the emotion, and likeness to the reference; half of it is that of the network that
            reads least. Larger is better.
        """
        share = self.emotion_weights / self.emotion_weights.max()
        ratings = np.log(MIN_PROBABILITY + softmax(logits / TEMPERATURE) @ share).mean(1)
        means = softmax(logits).mean(1)
        for k, (own, other) in enumerate(zip(self.reference_features, self.reference_probabilities, strict=True)):
            likeness = cosine(features[k], own) + cosine(means[k], other)
            ratings[k] += REFERENCE_WEIGHT * likeness / 2
        return float((1 - WORST_NETWORK_WEIGHT) * ratings.mean() + WORST_NETWORK_WEIGHT * ratings.min())

    def probability(self, logits: np.ndarray) -> float:
        """Mean probability of the emotion over networks, frames and views. logits: (networks, M, 7)."""
        return float((softmax(logits) @ (self.emotion_weights / self.emotion_weights.max())).mean())


def offset_price(coordinates: np.ndarray, directions: Sequence[Direction]) -> float:
    """Price of a move along the directions, (K,): grows with the square of the change of the units."""
    return OFFSET_PRICE * float((np.array([d.price for d in directions]) * coordinates**2).sum())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors."""
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))

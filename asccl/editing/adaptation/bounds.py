"""Bound what an adapted edit may cost, and say what it pays within these bounds.

A cost counts as a share of a scale: of the budget (identity), or of what the plain preset costs (the others). An edit
that only takes away costs nothing by its preset, so that scales have a least value where a lasting expression goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from asccl.editing.adaptation.measures import EditMeasures
from asccl.editing.adaptation.objective import Goal
from asccl.types import EMOTIONS

BOUND_NAMES = ("identity", "raw shift", "scc", "lips")
# largest cost as a share of its scale
COST_SHARES: Mapping[str, float] = MappingProxyType({"identity": 1.0, "scc": 1.1, "lips": 0.95})
# Likewise, by emotion. An edit has to save a part of the raw shift of its preset: the search takes it where it reads
# least, a weaker preset would take it from all units alike. Disgust and sadness keep all of it: without a part of it,
# judges of a trial without labels took them for anger and for a neutral face.
RAW_SHIFT_SHARES: Mapping[str, float] = MappingProxyType(dict.fromkeys(EMOTIONS, 0.85) | {"disgusted": 1.0, "sad": 1.0})
# price of a whole scale: a face that reads well gives back what it does not need, another may spend more
COST_PRICES: Mapping[str, float] = MappingProxyType({"identity": 0.28, "raw shift": 0.11, "scc": 0.04})
CLEAR_PROBABILITY = 0.5  # of the emotion in the plain preset, from which on the prices count fully
MIN_PRICE_SHARE = 0.5  # of the prices, for an edit that reads weakly
NEUTRAL_SCALES: Mapping[str, float] = MappingProxyType({"raw shift": 500.0, "scc": 0.015})  # least ones, for neutral
SMILE_LIPS = 9.0  # least scale of the lips where a lasting smile has to go: its lips are no speech
MIN_LIPS = 1.0  # likewise for any edit
MIN_SCALE = 1e-6


def cost_limits(
    plain: EditMeasures, goal: Goal, max_identity_loss: float, source_probabilities: np.ndarray | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Bounds of the costs, and the price of a unit of each cost, by name.

    On some faces the preset exceeds the budget of the identity at its smallest strength; it may keep that loss.

    Args:
        plain: measures of the plain preset.
        goal: what the edit should be read as.
        max_identity_loss: largest mean of 1 - identity cosine.
        source_probabilities: of the emotions in the source, (7,); None if unknown.
    """
    scales = cost_scales(plain, goal, source_probabilities) | {"identity": max_identity_loss}
    raw_shift_share = float(np.average(list(RAW_SHIFT_SHARES.values()), weights=goal.emotion_weights))
    shares = {**COST_SHARES, "raw shift": raw_shift_share}
    bounds = {name: share * scales[name] for name, share in shares.items()}
    bounds["identity"] = max(bounds["identity"], plain.cost("identity"))
    share = price_share(goal.probability(plain.logits))
    return bounds, {name: share * price / scales[name] for name, price in COST_PRICES.items()}


def price_share(probability: float) -> float:
    """Share of the prices that an edit pays: one whose plain preset reads weakly gives less back."""
    return float(np.clip(probability / CLEAR_PROBABILITY, MIN_PRICE_SHARE, 1))


def cost_scales(plain: EditMeasures, goal: Goal, source_probabilities: np.ndarray | None) -> dict[str, float]:
    """Cost by name that counts as a share of 1: that of the plain preset, or more where that only takes away.

    Args:
        plain: measures of the plain preset.
        goal: what the edit should be read as.
        source_probabilities: of the emotions in the source, (7,); None if unknown.
    """
    share = dict(zip(EMOTIONS, goal.emotion_weights / goal.emotion_weights.sum(), strict=True))
    smile = 0.0 if source_probabilities is None else float(source_probabilities[EMOTIONS.index("happy")])
    smile_removal = max(share["neutral"], smile * (1 - share["happy"]))
    least = {name: max(share["neutral"] * low, MIN_SCALE) for name, low in NEUTRAL_SCALES.items()}
    least["lips"] = max(smile_removal * SMILE_LIPS, MIN_LIPS)
    return {name: max(plain.cost(name), low) for name, low in least.items()}

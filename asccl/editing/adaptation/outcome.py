"""Say how an edit turned out: whether its emotion is weak, and what held it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

WEAK_PROBABILITY = 0.35  # mean probability of the emotion below which an edit counts as weak
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "identity": "more would make the person look like somebody else",
        "raw shift": "more would make the face look less natural",
        "scc": "more would change what the mouth seems to say",
        "lips": "more would move the lips away from the speech",
        "units": "at this intensity, the movements of the face are at their limit",
    }
)
NO_REASON = "expression networks hardly detect the emotion on this face"


def emotion_outcome(emotion: Mapping[str, Any], adaptation: Mapping[str, Any]) -> dict[str, Any]:
    """Decide whether the emotion of a finished edit is weak, and explain it.

    Args:
        emotion: the measured part "emotion" of a report.
        adaptation: report of the adaptation; empty without one.

    Returns:
        weak: True or False, None where nothing was measured; held_back_by: names of `REASONS`; reason: a sentence about
        a weak edit, else None.
    """
    readings = [emotion["after"]] if emotion.get("after") is not None else []
    if adaptation:
        readings.append(adaptation["probability"]["adapted"])
    if not readings:
        return {"weak": None, "held_back_by": [], "reason": None}
    weak = sum(readings) / len(readings) < WEAK_PROBABILITY
    limits = list(adaptation.get("held_back_by", ()))
    return {"weak": weak, "held_back_by": limits, "reason": _explain(limits) if weak else None}


def _explain(limits: Sequence[str]) -> str:
    text = "; ".join(REASONS[name] for name in limits) or NO_REASON
    return text[0].upper() + text[1:] + "."

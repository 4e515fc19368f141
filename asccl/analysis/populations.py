"""Where a similarity lies among pairs of takes whose relation is known.

`python -m benchmarks.correlation_scale` measures the numbers with the default metric, on synthetic speakers. A
comparison by another metric or with crops of another size has no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asccl.analysis.settings import AnalysisSettings

SAME_WORDS, OTHER_WORDS, STRANGERS = "Same person, same words", "Same person, other words", "Strangers"


@dataclass(frozen=True)
class Population:
    """Pairs of takes of one kind.

    Attributes:
        label: what the pairs have in common.
        quantiles: similarities below which 10, 50 and 90 percent of the pairs are.
    """

    label: str
    quantiles: tuple[float, float, float]


QUANTILES: dict[tuple[str, str], dict[str, tuple[float, float, float]]] = {
    ("trained", "cosine"): {
        SAME_WORDS: (0.864, 0.896, 0.913),
        OTHER_WORDS: (0.847, 0.877, 0.888),
        STRANGERS: (0.616, 0.659, 0.708),
    },
    ("trained", "pearson"): {
        SAME_WORDS: (0.862, 0.894, 0.912),
        OTHER_WORDS: (0.846, 0.875, 0.887),
        STRANGERS: (0.614, 0.657, 0.706),
    },
    ("random", "cosine"): {
        SAME_WORDS: (0.686, 0.731, 0.762),
        OTHER_WORDS: (0.679, 0.716, 0.748),
        STRANGERS: (0.442, 0.491, 0.526),
    },
    ("random", "pearson"): {
        SAME_WORDS: (0.686, 0.730, 0.762),
        OTHER_WORDS: (0.678, 0.715, 0.748),
        STRANGERS: (0.440, 0.488, 0.524),
    },
    ("identity", "cosine"): {
        SAME_WORDS: (0.537, 0.598, 0.650),
        OTHER_WORDS: (0.528, 0.578, 0.631),
        STRANGERS: (0.190, 0.256, 0.307),
    },
    ("identity", "pearson"): {
        SAME_WORDS: (0.537, 0.598, 0.649),
        OTHER_WORDS: (0.528, 0.578, 0.630),
        STRANGERS: (0.189, 0.256, 0.307),
    },
}  # (heads, measure) -> population -> similarities of corresponding regions below which 10, 50 and 90 % of pairs are


def find_scale(settings: AnalysisSettings, heads: str, measure: str) -> list[Population]:
    """Return the populations of one choice of heads and measure; none where they were not measured.

    Args:
        settings: of the comparison.
        heads: variant of the metric.
        measure: one of `MEASURES`.
    """
    default = AnalysisSettings()
    if (settings.metric, settings.size) != (default.metric, default.size):
        return []
    return [Population(label, quantiles) for label, quantiles in QUANTILES.get((heads, measure), {}).items()]


def describe_place(similarity: float, scale: Sequence[Population]) -> str:
    """Return one sentence on a similarity; empty without a scale.

    Args:
        similarity: mean of corresponding regions.
        scale: see `find_scale`.
    """
    if not scale:
        return ""
    ranges = {population.label: population.quantiles for population in scale}
    if similarity > ranges[SAME_WORDS][2]:
        return "The value is higher than that of two takes: one file is an edit or a copy of the other."
    if similarity >= ranges[SAME_WORDS][0]:
        if similarity > ranges[OTHER_WORDS][2]:
            return "Two takes of one person with the same words have such values."
        return "Two takes of one person have such values; the words may differ."
    if similarity > ranges[STRANGERS][2]:
        return "The value is lower than that of one person with the same words, and higher than that of strangers."
    return "The value is no higher than that of two strangers."

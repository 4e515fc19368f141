"""The scale of known populations, and what is said about a place on it."""

from __future__ import annotations

import pytest

from asccl.analysis.plots import COLOURS
from asccl.analysis.populations import QUANTILES, SAME_WORDS, STRANGERS, Population, describe_place, find_scale
from asccl.analysis.settings import AnalysisSettings

SCALE = [
    Population(SAME_WORDS, (0.80, 0.85, 0.90)),
    Population("Same person, other words", (0.70, 0.78, 0.84)),
    Population(STRANGERS, (0.40, 0.50, 0.60)),
]


@pytest.mark.parametrize(
    ("similarity", "words"),
    [
        (0.95, "a copy of the other"),
        (0.87, "with the same words"),
        (0.82, "words may differ"),
        (0.70, "higher than that of strangers"),
        (0.60, "two strangers"),
    ],
)
def test_a_similarity_is_compared_with_known_populations(similarity, words):
    assert words in describe_place(similarity, SCALE)


@pytest.mark.parametrize("heads", ["trained", "random", "identity"])
def test_the_measured_populations_are_in_order(heads):
    same_words, other_words, strangers = QUANTILES[heads, "cosine"].values()
    assert same_words[1] > other_words[1] > strangers[1]
    assert len(find_scale(AnalysisSettings(), heads, "pearson")) == 3


def test_another_metric_has_no_scale():
    assert describe_place(0.9, find_scale(AnalysisSettings(size=128), "trained", "cosine")) == ""


def test_one_colour_has_one_meaning():
    assert len(set(COLOURS.values())) == len(COLOURS)

"""The plain preset, from which a search starts, has a strength at its identity budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from asccl.editing.adaptation.adapt import plain_edit
from asccl.editing.adaptation.measures import EditMeasures
from asccl.editing.adaptation.search import STRENGTH_RANGE


@dataclass
class Face:
    """A face whose edits cost `cost` at strength 1, and more with a power of the strength."""

    cost: float
    exponent: float = 1.2
    head: Any = field(default_factory=lambda: SimpleNamespace(names=("jawOpen",)))

    def __call__(self, strength: float, offsets: np.ndarray) -> EditMeasures:
        assert not offsets.any()
        cost = self.cost * strength**self.exponent
        return EditMeasures(np.zeros((2, 1, 7)), (), {"identity": np.array([cost**0.5])})


@pytest.mark.parametrize("cost", [0.06, 0.082, 0.13])
def test_the_plain_preset_costs_its_identity_budget(cost):
    _, measures = plain_edit(Face(cost), 0.08)
    assert measures.cost("identity") == pytest.approx(0.08, rel=0.04)


def test_a_preset_that_costs_too_much_has_the_smallest_strength():
    strength, _ = plain_edit(Face(0.5), 0.08)
    assert strength == STRENGTH_RANGE[0]


def test_a_preset_that_costs_nothing_has_the_largest_strength():
    strength, _ = plain_edit(Face(0.0), 0.08)
    assert strength == STRENGTH_RANGE[1]


def test_the_measures_are_those_of_the_strength():
    strength, measures = plain_edit(Face(0.13), 0.08)
    assert measures.cost("identity") == pytest.approx(Face(0.13)(strength, np.zeros(1)).cost("identity"))

"""One expression network is kept apart: what a search reads cannot tell whether the search has gained anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from media import ROOT

from asccl.hub import WEIGHTS
from benchmarks.held_out import HELD_OUT_FILE, held_out_probabilities, load_held_out


def test_known_probabilities_of_the_held_out_network():
    """Computed by another implementation of the published network."""
    t = torch.linspace(0, 1, 64)
    image = torch.stack([torch.sin(9 * t)[:, None] * torch.cos((5 + 2 * c) * t) for c in range(3)])[None]
    with torch.inference_mode():
        probabilities = load_held_out()(image).softmax(-1)[0].tolist()
    expected = [0.79223615, 0.03319409, 0.00050338, 0.0233448, 0.10964878, 0.01753517, 0.0235376]
    assert probabilities == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", ["held_out", "held-out", HELD_OUT_FILE.stem])
def test_nothing_that_runs_an_edit_names_the_held_out_network(name):
    sources = [path for path in (ROOT / "asccl").rglob("*.py") if name in path.read_text(encoding="utf-8")]
    assert [path for path in sources if path.parts[-2] in {"editing", "adaptation", "directors", "morphable"}] == []


def test_the_held_out_network_is_not_among_the_weights():
    assert HELD_OUT_FILE.name not in {entry.file for entry in WEIGHTS.values()}


def test_the_held_out_network_reads_crops():
    assert held_out_probabilities(np.zeros((2, 112, 112, 3), np.uint8)).sum(1) == pytest.approx([1, 1], abs=1e-5)

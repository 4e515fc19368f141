"""The benchmark of the units of a preset says what identity costs in readability, and which bound does not count."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.editing.adaptation.bounds import BOUND_NAMES
from benchmarks.adapt import ABLATIONS
from benchmarks.preset_units import COLUMNS, format_price, mean_rows


def change(readability: float, identity_loss: float) -> np.ndarray:
    return np.array([{"readability": readability, "identity loss": identity_loss}.get(name, 0.0) for name in COLUMNS])


@pytest.mark.parametrize(
    ("readability", "identity_loss", "price"),
    [(-0.1, -0.02, "0.050 per .01"), (0.1, -0.02, "free"), (-0.1, 0.02, "wins no identity")],
)
def test_the_price_of_identity(readability, identity_loss, price):
    assert format_price(change(readability, identity_loss)) == price


def test_rows_are_means_over_the_faces():
    faces = [{"noseSneer": change(-0.1, -0.02)}, {"noseSneer": change(-0.3, -0.04)}]
    assert mean_rows(faces)["noseSneer"] == pytest.approx(change(-0.2, -0.03))


@pytest.mark.parametrize("name", BOUND_NAMES)
def test_each_bound_is_left_out_once(name):
    assert set(ABLATIONS[f"adapted, all but {name}"]) == set(BOUND_NAMES) - {name}

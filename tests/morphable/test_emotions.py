"""The tables of the emotions are complete, and their variants stay close to them."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.emotions import PRESETS, RESIDUALS, UNIT_TARGETS, expand_units, variant_factors
from asccl.types import EMOTIONS

HEAD = load_anny_head()
NAMES = HEAD.names


def test_presets_stand_in_the_order_of_the_emotions():
    assert tuple(PRESETS) == EMOTIONS


@pytest.mark.parametrize("table", [UNIT_TARGETS, RESIDUALS])
def test_each_row_has_a_cell_for_each_emotion(table):
    lengths = {len(line.partition("#")[0].split()) for line in table.strip().splitlines()}
    assert len(lengths) == 1


@pytest.mark.parametrize("table", [UNIT_TARGETS, RESIDUALS])
def test_each_row_names_a_unit_of_the_head(table):
    for line in table.strip().splitlines()[1:]:
        assert expand_units({line.split()[0]: 1.0}, NAMES).any(), line


def test_a_cell_of_the_table_is_the_target_of_its_unit_and_emotion():
    assert PRESETS["sad"].units["browInnerUp"] == 1.2
    assert PRESETS["surprised"].residuals["mouthFrown"] == 0.4
    assert "browDown" not in PRESETS["surprised"].units


def test_a_unit_stands_for_its_left_and_right_half():
    coefficients = expand_units({"mouthSmile": 0.5, "jawOpen": 0.25}, NAMES)
    assert coefficients.sum() == 2 * 0.5 + 0.25


def test_seed_zero_is_the_preset_itself():
    assert (variant_factors(0, NAMES) == 1).all()


def test_variants_are_reproducible_and_bounded():
    factors = variant_factors(3, NAMES)
    assert np.array_equal(factors, variant_factors(3, NAMES))
    assert 0.5 <= factors.min() < 1 < factors.max() <= 1.5


def brow_shift(emotion: str) -> np.ndarray:
    """Displacement of the upper edge of the right brow by a preset, (5, 2) cm, outer end first; x inwards, y down."""
    shift = np.einsum("k,knc->nc", expand_units(PRESETS[emotion].units, NAMES), HEAD.expression)
    return shift[list(mesh.RIGHT_BROW_TOP), :2]


def test_fear_raises_the_whole_brow_and_draws_it_inwards():
    shift = brow_shift("fear")
    assert shift[:, 1].max() < 0
    assert shift[-1, 0] > 0.1


def test_sadness_raises_the_inner_end_of_the_brow_alone():
    shift = brow_shift("sad")
    assert shift[-1, 1] < 0 < shift[0, 1]


def test_anger_lowers_the_inner_end_of_the_brow_at_least_as_far_as_its_arch():
    shift = brow_shift("angry")
    assert shift[-1, 1] > 0.95 * shift[:, 1].max()


def test_anger_slants_the_brow():
    shift = brow_shift("angry")
    assert shift[-1, 1] > shift[:2, 1].mean() + 0.5


def test_disgust_lowers_the_brow_less_than_anger():
    assert brow_shift("disgusted")[:, 1].mean() < 0.75 * brow_shift("angry")[:, 1].mean()


def test_disgust_leaves_the_cheeks_to_a_smile():
    assert PRESETS["disgusted"].units["cheekSquint"] < 0.5 * PRESETS["happy"].units["cheekSquint"]


def test_anger_leaves_the_nose_to_disgust():
    assert "noseSneer" not in PRESETS["angry"].units

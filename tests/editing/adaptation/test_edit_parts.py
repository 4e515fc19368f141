"""The benchmark of the renderer's parts changes them while it measures, and not afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.renderers.warp.wrinkles import WrinkleModel
from benchmarks.edit_parts import PARTS, changed, scaled_depth


@pytest.mark.parametrize("name", PARTS)
def test_a_part_has_another_value_inside_of_the_context_alone(name):
    owner, attribute, value = PARTS[name][0]
    before = getattr(owner, attribute)
    with changed(PARTS[name]):
        assert getattr(owner, attribute) is value
    assert getattr(owner, attribute) is before


def test_the_depth_of_wrinkles_is_scaled(monkeypatch):
    monkeypatch.setattr(WrinkleModel, "depth_map", lambda *_: np.full((2, 2), 0.4))
    assert scaled_depth(0.5)() == pytest.approx(np.full((2, 2), 0.2))

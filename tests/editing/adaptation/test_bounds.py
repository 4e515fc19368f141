"""An edit costs about as much as its plain preset, and more only where a lasting expression has to go."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.editing.adaptation.bounds import (
    COST_SHARES,
    MIN_LIPS,
    MIN_PRICE_SHARE,
    MIN_SCALE,
    RAW_SHIFT_SHARES,
    SMILE_LIPS,
    cost_limits,
    cost_scales,
    price_share,
)
from asccl.editing.adaptation.measures import EditMeasures
from asccl.editing.adaptation.objective import Goal
from asccl.types import EMOTIONS


def certain(emotion: str) -> np.ndarray:
    return np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)]


def plain(cost: float = 0.0) -> EditMeasures:
    """A preset of which every cost is the same, and of which networks read nothing."""
    vector = np.array([cost**0.5])
    return EditMeasures(np.zeros((2, 1, 7)), (), dict.fromkeys(("identity", "raw shift", "scc", "lips"), vector))


def test_an_edit_moves_the_lips_less_than_its_preset():
    bounds, _ = cost_limits(plain(30.0), Goal(certain("sad")), 0.1, certain("neutral"))
    assert bounds["lips"] == pytest.approx(COST_SHARES["lips"] * 30.0)


def test_an_edit_has_to_shift_the_embedding_less_than_its_preset():
    bounds, _ = cost_limits(plain(30.0), Goal(certain("angry")), 0.1, certain("neutral"))
    assert bounds["raw shift"] <= 0.9 * 30.0


def test_a_mix_of_two_emotions_has_a_mixed_bound_of_the_raw_shift():
    mix = 0.5 * certain("angry") + 0.5 * certain("sad")
    bounds, _ = cost_limits(plain(30.0), Goal(mix), 0.1, certain("neutral"))
    mean_share = (RAW_SHIFT_SHARES["angry"] + RAW_SHIFT_SHARES["sad"]) / 2
    assert bounds["raw shift"] == pytest.approx(mean_share * 30.0)


def test_an_edit_may_keep_the_identity_loss_of_its_preset():
    bounds, _ = cost_limits(plain(0.4), Goal(certain("sad")), 0.1, certain("neutral"))
    assert bounds["identity"] == pytest.approx(0.4)


def test_an_adapted_edit_may_not_exceed_the_identity_budget():
    bounds, _ = cost_limits(plain(0.05), Goal(certain("sad")), 0.1, certain("neutral"))
    assert bounds["identity"] == pytest.approx(0.1)


def test_neutral_has_room_though_its_preset_costs_nothing():
    scales = cost_scales(plain(), Goal(certain("neutral")), None)
    assert min(scales["raw shift"] / 100, scales["scc"] / 0.01, scales["lips"]) > 1


def test_lips_of_a_smile_may_move_to_make_it_sad():
    assert cost_scales(plain(), Goal(certain("sad")), certain("happy"))["lips"] == SMILE_LIPS


@pytest.mark.parametrize(("goal", "source"), [("happy", "happy"), ("sad", "neutral")])
def test_lips_get_no_room_where_no_smile_has_to_go(goal, source):
    assert cost_scales(plain(), Goal(certain(goal)), certain(source))["lips"] == MIN_LIPS


def test_another_emotion_has_the_costs_of_its_preset_alone():
    assert cost_scales(plain(), Goal(certain("fear")), certain("happy"))["scc"] == MIN_SCALE


def test_a_weak_edit_gives_less_back_than_a_clear_one():
    assert price_share(0.05) == MIN_PRICE_SHARE < price_share(0.4) < price_share(0.8) == 1

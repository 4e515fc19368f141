"""Lips part in silence, and speech stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.lip_parting import PARTINGS, parting_share
from asccl.directors.preset import PresetDirector
from asccl.morphable.anny_head import load_anny_head
from asccl.types import Motion

HEAD = load_anny_head()
PRESET = PresetDirector(HEAD)


def talking_motion(jaw: np.ndarray, shot: np.ndarray | None = None) -> Motion:
    """The average head, whose jaw opens by `jaw` (T,)."""
    n = len(jaw)
    coefficients = np.zeros((n, 52), np.float32)
    coefficients[:, HEAD.index["jawOpen"]] = jaw
    pose = np.full(n, 20.0), np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
    return Motion(coefficients, *pose, HEAD.neutral, np.ones(n, np.float32), shot=shot)


SYLLABLES = 0.35 * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(60) / 10))  # closes six times
SENTENCE = np.concatenate([np.zeros(60), SYLLABLES, np.zeros(60)])


def test_closed_lips_of_a_still_part_by_all_that_surprise_asks():
    edited = PRESET(talking_motion(np.zeros(1)), Target("surprised"))
    assert edited.lip_parting == pytest.approx([PARTINGS["surprised"]], rel=0.01)


def test_disgust_parts_closed_lips_by_little():
    """It raises the upper lip; a mouth that stands open looks like a dark bar."""
    edited = PRESET(talking_motion(np.zeros(1)), Target("disgusted"))
    assert 0 < edited.lip_parting[0] < 0.35


def test_lips_that_speak_are_left_to_speech():
    share = parting_share(talking_motion(SENTENCE), HEAD)
    assert share[60:120].max() < 0.02


def test_lips_part_in_the_silence_before_and_after_speech():
    share = parting_share(talking_motion(SENTENCE), HEAD)
    assert share[[0, 20, 160, 179]].min() > 0.95


def test_parting_ends_slowly_before_a_word():
    share = parting_share(talking_motion(SENTENCE), HEAD)
    assert np.abs(np.diff(share[:60])).max() < 0.12
    assert share[59] < 0.02


def test_unrelated_frames_of_a_speaker_are_no_silence():
    frames = talking_motion(SENTENCE[50:80:3], shot=np.arange(10, dtype=np.int32))
    assert parting_share(frames, HEAD)[0] == 0


@pytest.mark.parametrize("emotion", ["neutral", "happy", "sad", "angry"])
def test_other_emotions_part_no_lips(emotion):
    assert PRESET(talking_motion(np.zeros(1)), Target(emotion)).lip_parting.max() == 0


@pytest.mark.parametrize("frame_rate", [15, 60])
def test_a_pause_of_four_tenths_of_a_second_is_no_silence_at_any_frame_rate(frame_rate):
    syllables = 0.35 * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(round(2.4 * frame_rate)) / (0.4 * frame_rate)))
    pause = np.zeros(round(0.4 * frame_rate))
    motion = replace(talking_motion(np.concatenate([syllables, pause, syllables])), frame_rate=frame_rate)
    assert parting_share(motion, HEAD).max() < 0.05


@pytest.mark.parametrize("frame_rate", [15, 60])
def test_two_seconds_without_a_word_are_silence_at_any_frame_rate(frame_rate):
    syllables = 0.35 * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(round(2.4 * frame_rate)) / (0.4 * frame_rate)))
    pause = np.zeros(2 * frame_rate)
    motion = replace(talking_motion(np.concatenate([syllables, pause, syllables])), frame_rate=frame_rate)
    assert parting_share(motion, HEAD)[len(syllables) + frame_rate] > 0.95

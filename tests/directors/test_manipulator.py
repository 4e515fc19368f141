"""NED's manipulator as a director: which units it changes, how far, and videos of any length in windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_directors import HEAD, INDEX, motion

from asccl import zoo
from asccl.directors.base import ReferenceStyle, Target
from asccl.directors.manipulator import ManipulatorDirector
from asccl.directors.preset import MAX_COEFFICIENT
from asccl.morphable.speech import speech_unit_mask
from asccl.nets.ned_manipulator import WINDOW_LENGTH, encode_style, translate_expression, window_indices
from asccl.types import EMOTIONS

NED = ManipulatorDirector(HEAD, zoo.load_manipulator())
UNIFORM = np.ones(7) / 7


def change(emotion: str, name: str, **options) -> float:
    source = motion()
    new = NED(source, Target(emotion, **options))
    return float((new.coefficients - source.coefficients)[:, INDEX[name]].mean())


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_nothing_changes_at_intensity_0(emotion):
    source = motion(mouthPucker=0.3, eyeLookUpLeft=0.2)
    edited = NED(source, Target(emotion, intensity=0.0))
    assert (edited.coefficients == source.coefficients).all()
    assert (edited.lip_gain == 1).all()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_speech_and_gaze_units_never_change_and_others_are_bounded(emotion):
    source = motion(mouthPucker=0.3, eyeLookUpLeft=0.2)
    edited = NED(source, Target(emotion, intensity=2.0)).coefficients
    fixed = speech_unit_mask(HEAD.names)
    assert (edited[:, fixed] == source.coefficients[:, fixed]).all()
    assert edited.min() >= 0
    assert edited.max() <= MAX_COEFFICIENT + 1e-6


@pytest.mark.parametrize(
    ("emotion", "unit", "least"),
    [
        ("happy", "mouthSmileLeft", 0.3),
        ("surprised", "browInnerUp", 0.6),
        ("angry", "browDownLeft", 0.5),
        ("sad", "mouthFrownLeft", 0.3),
        ("sad", "browInnerUp", 0.6),
    ],
)
def test_emotions_raise_their_units(emotion, unit, least):
    assert change(emotion, unit) > least


def test_more_intensity_is_more_change_below_and_above_1():
    half, full, twice = (change("happy", "mouthSmileLeft", intensity=k) for k in (0.5, 1.0, 2.0))
    assert 0 < half < full < twice


def test_frames_of_weight_0_pass():
    weight = np.clip(np.arange(30) / 10 - 1, 0, 1).astype(np.float32)
    source = replace(motion(), weight=weight)
    moved = np.abs(NED(source, Target("surprised")).coefficients - source.coefficients).max(1)
    assert (moved[weight == 0] == 0).all()
    assert moved[-1] > moved[11] > 0


@pytest.mark.parametrize("frames", [1, 3, 10, 47])
def test_any_length(frames):
    new = NED(motion(frames), Target("happy"))
    assert new.coefficients.shape == (frames, 52)
    assert np.isfinite(new.coefficients).all()


def test_a_reference_gives_its_style():
    smiling = motion(mouthSmileLeft=0.9, mouthSmileRight=0.9, cheekSquintLeft=0.6, cheekSquintRight=0.6).coefficients
    style = ReferenceStyle(smiling.mean(0), UNIFORM, np.zeros(256), smiling)
    new = NED(motion(), Target(reference=style))
    assert new.coefficients[:, INDEX["mouthSmileLeft"]].mean() > 0.05


def test_an_emotion_and_a_reference_give_the_mean_of_their_styles():
    style = ReferenceStyle(motion().coefficients.mean(0), UNIFORM, np.zeros(256), motion().coefficients)
    both, emotion, reference = (NED.style(t) for t in (Target("sad", style), Target("sad"), Target(reference=style)))
    assert torch.allclose(both, (emotion + reference) / 2)


def test_the_mean_of_a_reference_is_enough():
    style = ReferenceStyle(motion().coefficients.mean(0), UNIFORM, np.zeros(256))
    assert torch.isfinite(NED.style(Target(reference=style))).all()


def test_variants_can_be_repeated():
    a, b, again = (NED(motion(), Target("happy", seed=s)).coefficients for s in (1, 2, 1))
    assert (a == again).all()
    assert np.abs(a - b).max() > 0.01


def test_windows_hold_every_frame_and_end_at_the_end():
    for frames in (1, 9, 10, 11, 47):
        index = window_indices(torch.zeros(frames, 1))
        assert index.shape[1] == WINDOW_LENGTH
        assert set(index.flatten().tolist()) == set(range(frames))


def test_overlaps_are_blended_without_steps():
    def numbered(x, style):  # every window answers with a number of its own
        return torch.arange(len(x)).float()[:, None, None].expand_as(x)

    generated = translate_expression(numbered, torch.zeros(100, 1), torch.zeros(16), stride=3)[:, 0]
    assert generated[0] == 0
    assert -1e-4 <= torch.diff(generated).min() <= torch.diff(generated).max() < 0.5


def test_what_a_network_repeats_comes_back():
    x = torch.randn(33, 52, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(translate_expression(lambda part, style: part, x, torch.zeros(16)), x)
    styles = encode_style(lambda part: part.mean(1), x)
    assert styles.shape == (52,)

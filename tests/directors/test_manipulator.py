"""NED's manipulator as a director: what it may change, how far, and whole videos window by window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_directors import HEAD, INDEX, motion

from asccl import zoo
from asccl.directors.base import ReferenceStyle, Target
from asccl.directors.manipulator import ManipulatorDirector
from asccl.directors.preset import CEILING
from asccl.morphable.speech import speech_unit_mask
from asccl.nets.ned_manipulator import WINDOW_LENGTH, encode_style, translate, window_indices
from asccl.types import EMOTIONS

NED = ManipulatorDirector(HEAD, zoo.load_manipulator())
PLAIN = np.ones(7) / 7


def change(emotion: str, name: str, **options) -> float:
    source = motion()
    new = NED(source, Target(emotion, **options))
    return float((new.coefficients - source.coefficients)[:, INDEX[name]].mean())


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_nothing_at_intensity_nought_and_no_word_ever_changes(emotion):
    source = motion(mouthPucker=0.3, eyeLookUpLeft=0.2)
    still = NED(source, Target(emotion, intensity=0.0))
    assert (still.coefficients == source.coefficients).all() and (still.lip_gain == 1).all()
    new = NED(source, Target(emotion, intensity=2.0))
    kept = speech_unit_mask(HEAD.names)
    assert (new.coefficients[:, kept] == source.coefficients[:, kept]).all()
    assert new.coefficients.min() >= 0 and new.coefficients.max() <= CEILING + 1e-6


def test_emotions_go_their_way():
    assert change("happy", "mouthSmileLeft") > 0.3
    assert change("surprised", "browInnerUp") > 0.6
    assert change("angry", "browDownLeft") > 0.5
    assert change("sad", "mouthFrownLeft") > 0.3
    assert change("sad", "browInnerUp") > 0.6


def test_intensity_is_a_path_of_styles_and_more_beyond_one():
    half, full, twice = (change("happy", "mouthSmileLeft", intensity=k) for k in (0.5, 1.0, 2.0))
    assert 0 < half < full < twice


def test_frames_of_weight_nought_pass():
    weight = np.clip(np.arange(30) / 10 - 1, 0, 1).astype(np.float32)
    source = replace(motion(), weight=weight)
    moved = np.abs(NED(source, Target("surprised")).coefficients - source.coefficients).max(1)
    assert (moved[weight == 0] == 0).all() and moved[-1] > moved[11] > 0


@pytest.mark.parametrize("frames", [1, 3, 10, 47])
def test_any_length(frames):
    new = NED(motion(frames), Target("happy"))
    assert new.coefficients.shape == (frames, 52) and np.isfinite(new.coefficients).all()


def test_a_reference_gives_its_style():
    smiling = motion(mouthSmileLeft=0.9, mouthSmileRight=0.9, cheekSquintLeft=0.6, cheekSquintRight=0.6).coefficients
    style = ReferenceStyle(smiling.mean(0), PLAIN, np.zeros(256), smiling)
    new = NED(motion(), Target(reference=style))
    assert new.coefficients[:, INDEX["mouthSmileLeft"]].mean() > 0.05
    both, named, shown = (
        NED.style(t) for t in (Target("sad", style), Target("sad"), Target(reference=style))
    )  # fmt: skip
    assert torch.allclose(both, (named + shown) / 2)
    known = NED.style(Target(reference=replace(style, coefficients=None)))  # only the mean is known
    assert torch.isfinite(known).all()


def test_variants_can_be_repeated():
    a, b, again = (NED(motion(), Target("happy", seed=s)).coefficients for s in (1, 2, 1))
    assert (a == again).all() and np.abs(a - b).max() > 0.01


def test_windows_hold_every_frame_and_end_at_the_end():
    for frames in (1, 9, 10, 11, 47):
        index = window_indices(torch.zeros(frames, 1))
        assert index.shape[1] == WINDOW_LENGTH and set(index.flatten().tolist()) == set(range(frames))


def test_overlaps_are_blended_without_steps():
    def numbered(x, style):  # every window answers with a number of its own
        return torch.arange(len(x)).float()[:, None, None].expand_as(x)

    made = translate(numbered, torch.zeros(100, 1), torch.zeros(16), stride=3)[:, 0]
    assert made[0] == 0 and torch.diff(made).min() >= -1e-4 and torch.diff(made).max() < 0.5


def test_what_a_network_repeats_comes_back():
    x = torch.randn(33, 52, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(translate(lambda part, style: part, x, torch.zeros(16)), x)
    styles = encode_style(lambda part: part.mean(1), x)
    assert styles.shape == (52,)

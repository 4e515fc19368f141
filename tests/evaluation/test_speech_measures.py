from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from evaluated_clips import ArrayStream, evaluate, networks, score, talking

from asccl.evaluation.av_agreement import Operator, agreement, canonical_pair
from asccl.evaluation.registry import build_measures
from asccl.evaluation.sound import Sound, open_sound
from asccl.evaluation.speech import Segment, frames_in, speech_segments

TIMES = np.arange(16_000 * 6) / 16_000
SYLLABLES = np.abs(np.sin(2 * np.pi * 1.3 * TIMES)) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.37 * TIMES))  # an envelope


def voice(delay: float = 0.0) -> Sound:
    """A hum whose loudness follows the syllables."""
    envelope = np.interp(TIMES - delay, TIMES, SYLLABLES)
    return Sound((8000 * envelope * np.sin(2 * np.pi * 220 * TIMES)).astype(np.int16))


def mouth() -> np.ndarray:
    """Landmarks at 25 frames per second whose lips open with the syllables."""
    return talking(0.02 + 0.2 * np.interp((np.arange(150) + 0.5) / 25, TIMES, SYLLABLES))


@pytest.fixture
def av_agreement(monkeypatch):
    monkeypatch.setattr("asccl.evaluation.av_agreement.clip_speech", lambda clip, frames: None)  # a hum is no speech
    return build_measures(["av-agreement"], networks())[0][0]


def test_the_canonical_correlation_of_two_curves_is_that_of_pearson() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(500, 1))
    b = a + rng.normal(size=(500, 1))
    pair = canonical_pair(a, b)
    assert pair is not None
    assert pair.correlation == pytest.approx(np.corrcoef(a[:, 0], b[:, 0])[0, 1])


def test_a_combination_of_columns_is_recognized() -> None:
    a = np.random.default_rng(1).normal(size=(500, 3)) * [1, 10, 0.1]
    pair = canonical_pair(a, a @ [[1.0], [-0.2], [5]])
    assert pair is not None
    assert pair.correlation > 0.99


def test_lips_that_rest_agree_with_nothing() -> None:
    assert canonical_pair(np.ones((60, 2)), np.random.default_rng(2).normal(size=(60, 4))) is None


def test_the_lag_of_the_sound_is_recognized() -> None:
    curve = np.random.default_rng(3).normal(size=(200, 1))
    operator = Operator(np.ones(1), np.ones(1), 1.0)
    assert agreement(operator, curve, np.roll(curve, 3, 0), np.ones(200, bool), 5)[1] == 3


def test_frozen_lips_do_not_agree_with_the_sound(av_agreement) -> None:
    source, frozen = ArrayStream(mouth(), sound=voice()), ArrayStream(talking([0.1] * 150), sound=voice())
    assert score(av_agreement, source, frozen).value == 0


def test_lips_that_follow_the_sound_agree_more_than_with_other_words(av_agreement):
    source = ArrayStream(mouth(), sound=voice())
    result = score(av_agreement, source, source)
    assert result.value > result.extras["floor"] + 0.2


def test_a_late_sound_has_a_positive_lag(av_agreement):
    clip = ArrayStream(mouth(), sound=voice(delay=0.12))
    assert score(av_agreement, clip, clip).extras["lag"] == pytest.approx(0.12, abs=0.05)


@pytest.mark.parametrize("name", ["av-agreement", "phone-closures"])
def test_a_clip_without_sound_is_left_out(name):
    measures, missing = build_measures([name], networks())
    if missing:
        pytest.skip(missing[name])
    result = evaluate(measures[0], ArrayStream(mouth()), ArrayStream(mouth()))
    assert "sound" in result.left_out[name]


def test_the_middle_of_a_frame_decides_whether_it_has_speech():
    assert frames_in([Segment(0.1, 0.2)], 10, 25).nonzero()[0].tolist() == [2, 3, 4]


def test_a_hum_is_no_speech():
    pytest.importorskip("silero_vad")
    assert speech_segments(voice()) == []


@pytest.fixture(scope="module")
def sentence(tmp_path_factory) -> Sound:
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("espeak-ng is not installed")
    path = tmp_path_factory.mktemp("speech") / "sentence.wav"
    subprocess.run([program, "-v", "en-us", "-w", str(path), "My mother may make more money on Monday."], check=True)
    sound = open_sound(path)
    assert sound is not None
    return sound


def test_speech_is_recognized(sentence):
    pytest.importorskip("silero_vad")
    assert sum(b - a for a, b in speech_segments(sentence)) > 0.6 * sentence.duration


def test_phones_of_closed_lips_are_recognized(sentence):
    pytest.importorskip("pocketsphinx")
    from asccl.evaluation.speech import bilabial_segments

    assert len(bilabial_segments(sentence)) >= 3


def test_a_sound_that_starts_late_begins_with_silence(tmp_path: Path):
    assert Sound(np.ones(4, np.int16)).shifted(-2 / 16_000).samples.tolist() == [0, 0, 1, 1, 1, 1]


def test_other_words_are_the_second_half_first():
    assert Sound(np.arange(4, dtype=np.int16)).rotated().samples.tolist() == [2, 3, 0, 1]

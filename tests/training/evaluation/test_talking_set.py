from pathlib import Path

import numpy as np
import pytest

from asccl.data.protocols import PROTOCOLS, build_rows
from asccl.errors import SettingError
from asccl.evaluation.face_stream import FaceStreams
from asccl.face import mesh
from training.evaluation.espeak import SpokenText, is_installed, speak, visemes_of
from training.evaluation.talking_set import TalkingClip, TalkingSetSettings, plan_clips, render_talking_clip

needs_espeak = pytest.mark.skipif(not is_installed(), reason="eSpeak NG is not installed: apt-get install espeak-ng")


@pytest.fixture(scope="module")
def talking_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = TalkingSetSettings(output=tmp_path_factory.mktemp("talking"), size=160, max_seconds=1.4)
    clip = TalkingClip("clip.mp4", "M003", "happy", 0)
    render_talking_clip(settings, clip)
    return settings.output / clip.name


@needs_espeak
def test_phonemes_have_times_within_the_sound():
    spoken = speak("Bob")
    assert spoken.phonemes[0] == "b"
    assert 0 <= spoken.starts[0] < spoken.starts[-1] <= spoken.seconds


@needs_espeak
def test_an_unknown_voice_is_named():
    with pytest.raises(SettingError, match="xx-none"):
        speak("hello", voice="xx-none")


@needs_espeak
def test_the_lips_close_where_the_sound_has_p_b_and_m(talking_clip):
    with FaceStreams() as streams:
        gaps = np.array([float(mesh.lip_gap(landmarks)) for _, landmarks in streams.open(talking_clip).frames()])
    spoken = speak("People walk home before five.", pitch=0.9)
    closed = [round((0.2 + start) * 30) for p, start in zip(spoken.phonemes, spoken.starts, strict=True) if p in "pbm"]
    inside = [frame for frame in closed if 0 < frame < len(gaps) - 1]
    assert np.mean([gaps[k - 1 : k + 2].min() for k in inside]) < 0.5 * gaps.mean()


@needs_espeak
def test_a_clip_has_sound_of_its_own_length(talking_clip):
    with FaceStreams() as streams:
        stream = streams.open(talking_clip)
        assert stream.sound.duration == pytest.approx(stream.info.duration, abs=0.1)


def test_a_closing_phoneme_before_a_vowel_becomes_a_closed_viseme():
    spoken = SpokenText(np.zeros(8000, np.float32), 16000, ("b", "ɑː"), np.array([0.1, 0.2]))
    visemes = visemes_of(spoken, 0.5)
    assert visemes.names[:2] == ("p", "aa")
    assert visemes.centres[0] == pytest.approx(0.6)


@pytest.mark.parametrize("layout", ["mead", "ravdess"])
def test_the_names_are_those_of_the_protocol(tmp_path, layout):
    for clip in plan_clips(TalkingSetSettings(layout=layout, actors=2, takes=2)):
        path = tmp_path / clip.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert {row.speaker for row in build_rows(PROTOCOLS[layout], tmp_path, "cross-id").rows} == {
        next(iter(PROTOCOLS[layout].drivers))
    }

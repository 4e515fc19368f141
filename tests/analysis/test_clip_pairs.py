"""Pairs of emotions in the names of clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from asccl.analysis.clip_pairs import find_pairs, pair_clips, parse_clip_name
from asccl.errors import InputError


@pytest.mark.parametrize(
    ("name", "emotion", "sentence"),
    [
        ("talk-happy.mp4", "happy", "talk"),
        ("Talk Neutral.mov", "neutral", "talk"),
        ("anger_01.mp4", "angry", "01"),
        ("unhappy.mp4", None, "unhappy"),
        ("01-01-07-02-01-02-03.mp4", "disgusted", "01-02-03"),
        ("01-01-02-01-01-02-03.mp4", None, "01-02-03"),
        ("01-01-09-01-01-02-03.mp4", None, "01-02-03"),
    ],
)
def test_names_give_emotion_and_sentence(name, emotion, sentence):
    assert parse_clip_name(Path(name))[1:] == (emotion, sentence)


def test_folders_of_mead_give_the_emotion(tmp_path):
    parts = ("neutral/level_1/001.mp4", "happy/level_3/001.mp4", "sad/level_3/001.mp4", "sad/level_3/002.mp4")
    for part in (*parts, "neutral/level_1/002.mp4", "notes.txt"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).touch()
    pairs = find_pairs(tmp_path)
    assert [p.label for p in pairs] == ["neutral – happy", "neutral – sad", "neutral – sad"]
    assert [p.source.name for p in pairs] == [p.generated.name for p in pairs]


def test_clips_without_a_pair_are_refused():
    with pytest.raises(InputError, match="name the clips by emotion"):
        pair_clips([parse_clip_name(Path("a.mp4")), parse_clip_name(Path("b.mp4"))])

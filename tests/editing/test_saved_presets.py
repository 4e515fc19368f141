"""Saved presets: a file is read as it was written, and a bad one is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asccl.editing.saved_presets import SavedPreset, parse_preset, preset_json, read_preset, write_preset
from asccl.errors import SettingError
from asccl.expression import GroupAmounts

WISTFUL = SavedPreset("Wistful", "sad", 0.8, "happy", 0.25, GroupAmounts(brows=0.4, lips_apart=-0.5), 3)


def test_a_written_preset_is_read_again(tmp_path: Path):
    write_preset(WISTFUL, tmp_path / "wistful.json")
    assert read_preset(tmp_path / "wistful.json") == WISTFUL


def test_settings_that_are_left_out_have_their_defaults():
    text = json.dumps({"format": "asccl-preset", "version": 1, "name": "Plain", "emotion": "angry"})
    assert parse_preset(text, "plain.json") == SavedPreset("Plain", "angry")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"emotion": "joyful"}, "there is no emotion 'joyful'"),
        ({"emotion": 3}, "emotion is 3, which is no str"),
        ({"intensity": 2.5}, "intensity 2.5 is out of range"),
        ({"intensity": 10**400}, "which is no float"),
        ({"intensity": True}, "intensity is True"),
        ({"second_emotion": "sad"}, "sad cannot be mixed with itself"),
        ({"second_share": 1.5}, "share 1.5 of the second emotion is out of range"),
        ({"groups": {"brows": 2}}, "2 of brows is out of range"),
        ({"groups": {"ears": 1}}, "there is no setting 'ears'"),
        ({"groups": [1]}, "`groups` is not a table of amounts"),
        ({"seed": -1}, "seed -1 is negative"),
        ({"source": "x.mp4"}, "there is no setting 'source'"),
        ({"name": ""}, "a preset needs a name"),
        ({"name": "two\nlines"}, "a preset needs a name"),
        ({"format": "photo"}, "wistful.json is no preset of this program"),
        ({"version": 2}, "wistful.json has version 2, not 1"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line(change, problem):
    text = json.dumps(json.loads(preset_json(WISTFUL)) | change)
    with pytest.raises(SettingError) as caught:
        parse_preset(text, "wistful.json")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"name": "x"}'])
def test_what_is_no_preset_is_refused(text):
    with pytest.raises(SettingError, match=r"x\.json is n"):
        parse_preset(text, "x.json")


def test_a_setting_that_is_missing_is_named():
    with pytest.raises(SettingError, match="the setting 'emotion' is missing"):
        parse_preset('{"format": "asccl-preset", "version": 1, "name": "x"}', "x.json")


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "photo.json").write_bytes(bytes(30_000))
    with pytest.raises(SettingError, match=r"photo\.json is too large for a preset"):
        read_preset(tmp_path / "photo.json")

"""The texts of the expert controls, saved presets in the browser, and the table and zip of a batch."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from coroutines import run_coroutine
from fake_editor import FakeEditor

from asccl.editing.saved_presets import SavedPreset, preset_json
from asccl.errors import SettingError
from asccl.expression import GroupAmounts, Keyframe
from asccl.ui.batch_handlers import MAX_FILES, BatchHandlers, BatchSettings, table_html
from asccl.ui.edit_handlers import STAGE_SHARES
from asccl.ui.examples import EXAMPLES, EXAMPLES_FOLDER, example_result
from asccl.ui.expression_values import expression_fields, expression_text
from asccl.ui.job_runner import JobRunner
from asccl.ui.limits import WEB_LIMITS
from asccl.ui.listeners import Listeners
from asccl.ui.places import Places
from asccl.ui.preset_controls import MAX_PRESETS, apply_preset, read_store, save_preset
from asccl.video.reader import probe

MIX = '{"second_emotion": "surprised", "second_share": 0.3, "groups": {"brows": 0.5}}'
WISTFUL = SavedPreset("Wistful", "sad", 0.8, "happy", 0.25, GroupAmounts(brows=0.4), 3)
PAGE = SimpleNamespace(session_hash="page", client=None)


def test_texts_become_fields_of_a_request():
    assert expression_fields(MIX, "[[0, 0], [1, 1]]", "happy") == {
        "second_emotion": "surprised",
        "second_share": 0.3,
        "groups": GroupAmounts(brows=0.5),
        "keyframes": (Keyframe(0, 0), Keyframe(1, 1)),
    }


def test_no_texts_change_nothing():
    assert expression_fields("", "", "happy") == {}


@pytest.mark.parametrize("emotion", ["surprised", "reference", None])
def test_a_mix_that_fits_no_longer_is_left_out(emotion):
    assert "second_emotion" not in expression_fields(MIX, "", emotion)


@pytest.mark.parametrize("text", ["[]", "{", '{"source": "/etc/passwd"}', '{"groups": {"ears": 1}}', "[" * 100_000])
def test_a_malformed_text_is_refused(text):
    with pytest.raises(SettingError):
        expression_fields(text, "", "happy")


def test_a_preset_becomes_a_text_and_back():
    fields = expression_fields(expression_text(WISTFUL), "", "sad")
    assert (fields["second_emotion"], fields["second_share"], fields["groups"]) == ("happy", 0.25, WISTFUL.groups)


def test_saved_settings_are_applied_again():
    store, choice, note = save_preset([], " My smile ", "happy", 1.25, 2, MIX)
    assert choice.choices == [("My smile", "My smile")]
    assert "My smile is saved" in note
    emotion, intensity, variant, expression = apply_preset(store, "My smile")
    assert (emotion, intensity, variant) == ("happy", 1.25, 2)
    assert json.loads(expression)["second_emotion"] == "surprised"


def test_a_preset_of_the_same_name_is_replaced():
    store, *_ = save_preset([preset_json(WISTFUL)], "Wistful", "happy", 1.0, 0, "")
    assert [preset.emotion for preset in read_store(store).values()] == ["happy"]


@pytest.mark.parametrize(("name", "emotion"), [("", "happy"), ("x" * 61, "happy"), ("copied", "reference")])
def test_what_cannot_be_saved_is_explained(name, emotion):
    store, _, note = save_preset([], name, emotion, 1.0, 0, "")
    assert store == gr.skip()
    assert 'role="alert"' in note


def test_a_full_store_is_explained():
    store = [preset_json(SavedPreset(f"preset {n}", "sad")) for n in range(MAX_PRESETS)]
    assert "delete one first" in save_preset(store, "one more", "happy", 1.0, 0, "")[2]


@pytest.mark.parametrize("store", [None, "text", [1, None, "{"], [preset_json(WISTFUL).replace("sad", "joy")]])
def test_a_store_that_somebody_changed_is_ignored(store):
    assert read_store(store) == {}


def test_the_settings_of_a_batch_are_described():
    text = BatchSettings("happy", None, 1.25, 0, "warp", True, MIX, True).describe()
    assert text == "Happy with 30% surprised, intensity 1.25, brows moved by hand"


def edit_all(tmp_path: Path, files: list[Path], consent: bool = True, editor: FakeEditor | None = None, **settings):
    """Run a batch; returns the names in the zip, the rows of its table, and all that was yielded."""
    editor = editor or FakeEditor()
    runner = JobRunner(STAGE_SHARES, Places(1, 2, 8), Listeners(), tmp_path)
    handlers = BatchHandlers(editor, WEB_LIMITS, runner, tmp_path)
    arguments = {
        "emotion": "sad",
        "reference": None,
        "intensity": 1.0,
        "variant": 0,
        "generator": "warp",
        "adapt": True,
        "expression": "",
        "badge": True,
    } | settings
    content: dict[str, str] = {}

    async def collect() -> list:
        yields = []
        async for outputs in handlers.edit_all(*arguments.values(), [str(f) for f in files], consent, PAGE):
            yields.append(outputs)
            if outputs[0]:
                with zipfile.ZipFile(outputs[0]) as archive:
                    content.update({name: archive.read(name).decode("latin-1") for name in archive.namelist()})
        return yields

    yields = run_coroutine(collect())
    rows = list(csv.DictReader(content.get("table.csv", "").splitlines()))
    return content, rows, yields


def test_a_batch_gives_one_zip_and_one_table(media, tmp_path):
    content, rows, yields = edit_all(tmp_path, [media / "talk.mp4", media / "fake.mp4", media / "face.jpg"])
    assert sorted(content) == [
        *("face-sad.jpg", "face-sad.jpg.json", "table.csv", "talk-sad.mp4", "talk-sad.mp4.json"),
    ]
    assert [row["source"] for row in rows] == ["talk.mp4", "fake.mp4", "face.jpg"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "Done: 2 of 3 files are edited" in yields[-1][2]
    assert list(tmp_path.iterdir()) == []


def test_two_files_of_one_name_both_arrive(media, tmp_path):
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / "face.jpg").write_bytes((media / "face.jpg").read_bytes())
    content, *_ = edit_all(tmp_path / "twin", [media / "face.jpg", twin / "face.jpg"])
    assert {"face-sad.jpg", "face-sad-2.jpg"} <= set(content)


def test_a_batch_has_the_expert_settings(media, tmp_path):
    editor = FakeEditor()
    edit_all(tmp_path, [media / "face.jpg"], editor=editor, expression=MIX)
    assert editor.requests[0].second_emotion == "surprised"
    assert editor.requests[0].groups == GroupAmounts(brows=0.5)


@pytest.mark.parametrize(
    ("count", "consent", "settings", "problem"),
    [
        (0, True, {}, "no files yet"),
        (MAX_FILES + 1, True, {}, "too many at once"),
        (1, False, {}, "tick the box"),
        (1, True, {"emotion": "reference"}, "no clip to copy"),
    ],
)
def test_a_batch_that_cannot_begin_is_explained(media, tmp_path, count, consent, settings, problem):
    with pytest.raises(gr.Error, match=problem):
        edit_all(tmp_path, [media / "face.jpg"] * count, consent, **settings)


def test_names_in_the_table_are_escaped():
    row = dict.fromkeys(("before", "after", "lip_correlation", "identity", "weak")) | {"error": "no face"}
    assert "<b>" not in table_html([row | {"source": "<b>.mp4"}])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.path.name)
def test_every_example_has_a_finished_result(example):
    source, edited = probe(example.path), probe(example.result)
    assert (edited.width, edited.height, edited.frames) == (source.width, source.height, source.frames)
    assert example_result(example)["settings"]["emotion"] == example.emotion


def test_the_examples_are_small():
    assert sum(path.stat().st_size for path in EXAMPLES_FOLDER.iterdir()) < 3 * 2**20

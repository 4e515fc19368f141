"""The options of `asccl edit` for mixes, groups, keyframes, presets and tables."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import pytest

from asccl.__main__ import main
from asccl.commands.expression_options import add_expression_arguments, expression_settings
from asccl.editing.batch import COLUMNS, failed_row, table_csv
from asccl.editing.saved_presets import SavedPreset, write_preset
from asccl.expression import GroupAmounts, Keyframe


def settings(*arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    group = parser.add_argument_group()
    group.add_argument("--emotion")
    group.add_argument("--seed", type=int)
    add_expression_arguments(group)
    return expression_settings(parser.parse_args(arguments))


@pytest.fixture
def preset(tmp_path: Path) -> str:
    path = tmp_path / "wistful.json"
    write_preset(SavedPreset("Wistful", "sad", 0.8, "happy", 0.25, GroupAmounts(brows=0.4), 3), path)
    return str(path)


def test_the_intensity_is_1_unless_another_is_named():
    assert settings("--emotion", "sad") == {"emotion": "sad", "intensity": 1.0, "second_emotion": None}


def test_a_mix_and_groups():
    read = settings("--emotion", "happy", "--mix", "surprised:0.3", "--adjust", "brows=0.5, lips-apart=-0.25")
    assert (read["second_emotion"], read["second_share"]) == ("surprised", 0.3)
    assert read["groups"] == GroupAmounts(brows=0.5, lips_apart=-0.25)


def test_keyframes_come_from_a_file(tmp_path: Path):
    (tmp_path / "curve.csv").write_text("time,intensity\n0,0\n1.5,1\n")
    assert settings("--keyframes", str(tmp_path / "curve.csv"))["keyframes"] == (Keyframe(0, 0), Keyframe(1.5, 1))


def test_a_preset_decides_the_expression(preset: str):
    read = settings("--preset", preset)
    assert (read["emotion"], read["second_emotion"], read["intensity"], read["seed"]) == ("sad", "happy", 0.8, 3)


def test_other_options_replace_parts_of_a_preset(preset: str):
    read = settings("--preset", preset, "--intensity", "1.5", "--mix", "fear:0.1")
    assert (read["emotion"], read["second_emotion"], read["intensity"]) == ("sad", "fear", 1.5)


def test_another_emotion_replaces_the_mix_of_a_preset(preset: str):
    assert settings("--preset", preset, "--emotion", "happy")["second_emotion"] is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--mix", "surprised"], "no emotion and share"),
        (["--mix", "joy:0.3"], "there is no emotion 'joy'"),
        (["--mix", "happy:1.2"], "share 1.2 of the second emotion is out of range"),
        (["--adjust", "ears=1"], "there is no group 'ears'"),
        (["--adjust", "brows=up"], "no group and amount"),
        (["--adjust", "brows=3"], "3.0 of brows is out of range"),
        (["--adjust", "brows=1,brows=0"], "brows is named twice"),
        (["--keyframes", "gone.csv"], "gone.csv cannot be read"),
        (["--preset", "gone.json"], "gone.json cannot be read"),
    ],
)
def test_a_bad_option_is_reported_in_one_line(arguments, problem, capsys):
    try:
        status = main(["edit", "talk.mp4", "--emotion", "sad", *arguments])
    except SystemExit as error:
        status = error.code
    assert status == 2
    message = capsys.readouterr().err
    assert problem in message
    assert message.count("\n") == 1


@pytest.mark.usefixtures("shared_editor")
def test_the_table_has_a_row_for_each_input(still: Path, tmp_path: Path, capsys):
    folder = tmp_path / "out"
    inputs = [str(still), str(tmp_path / "gone.mp4")]
    options = ["--emotion", "sad", "--adapt", "off", "-o", str(folder), "--table", f"{folder}/table.csv"]
    assert main(["edit", *inputs, *options]) == 3
    capsys.readouterr()
    rows = list(csv.DictReader((folder / "table.csv").open()))
    assert [row["output"] for row in rows] == [str(folder / "portrait-sad.png"), ""]
    assert float(rows[0]["identity"]) > 0.5
    assert rows[1]["error"].startswith("gone.mp4 does not exist")


@pytest.mark.usefixtures("shared_editor")
def test_a_table_never_replaces_an_input(still: Path, capsys):
    content = still.read_bytes()
    assert main(["edit", str(still), "--emotion", "sad", "--table", str(still)]) == 2
    assert "cannot be the report as well" in capsys.readouterr().err
    assert still.read_bytes() == content


def test_a_name_that_looks_like_a_formula_is_text_in_the_table():
    row = next(csv.DictReader(table_csv([failed_row("=cmd.mp4", "no face")]).splitlines()))
    assert list(row) == list(COLUMNS)
    assert row["source"] == "'=cmd.mp4"

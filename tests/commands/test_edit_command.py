"""`asccl edit`: where outputs go, what is printed, and what a bad input changes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from media import ROOT
from PIL import Image

from asccl.__main__ import main

pytestmark = pytest.mark.usefixtures("shared_editor")


def test_as_a_user_starts_it(still: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "out.png", tmp_path / "report.json"
    command = [sys.executable, "-m", "asccl", "edit", still, "--emotion", "happy", "-o", output, "--json", report]
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert (process.returncode, process.stderr) == (0, "")  # no progress bar and no messages of libraries
    (line,) = process.stdout.splitlines()
    assert line.split("\t")[:2] == [str(output), "edited 1 of 1 frames"]
    assert json.loads(report.read_text())["output"] == str(output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "report.json"]


def test_several_inputs_go_on_after_a_bad_one(
    still: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "new" / "folder"
    inputs = [still, tmp_path / "gone.mp4", short_clip]
    status = main(["edit", *map(str, inputs), "--emotion", "happy", "-o", str(folder), "--json", f"{folder}/all.json"])
    printed = capsys.readouterr()
    assert status == 3
    assert printed.err == "asccl: gone.mp4 does not exist: check the name and the folder\n"
    assert [row.split("\t")[0] for row in printed.out.splitlines()] == [
        str(folder / "portrait-happy.png"),
        str(folder / "short-happy.mp4"),
    ]
    assert {path.name for path in folder.iterdir()} == {"portrait-happy.png", "short-happy.mp4", "all.json"}
    reports = json.loads((folder / "all.json").read_text())
    assert [report.get("status", 0) for report in reports] == [0, 3, 0]
    assert reports[1]["error"].startswith("gone.mp4 does not exist")


def test_a_report_to_stdout_is_all_that_is_printed(still: Path, tmp_path: Path, capsys) -> None:
    assert main(["edit", str(still), "--emotion", "happy", "-o", f"{tmp_path}/", "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["output"] == str(tmp_path / "portrait-happy.png")


def test_without_o_the_output_lies_beside_the_source(still: Path, tmp_path: Path) -> None:
    source = tmp_path / "me.png"
    source.write_bytes(still.read_bytes())
    assert main(["edit", str(source), "--reference", str(still)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me-reference.png", "me.png"]


def test_several_inputs_need_a_folder_not_the_name_of_one_file(still: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "out.MP4"
    assert main(["edit", str(still), str(still), "--emotion", "happy", "-o", str(output)]) == 2
    assert "out.MP4 is the name of one file: give a folder after -o" in capsys.readouterr().err
    assert not output.exists()


def test_two_inputs_never_share_an_output(still: Path, tmp_path: Path, capsys) -> None:
    twin = tmp_path / still.name
    twin.write_bytes(still.read_bytes())
    folder = tmp_path / "out"
    assert main(["edit", str(still), str(twin), "--emotion", "sad", "-o", str(folder)]) == 2
    assert "choose another name or folder" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["portrait-sad.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--emotion", "sad", "-o", "{source}"],
        ["--reference", "{reference}", "-o", "{reference}"],
        ["--emotion", "sad", "--json", "{source}"],
    ],
)
def test_nothing_that_is_read_is_overwritten(arguments: list[str], still: Path, tmp_path: Path, capsys) -> None:
    content = still.read_bytes()
    source = tmp_path / "me.png"
    source.write_bytes(content)
    assert main(["edit", str(source), *(text.format(source=source, reference=still) for text in arguments)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert source.read_bytes() == content
    assert still.read_bytes() == content


@pytest.mark.parametrize("name", [82 * "\u6c49" + ".png", 246 * "a" + ".png", "\udc80" + 200 * "b" + ".png"])
def test_a_long_name_gives_a_shortened_output(name: str, still: Path, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_bytes(still.read_bytes())
    assert main(["edit", str(source), "--emotion", "sad"]) == 0
    (output,) = set(tmp_path.iterdir()) - {source}
    assert output.name == source.stem[: len(output.name) - 8] + "-sad.png"


def test_an_output_name_that_is_too_long(still: Path, tmp_path: Path, capsys) -> None:
    assert main(["edit", str(still), "--emotion", "sad", "-o", f"{tmp_path}/{300 * 'x'}.png"]) == 1
    assert capsys.readouterr().err.endswith("xx... is too long: give a shorter one with -o\n")


def test_a_name_that_begins_with_a_dash_gets_a_hint(still: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.png").write_bytes(still.read_bytes())
    with pytest.raises(SystemExit):
        main(["edit", "-dash.png", "--emotion", "sad"])
    assert capsys.readouterr().err.endswith(": write ./-dash.png for the file -dash.png\n")
    assert main(["edit", "./-dash.png", "--emotion", "sad"]) == 0
    assert (tmp_path / "-dash-sad.png").exists()


def test_dropped_metadata_are_printed_and_reported(still: Path, tmp_path: Path, capsys) -> None:
    with Image.open(still) as image:
        image.save(tmp_path / "a.png", exif=b"Exif\0\0XX*\0\x08\0\0\0")
    report = tmp_path / "report.json"
    assert main(["edit", str(tmp_path / "a.png"), "--emotion", "sad", "--json", str(report)]) == 0
    assert "dropped EXIF: metadata that the output cannot keep" in capsys.readouterr().out
    assert json.loads(report.read_text())["metadata"] == {"dropped": ["EXIF"]}

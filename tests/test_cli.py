"""The command line as people use it: outputs, reports, exit status, signals, terminals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from media import ROOT

from asccl import Editor
from asccl.__main__ import main
from asccl.commands import console, edit_report


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess:
    """The command line as a user starts it."""
    command = [sys.executable, "-m", "asccl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, **options)


@pytest.fixture
def shared(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """The command line takes the tests' editor, so that the networks load once."""
    monkeypatch.setattr("asccl.editing.editor.Editor", lambda device: editor)
    return editor


def test_as_a_user_starts_it(still: Path, tmp_path: Path) -> None:
    done = run("edit", still, "--emotion", "happy", "-o", tmp_path / "out.png", "--json", tmp_path / "report.json")
    assert (done.returncode, done.stderr) == (0, "")  # no progress bar and no library's chatter
    (said,) = done.stdout.splitlines()
    assert said.split("\t")[:2] == [str(tmp_path / "out.png"), "edited 1 of 1 frames"]
    assert {"schema", "output", "request", "weights"} <= set(json.loads((tmp_path / "report.json").read_text()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "report.json"]


def test_several_inputs_go_on_after_a_bad_one(
    shared: Editor, still: Path, short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "new" / "folder"
    inputs = [still, tmp_path / "gone.mp4", short_clip]
    status = main(["edit", *map(str, inputs), "--emotion", "happy", "-o", str(folder), "--json", f"{folder}/all.json"])
    said = capsys.readouterr()
    assert status == 3
    assert said.err == "asccl: gone.mp4 does not exist: check the name and the folder\n"
    assert [row.split("\t")[0] for row in said.out.splitlines()] == [
        str(folder / "portrait-happy.png"),
        str(folder / "short-happy.mp4"),
    ]
    assert {path.name for path in folder.iterdir()} == {"portrait-happy.png", "short-happy.mp4", "all.json"}
    reports = json.loads((folder / "all.json").read_text())
    assert [report.get("status", 0) for report in reports] == [0, 3, 0]
    assert reports[1]["error"].startswith("gone.mp4 does not exist")


def test_report_to_stdout_is_all_there_is(shared: Editor, still: Path, tmp_path: Path, capsys) -> None:
    assert main(["edit", str(still), "--emotion", "happy", "-o", f"{tmp_path}/", "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["output"] == str(tmp_path / "portrait-happy.png")


def test_without_o_the_output_lies_beside_the_source(shared: Editor, still: Path, tmp_path: Path) -> None:
    source = tmp_path / "me.png"
    source.write_bytes(still.read_bytes())
    assert main(["edit", str(source), "--reference", str(still)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me-reference.png", "me.png"]


def test_two_inputs_never_share_an_output(shared: Editor, still: Path, tmp_path: Path, capsys) -> None:
    twin = tmp_path / still.name
    twin.write_bytes(still.read_bytes())
    out = tmp_path / "out"
    assert main(["edit", str(still), str(twin), "--emotion", "sad", "-o", str(out)]) == 2
    assert "choose another name or folder" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["portrait-sad.png"]


def test_nothing_that_is_read_is_overwritten(shared: Editor, still: Path, tmp_path: Path, capsys) -> None:
    before = still.read_bytes()
    own = tmp_path / "me.png"
    own.write_bytes(before)
    for arguments in (["--emotion", "sad", "-o", str(own)], ["--reference", str(still), "-o", str(still)],
                      ["--emotion", "sad", "--json", str(own)]):  # fmt: skip
        assert main(["edit", str(own), *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert own.read_bytes() == still.read_bytes() == before


def test_help_teaches(capsys) -> None:
    for command in (["--help"], ["edit", "--help"]):
        with pytest.raises(SystemExit) as leaving:
            main(command)
        assert leaving.value.code == 0
    said = capsys.readouterr().out
    for word in ("examples:", "exit status:", "disgusted", "--intensity X", "default 1"):
        assert word in said


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly(
    shared: Editor, clip: Path, tmp_path: Path, temporary: Path, monkeypatch, capsys, number: int, status: int
) -> None:
    """The signal comes in the middle of rendering."""
    before = signal.getsignal(number)
    real = console.Progress

    def progress(show, asked):
        def told(stage: str, done: float) -> None:
            show(stage, done)
            if stage == "render" and done > 0.4:
                os.kill(os.getpid(), number)

        return real(told, asked)

    monkeypatch.setattr("asccl.commands.console.Progress", progress)
    out = tmp_path / "out"
    assert main(["edit", str(clip), "--emotion", "sad", "-o", f"{out}/", "--json", str(tmp_path / "r.json")]) == status
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "asccl: cancelled: start again when you like\n")
    assert list(tmp_path.iterdir()) == [temporary]
    assert signal.getsignal(number) is before


def test_a_bug_is_one_line_and_a_traceback_only_on_demand(monkeypatch, still: Path, capsys) -> None:
    def broken(device: str) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("asccl.editing.editor.Editor", broken)
    assert main(["edit", str(still), "--emotion", "sad"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("asccl: this is a bug (ZeroDivisionError: by zero): ") and said.count("\n") == 1
    assert main(["edit", str(still), "--emotion", "sad", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_terminal_sees_a_bar_and_a_table(still: Path, tmp_path: Path) -> None:
    """Through a pseudo-terminal, in another process."""
    near, far = pty.openpty()
    termios.tcsetwinsize(far, (24, 100))
    command = [sys.executable, "-m", "asccl", "edit", str(still), "--emotion", "sad", "-o", str(tmp_path / "o.png")]
    seen: list[bytes] = []

    def listen() -> None:
        try:
            while part := os.read(near, 4096):
                seen.append(part)
        except OSError:  # how Linux says that the other side is closed
            pass

    process = subprocess.Popen(command, cwd=ROOT, stdout=far, stderr=far)
    os.close(far)
    listener = threading.Thread(target=listen)
    listener.start()
    assert process.wait(timeout=300) == 0
    listener.join(timeout=30)
    os.close(near)
    text = b"".join(seen).decode()
    assert "portrait.png: render" in text and "% |" in text
    assert "\n  edited     1 of 1 frames" in text


def test_table_lists_what_was_passed_through() -> None:
    report = {
        "frames": {"total": 90, "edited": 60, "passed_through": 30, "unreadable": 7,
                   "spans": [{"first": 0, "last": 29, "start": 0.0, "end": 1.0, "reason": "turned"}] * 6},
        "speech": {"lip_gap_correlation": 0.987, "lip_distance_percent": None, "closures_kept": 0.961},
        "identity": {"similarity": 0.91},
        "emotion": {"target": "happy", "before": 0.1, "after": 0.84},
        "seconds": {"total": 3.21},
    }  # fmt: skip
    assert edit_report.format_table(Path("o.mp4"), report).splitlines() == [
        "o.mp4",
        "  edited     60 of 90 frames",
        "  missing    7 frames that could not be read: the file is damaged or cut off",
        "  speech     lip opening r 0.99, closures kept 96%",
        "  identity   0.91",
        "  happy      0.10 -> 0.84",
        "  time       3.2 s",
        *["  unchanged  0.00 to 1.00 s, face turned"] * 4,
        "             and 2 more spans",
    ]


def test_stop_asks_first_and_insists_the_second_time() -> None:
    with console.InterruptHandler() as stop:
        assert not stop.interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 10
        while not stop.interrupted() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert stop.interrupted()
        with pytest.raises(KeyboardInterrupt):
            stop._handle(signal.SIGINT, None)


def test_readings_leave_out_what_was_not_measured() -> None:
    nothing = SimpleNamespace(
        frames={"total": 1, "edited": 0, "unreadable": 0},
        speech=dict.fromkeys(("lip_gap_correlation", "lip_distance_percent", "closures_kept")),
        identity={"similarity": None},
        emotion={"target": "sad", "before": None, "after": None},
        seconds={"total": 1.0},
    )
    assert edit_report.summarize_report(vars(nothing)) == {"edited": "0 of 1 frames", "time": "1.0 s"}

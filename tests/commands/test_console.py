"""What all commands share: help, signals, progress bar, and errors in one line."""

from __future__ import annotations

import argparse
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from media import ROOT

from asccl.__main__ import build_parser, main
from asccl.commands import console
from asccl.interop.kinds import KINDS
from asccl.progress import Progress


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser of the program, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def test_every_argument_of_every_command_is_described() -> None:
    undescribed = [
        (parser.prog, action.dest)
        for parser in parsers(build_parser())
        for action in parser._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert undescribed == []


def test_every_positional_argument_is_written_in_capitals() -> None:
    names = [
        action.metavar or action.dest
        for parser in parsers(build_parser())
        for action in parser._actions
        if not action.option_strings
    ]
    assert [name for name in names if not name.partition(".")[0].isupper()] == []


def test_the_description_of_every_command_is_a_sentence() -> None:
    descriptions = [" ".join((parser.description or "").split()) for parser in parsers(build_parser())]
    assert [text for text in descriptions if not (text[:1].isupper() and text.endswith("."))] == []


def test_the_kinds_of_checkpoints_are_listed_in_two_columns(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["import-weights", "--help"])
    listed = capsys.readouterr().out.partition("kinds:\n")[2].partition("\n\n")[0].splitlines()
    columns = {line.index(KINDS[line.split()[0]].description) for line in listed}
    assert len(columns) == 1


@pytest.mark.parametrize("command", [[], ["edit"], ["analyze"], ["import-weights"], ["study"]])
def test_help_exits_with_status_0(command: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([*command, "--help"])
    assert exit_info.value.code == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["exit status:", "disgusted", "--intensity X", "default 1"])
def test_the_help_of_edit_explains(text: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["edit", "--help"])
    assert text in capsys.readouterr().out


@pytest.mark.parametrize(("started", "name"), [("/usr/bin/asccl", "asccl"), ("asccl/__main__.py", "python -m asccl")])
def test_the_help_names_the_program_as_it_was_started(started: str, name: str, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    assert f"  {name} edit talk.mp4 --emotion happy" in build_parser().format_help()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.usefixtures("shared_editor")
def test_a_signal_stops_cleanly(
    clip: Path, tmp_path: Path, temporary: Path, monkeypatch, capsys, number: int, status: int
) -> None:
    """The signal arrives in the middle of rendering."""
    handler = signal.getsignal(number)

    def interrupting_progress(report, interrupted) -> Progress:
        def report_and_interrupt(stage: str, done: float) -> None:
            report(stage, done)
            if stage == "render" and done > 0.4:
                os.kill(os.getpid(), number)

        return Progress(report_and_interrupt, interrupted)

    monkeypatch.setattr("asccl.commands.console.Progress", interrupting_progress)
    folder, report = tmp_path / "out", tmp_path / "report.json"
    assert main(["edit", str(clip), "--emotion", "sad", "-o", f"{folder}/", "--json", str(report)]) == status
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "asccl: cancelled: start again when you like\n")
    assert list(tmp_path.iterdir()) == [temporary]
    assert signal.getsignal(number) is handler


def test_the_second_signal_ends_the_process(monkeypatch, capfd) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    with console.InterruptHandler() as interrupts:
        assert not interrupts.interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 60
        while not interrupts.interrupted() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert interrupts.interrupted()
        assert statuses == []
        interrupts._handle(signal.SIGTERM, None)
    assert statuses == [143]
    assert capfd.readouterr().err == "asccl: cancelled: start again when you like\n"


def test_a_bug_is_one_line_and_a_traceback_only_on_demand(monkeypatch, still: Path, capsys) -> None:
    def broken(device: str) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("asccl.editing.editor.Editor", broken)
    assert main(["edit", str(still), "--emotion", "sad"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("asccl: this is a bug (ZeroDivisionError: by zero): ")
    assert message.count("\n") == 1
    assert main(["edit", str(still), "--emotion", "sad", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_terminal_displays_a_bar_and_a_table(still: Path, tmp_path: Path) -> None:
    """Through a pseudo-terminal, in another process."""
    own_side, other_side = pty.openpty()
    termios.tcsetwinsize(other_side, (24, 100))
    command = [sys.executable, "-m", "asccl", "edit", str(still), "--emotion", "sad", "-o", str(tmp_path / "o.png")]
    chunks: list[bytes] = []

    def read_terminal() -> None:
        try:
            while chunk := os.read(own_side, 4096):
                chunks.append(chunk)
        except OSError:  # on Linux, the other side is closed
            pass

    process = subprocess.Popen(command, cwd=ROOT, stdout=other_side, stderr=other_side)
    os.close(other_side)
    reader = threading.Thread(target=read_terminal)
    reader.start()
    assert process.wait(timeout=300) == 0
    reader.join(timeout=60)
    os.close(own_side)
    text = b"".join(chunks).decode()
    for part in ("portrait.png: render", "% |", "\n  edited     1 of 1 frames"):
        assert part in text

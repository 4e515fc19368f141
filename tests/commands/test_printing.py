"""Where nothing can be printed, the work is done and the status is right; signals leave one line and no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media import ROOT

from asccl.commands.output_streams import LenientFile, describe_failure

PROGRAM = [sys.executable, str(Path(__file__).with_name("fake_edit.py"))]
TIMEOUT = 300  # seconds; only a hang reaches it
HELD = 10**6  # frames of an edit that lasts until it is stopped


def start(frames: int, arguments: list[object], redirection: str = "", **options) -> subprocess.Popen:
    """Start `asccl` with the fake editor and the redirections of a shell."""
    command = ["bash", "-c", f'exec "$@" {redirection}', "bash", *PROGRAM, str(frames), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("environment", {})}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    ("redirection", "status", "lines"),
    [
        (">&-", 0, 0),
        (">&- 2>&-", 0, 0),
        (">/dev/null 2>/dev/full", 3, 0),
        ("> >(exit)", 0, 0),
        ("> >(exit) 2>&1", 3, 0),
        (">/dev/full", 1, 1),
    ],
    ids=["stdout closed", "both closed", "stderr full", "no reader of stdout", "no reader of both", "stdout full"],
)
def test_the_work_is_done_where_nothing_can_be_printed(
    redirection: str, status: int, lines: int, still: Path, tmp_path: Path
) -> None:
    inputs = [still, tmp_path / "gone.png"] if status == 3 else [still]
    process = start(1, ["edit", *inputs, "--emotion", "sad", "-o", f"{tmp_path}/"], redirection)
    errors = process.communicate(timeout=TIMEOUT)[1]
    assert (process.returncode, errors.count(b"\n")) == (status, lines)
    assert [path.name for path in tmp_path.iterdir()] == ["portrait-sad.png"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict", "latin-1:strict"])
def test_a_name_that_a_terminal_cannot_display(encoding: str, still: Path, tmp_path: Path) -> None:
    source = tmp_path / "\u6c49 \udc80.png"  # the last character is a byte that is not UTF-8
    source.write_bytes(still.read_bytes())
    arguments = ["edit", source, tmp_path / "gone \udc80.png", "--emotion", "sad", "-o", tmp_path / "new"]
    process = start(1, arguments, stdout=subprocess.PIPE, environment={"PYTHONIOENCODING": encoding})
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, (tmp_path / "new" / "\u6c49 \udc80-sad.png").exists()) == (3, True)
    assert b"\\udc80-sad.png\tedited 1 of 1 frames" in printed
    assert errors == b"asccl: gone \\udc80.png does not exist: check the name and the folder\n"


def test_help_into_a_pipe_without_a_reader() -> None:
    process = start(1, ["edit", "--help"], "> >(exit)")
    assert (process.communicate(timeout=TIMEOUT)[1], process.returncode) == (b"", 0)


def test_a_lenient_file_remembers_why_it_failed() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    file = LenientFile(descriptor)
    assert file.write(b"text") == 4
    os.close(descriptor)
    assert describe_failure(file) == (
        "the output cannot be printed (No space left on device): free some space, or print it elsewhere"
    )


@pytest.mark.parametrize(
    ("signals", "status"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP], 129),
        ([signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGINT, signal.SIGTERM, signal.SIGINT], 143),
    ],
    ids=["one Ctrl-C", "kill", "hang-up", "two Ctrl-C", "three"],
)
def test_signals_leave_one_line_and_no_file(signals: list[int], status: int, still: Path, tmp_path: Path) -> None:
    process = start(HELD, ["edit", still, "--emotion", "sad", "-o", tmp_path / "o.png"])
    wait_for_a_file(tmp_path)
    for number in signals:
        process.send_signal(number)
    errors = process.communicate(timeout=TIMEOUT)[1]
    assert (process.returncode, errors) == (status, b"asccl: cancelled: start again when you like\n")
    assert list(tmp_path.iterdir()) == []


def test_a_hang_up_that_nohup_ignores_does_not_stop_the_work(still: Path, tmp_path: Path) -> None:
    process = start(20, ["edit", still, "--emotion", "sad", "-o", tmp_path / "o.png"], preexec_fn=ignore_hang_up)
    wait_for_a_file(tmp_path)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=TIMEOUT) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["o.png"]


def test_an_edit_without_a_usable_folder_for_temporary_files(still: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    program = (
        "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']; "
        "from asccl.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = [sys.executable, "-c", program, "edit", str(still), "--emotion", "sad", "-o", str(output)]
    completed = subprocess.run(arguments, cwd=ROOT, capture_output=True, timeout=300)
    assert (completed.returncode, completed.stderr, output.exists()) == (0, b"", True)


def wait_for_a_file(folder: Path) -> None:
    """Wait until the command has begun to write."""
    deadline = time.monotonic() + TIMEOUT
    while not list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)


def ignore_hang_up() -> None:
    """Do what `nohup` does before it starts a program."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

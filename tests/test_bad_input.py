"""Any bad input gives one line with a remedy and the right exit status, and leaves no file behind."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bad_files
import pytest
from media import ROOT

from asccl import Editor, EditRequest
from asccl.__main__ import main
from asccl.commands import edit_report
from asccl.errors import CancelledError, OutputError
from asccl.progress import Progress
from asccl.video import EncodeSettings, Limits


@pytest.fixture
def refuse(
    editor: Editor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path, capsys: pytest.CaptureFixture
) -> Callable[..., str]:
    """`refuse(status, source, *options)` runs an edit that must fail cleanly and returns its message."""
    monkeypatch.setattr("asccl.editing.editor.Editor", lambda device: editor)

    def run(status: int, source: Path, *options: object) -> str:
        folders = {path.parent for path in (source, *map(Path, map(str, options)))} | {tmp_path}
        before = {folder: sorted(folder.iterdir()) for folder in folders if folder.is_dir() and folder != Path(".")}
        emotion = () if {"--emotion", "--reference"} & set(options) else ("--emotion", "happy")
        output = () if "-o" in options else ("-o", tmp_path / "out.mp4")
        assert main(["edit", str(source), *map(str, (*emotion, *output, *options))]) == status
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.fullmatch(r"asccl: .+: .+\n", captured.err), captured.err  # one line, with a remedy
        assert "bug" not in captured.err
        assert {folder: sorted(folder.iterdir()) for folder in before} == before
        return captured.err.removeprefix("asccl: ").strip()

    return run


BAD_SOURCES = {
    bad_files.no_face: "face",
    bad_files.empty: "is empty",
    bad_files.truncated_video: "readable",
    bad_files.truncated_still: "cut.png is damaged",
    bad_files.random_bytes: "readable",
    bad_files.text: "readable",
    bad_files.no_frames: "has no video",
    bad_files.only_sound: "only sound",
    bad_files.one_pixel_still: "face",
    bad_files.one_pixel_video: "face",
    bad_files.eight_k: "7680 x 4320",
    bad_files.five_hours: "lasts longer than 1 hour",
    bad_files.decompression_bomb: "million pixels",
    bad_files.subfolder: "is a folder",
    bad_files.missing: "does not exist",
    bad_files.pipe: "ordinary file",
    bad_files.odd_name: "does not exist",
}


@pytest.mark.parametrize("write", BAD_SOURCES, ids=lambda f: f.__name__)
def test_bad_source(write: Callable[[Path], Path], refuse, tmp_path: Path) -> None:
    source = write(tmp_path)
    output = tmp_path / f"out{'.png' if source.suffix == '.png' else '.mp4'}"
    message = refuse(3, source, "-o", output)
    assert BAD_SOURCES[write] in message
    assert source.name in message


BAD_REFERENCES = (
    bad_files.no_face,
    bad_files.empty,
    bad_files.random_bytes,
    bad_files.only_sound,
    bad_files.decompression_bomb,
    bad_files.missing,
)


@pytest.mark.parametrize("write", BAD_REFERENCES, ids=lambda f: f.__name__)
def test_bad_reference(write: Callable[[Path], Path], refuse, still: Path, tmp_path: Path) -> None:
    reference = write(tmp_path)
    assert reference.name in refuse(3, still, "--reference", reference, "-o", tmp_path / "out.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--intensity 2.1", "from 0 to 2"),
        ("--intensity -0.1", "from 0 to 2"),
        ("--intensity nan", "from 0 to 2"),
        ("--intensity inf", "from 0 to 2"),
        ("--start nan", "start nan"),
        ("--start -1", "0 or more"),
        ("--start inf", "start inf"),
        ("--end nan", "end nan"),
        ("--end inf", "end inf"),
        ("--start 2 --end 1", "after"),
        ("--start 60", "the end of"),
        ("--face -1", "face -1"),
        ("--emotion joy", "'joy'"),
        ("--generator magic", "'magic'"),
        ("--seed -1", "seed"),
    ],
)
def test_bad_number(options: str, words: str, refuse, short_clip: Path) -> None:
    assert words in refuse(2, short_clip, *options.split())


@pytest.mark.parametrize(
    "options", [("--intensity", "much"), ("--face", "left"), ("--colour", "red"), ("--seed", "1.5")]
)
def test_bad_word(options: tuple[str, str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["edit", "talk.mp4", "--emotion", "happy", *options])
    assert exit_info.value.code == 2
    message = capsys.readouterr().err
    assert options[0] in message
    assert message.count("\n") == 1
    assert "--help" in message


def test_neither_emotion_nor_reference(capsys: pytest.CaptureFixture) -> None:
    assert main(["edit", "talk.mp4"]) == 2
    assert "neither an emotion nor a reference" in capsys.readouterr().err


def test_a_face_that_does_not_exist(refuse, still: Path, tmp_path: Path) -> None:
    assert "face" in refuse(3, still, "--face", "5", "-o", tmp_path / "out.png")


def test_content_counts_and_not_the_name(refuse, still: Path, tmp_path: Path) -> None:
    misnamed = tmp_path / "still.mp4"
    misnamed.write_bytes(still.read_bytes())
    assert ".png" in refuse(2, misnamed, "-o", tmp_path / "out.mp4")
    assert main(["edit", str(misnamed), "--emotion", "happy"]) == 0
    assert (tmp_path / "still-happy.png").exists()


def test_an_unsuitable_ending(refuse, short_clip: Path, tmp_path: Path) -> None:
    for name in ("out.avi", "out.png", "out"):
        assert ".mp4" in refuse(2, short_clip, "-o", tmp_path / name)


def test_output_is_the_source(refuse, tmp_path: Path, short_clip: Path) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes(short_clip.read_bytes())
    (tmp_path / "alias.mp4").symlink_to(own)
    for name in ("own.mp4", "alias.mp4"):
        assert "source" in refuse(2, own, "-o", tmp_path / name)
    assert own.read_bytes() == short_clip.read_bytes()


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_a_target_whose_folder_does_not_exist(option: str, refuse, still: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = () if option == "-o" else ("-o", tmp_path / "out.png")
    for target in (tmp_path / "nowhere" / "out.png", tmp_path / "file" / "out.png"):
        assert "folder" in refuse(1, still, *output, option, target)


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_a_target_that_may_not_be_written(option: str, refuse, still: Path, tmp_path: Path, monkeypatch) -> None:
    """Permissions are simulated, because the tests may run as root."""
    system_open = os.open

    def open_unless_locked(path, *arguments, **options):
        if Path(path).name.startswith(".locked."):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return system_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_unless_locked)
    output = () if option == "-o" else ("-o", tmp_path / "out.png")
    target = tmp_path / "locked.png"
    assert "may not be written" in refuse(1, still, *output, option, target)


def test_a_full_disk(editor: Editor, short_clip: Path, tmp_path: Path, temporary: Path) -> None:
    """The limit on the file size leaves room for the landmarks, but not for an almost lossless video."""
    near_lossless = Editor(encode=EncodeSettings(crf=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"no space is left for out.mp4: free some space"):
            near_lossless.edit(EditRequest(short_clip, tmp_path / "out.mp4", emotion="happy"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [temporary]


def test_a_full_disk_for_temporary_files(editor: Editor, short_clip: Path, tmp_path: Path, temporary: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match="temporary"):
            editor.edit(EditRequest(short_clip, tmp_path / "out.mp4", emotion="happy"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [temporary]


@pytest.mark.parametrize("limits", [Limits(max_seconds=1), Limits(max_frames=8), Limits(max_bytes=1000)])
def test_more_than_the_limits(limits: Limits, short_clip: Path, tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(Exception, match=r"short.mp4 .*: (cut out|make it shorter)") as error_info:
        Editor(limits).edit(EditRequest(short_clip, tmp_path / "out.mp4", emotion="happy"))
    assert error_info.value.exit_status == 3
    assert list(tmp_path.iterdir()) == [temporary]


@pytest.mark.parametrize(("stage", "share"), [("open", 0.0), ("track", 0.5), ("fit", 0.0), ("render", 0.5)])
def test_cancelled(stage: str, share: float, editor: Editor, clip: Path, tmp_path: Path, temporary: Path) -> None:
    reached = []

    def report(current: str, done: float) -> None:
        if current == stage and done >= share:
            reached.append(current)

    progress = Progress(report, lambda: bool(reached))
    with pytest.raises(CancelledError):
        editor.edit(EditRequest(clip, tmp_path / "out.mp4", emotion="happy"), progress)
    assert list(tmp_path.iterdir()) == [temporary]


def test_an_old_output_survives_a_failure(refuse, clip: Path, editor: Editor, tmp_path: Path) -> None:
    old = tmp_path / "out.mp4"
    old.write_bytes(b"older result")
    with pytest.raises(CancelledError):
        editor.edit(EditRequest(clip, old, emotion="sad"), Progress(None, lambda: True))
    assert refuse(3, bad_files.no_face(tmp_path), "-o", tmp_path / "out.png")
    assert old.read_bytes() == b"older result"


def test_the_readable_part_of_a_truncated_video_is_edited_and_the_rest_reported(editor: Editor, tmp_path: Path) -> None:
    complete = (ROOT / "examples" / "astronaut.mp4").read_bytes()  # its table of contents lies at the start
    source = tmp_path / "cut.mp4"
    source.write_bytes(complete[: len(complete) // 3])
    report = editor.edit(EditRequest(source, tmp_path / "out.mp4", emotion="sad")).report
    assert report["frames"]["total"] + report["frames"]["unreadable"] == 80
    assert report["frames"]["unreadable"] > 20
    note = f"{report['frames']['unreadable']} frames that could not be read"
    assert note in edit_report.summarize_report(report)["missing"]


def test_as_a_user_sees_it(tmp_path: Path) -> None:
    """In a new process: neither a traceback nor a library's messages."""
    source = bad_files.no_face(tmp_path)
    options = ["--emotion", "happy", "-o", str(tmp_path / "out.png")]
    command = [sys.executable, "-m", "asccl", "edit", str(source), *options]
    completed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert (completed.returncode, completed.stdout) == (3, "")
    assert completed.stderr.startswith("asccl: ")
    assert "wall.png" in completed.stderr
    assert completed.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [source]

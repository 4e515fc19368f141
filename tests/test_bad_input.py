"""Whatever people hand in: one line with the remedy, the right status, and nothing left behind."""

from __future__ import annotations

import errno
import os
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import ROOT, astronaut, write_clip

from asccl import Editor, EditRequest
from asccl.__main__ import main
from asccl.commands import edit_report
from asccl.errors import CancelledError, OutputError
from asccl.types import Progress
from asccl.video import EncodeSettings, Limits


@pytest.fixture
def refused(
    editor: Editor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path, capsys: pytest.CaptureFixture
) -> Callable[..., str]:
    """refused(status, source, *options) -> what stderr says, after all else that must hold has been checked."""
    monkeypatch.setattr("asccl.editing.editor.Editor", lambda device: editor)

    def run(status: int, source: Path, *options: object) -> str:
        folders = {path.parent for path in (source, *map(Path, map(str, options)))} | {tmp_path}
        before = {folder: sorted(folder.iterdir()) for folder in folders if folder.is_dir() and folder != Path(".")}
        emotion = () if {"--emotion", "--reference"} & set(options) else ("--emotion", "happy")
        output = () if "-o" in options else ("-o", tmp_path / "out.mp4")
        assert main(["edit", str(source), *map(str, (*emotion, *output, *options))]) == status
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("asccl: ") and said.err.count("\n") == 1 and said.err.count(": ") >= 2, said.err
        assert "bug" not in said.err
        assert {folder: sorted(folder.iterdir()) for folder in before} == before
        return said.err.removeprefix("asccl: ").strip()

    return run


def no_face(folder: Path) -> Path:
    from PIL import Image

    path = folder / "wall.png"
    Image.fromarray(np.full((120, 160, 3), 140, np.uint8)).save(path)
    return path


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def cut_off(folder: Path) -> Path:
    whole = write_clip(folder / "whole.mp4", [astronaut()] * 3)
    path = folder / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])  # its table of contents lay at the end
    return path


def cut_off_picture(folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(astronaut()).save(folder / "whole.png")
    path = folder / "cut.png"
    path.write_bytes((folder / "whole.png").read_bytes()[:20_000])
    return path


def random_bytes(folder: Path) -> Path:
    path = folder / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def text(folder: Path) -> Path:
    path = folder / "letter.mp4"
    path.write_text("Dear editor,\n" * 100, encoding="utf-8")
    return path


def no_frames(folder: Path) -> Path:
    import av

    path = folder / "nothing.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", 25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        out.start_encoding()
    return path


def only_sound(folder: Path) -> Path:
    import av

    path = folder / "voice.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        audio = out.add_stream("aac", 16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
        out.mux(audio.encode(frame))
        out.mux(audio.encode())
    return path


def one_pixel(folder: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    return folder / "dot.png"


def one_pixel_video(folder: Path) -> Path:
    import av

    path = folder / "dot.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", 25)
        video.width, video.height, video.pix_fmt = 1, 1, "bgr0"
        out.mux(video.encode(av.VideoFrame(1, 1, "bgr0")))
        out.mux(video.encode())
    return path


def eight_k(folder: Path) -> Path:
    path = folder / "cinema.mp4"
    return write_clip(path, [np.zeros((4320, 7680, 3), np.uint8)], sound=False)


def five_hours(folder: Path) -> Path:
    path = folder / "opera.mp4"
    return write_clip(path, [astronaut(size=64)] * 3, rate=Fraction(1, 6000), sound=False)


def bomb(folder: Path) -> Path:
    """A PNG of a few bytes that unfolds to ten thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    path = folder / "bomb.png"
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def folder(folder: Path) -> Path:
    (folder / "sub.mp4").mkdir()
    return folder / "sub.mp4"


def missing(folder: Path) -> Path:
    return folder / "gone.mp4"


def device(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def odd_name(folder: Path) -> Path:
    return folder / "concat:a.mp4|b%d.mp4"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_face, "face"), (empty, "is empty"), (cut_off, "read"), (cut_off_picture, "cut.png is damaged"),
        (random_bytes, "read"), (text, "read"), (no_frames, "picture"), (only_sound, "only sound"), (one_pixel, "face"),
        (one_pixel_video, "face"), (eight_k, "7680 x 4320"), (five_hours, "lasts longer than 1 hour"),
        (bomb, "million pixels"), (folder, "is a folder"), (missing, "does not exist"), (device, "ordinary file"),
        (odd_name, "does not exist"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)  # fmt: skip
def test_bad_source(make: Callable[[Path], Path], words: str, refused, tmp_path: Path) -> None:
    source = make(tmp_path)
    output = tmp_path / f"out{'.png' if source.suffix == '.png' else '.mp4'}"
    said = refused(3, source, "-o", output)
    assert words in said
    assert source.name in said


@pytest.mark.parametrize("make", [no_face, empty, random_bytes, only_sound, bomb, missing], ids=lambda f: f.__name__)
def test_bad_reference(make: Callable[[Path], Path], refused, still: Path, tmp_path: Path) -> None:
    reference = make(tmp_path)
    assert reference.name in refused(3, still, "--reference", reference, "-o", tmp_path / "out.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--intensity", "2.1"), "from 0 to 2"), (("--intensity", "-0.1"), "from 0 to 2"),
        (("--intensity", "nan"), "from 0 to 2"), (("--intensity", "inf"), "from 0 to 2"),
        (("--start", "nan"), "start nan"), (("--start", "-1"), "0 or more"), (("--start", "inf"), "start inf"),
        (("--end", "nan"), "end nan"), (("--end", "inf"), "end inf"), (("--start", "2", "--end", "1"), "after"),
        (("--start", "60"), "behind the end"), (("--face", "-1"), "face -1"), (("--emotion", "joy"), "'joy'"),
        (("--generator", "magic"), "'magic'"), (("--seed", "-1"), "seed"),
    ],
)  # fmt: skip
def test_bad_number(options: tuple[str, ...], words: str, refused, short_clip: Path) -> None:
    assert words in refused(2, short_clip, *options)


@pytest.mark.parametrize(
    "options", [("--intensity", "much"), ("--face", "left"), ("--colour", "red"), ("--seed", "1.5")]
)
def test_bad_word(options: tuple[str, str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["edit", "talk.mp4", "--emotion", "happy", *options])
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert options[0] in said
    assert said.count("\n") == 1
    assert "--help" in said


def test_neither_emotion_nor_reference(capsys: pytest.CaptureFixture) -> None:
    assert main(["edit", "talk.mp4"]) == 2
    assert "neither an emotion nor a reference" in capsys.readouterr().err


def test_a_face_that_is_not_there(refused, still: Path, tmp_path: Path) -> None:
    assert "face" in refused(3, still, "--face", "5", "-o", tmp_path / "out.png")


def test_content_counts_and_not_the_name(refused, still: Path, tmp_path: Path) -> None:
    disguised = tmp_path / "still.mp4"
    disguised.write_bytes(still.read_bytes())
    assert ".png" in refused(2, disguised, "-o", tmp_path / "out.mp4")
    assert main(["edit", str(disguised), "--emotion", "happy"]) == 0
    assert (tmp_path / "still-happy.png").exists()


def test_an_ending_that_does_not_fit(refused, short_clip: Path, tmp_path: Path) -> None:
    for name in ("out.avi", "out.png", "out"):
        assert ".mp4" in refused(2, short_clip, "-o", tmp_path / name)


def test_output_is_the_source(refused, tmp_path: Path, short_clip: Path) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes(short_clip.read_bytes())
    (tmp_path / "alias.mp4").symlink_to(own)
    for name in ("own.mp4", "alias.mp4"):
        assert "source" in refused(2, own, "-o", tmp_path / name)
    assert own.read_bytes() == short_clip.read_bytes()


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_a_target_that_cannot_be(option: str, refused, still: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = () if option == "-o" else ("-o", tmp_path / "out.png")
    for target in (tmp_path / "nowhere" / "out.png", tmp_path / "file" / "out.png"):
        assert "folder" in refused(1, still, *output, option, target)


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_a_target_that_may_not_be_written(option: str, refused, still: Path, tmp_path: Path, monkeypatch) -> None:
    """By a stand-in, because the tests may run as somebody who may write everywhere."""
    real = os.open

    def open_unless_locked(path, *arguments, **options):
        if Path(path).name.startswith(".locked."):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_unless_locked)
    output = () if option == "-o" else ("-o", tmp_path / "out.png")
    target = tmp_path / "locked.png"
    assert "may not be written" in refused(1, still, *output, option, target)


def test_a_full_disk(editor: Editor, short_clip: Path, tmp_path: Path, temporary: Path) -> None:
    """No file may grow beyond what the landmarks need; an almost lossless video is larger."""
    fine = Editor(encode=EncodeSettings(crf=1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match=r"no space is left for out.mp4: free some space"):
            fine.edit(EditRequest(short_clip, tmp_path / "out.mp4", emotion="happy"))
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
    with pytest.raises(Exception, match=r"short.mp4 .*: (cut out|make it shorter)") as refusal:
        Editor(limits).edit(EditRequest(short_clip, tmp_path / "out.mp4", emotion="happy"))
    assert refusal.value.exit_status == 3
    assert list(tmp_path.iterdir()) == [temporary]


@pytest.mark.parametrize(("stage", "share"), [("open", 0.0), ("track", 0.5), ("fit", 0.0), ("render", 0.5)])
def test_cancelled(stage: str, share: float, editor: Editor, clip: Path, tmp_path: Path, temporary: Path) -> None:
    reached = []

    def report(now: str, done: float) -> None:
        if now == stage and done >= share:
            reached.append(now)

    progress = Progress(report, lambda: bool(reached))
    with pytest.raises(CancelledError):
        editor.edit(EditRequest(clip, tmp_path / "out.mp4", emotion="happy"), progress)
    assert list(tmp_path.iterdir()) == [temporary]


def test_an_old_output_survives_a_failure(refused, clip: Path, editor: Editor, tmp_path: Path) -> None:
    old = tmp_path / "out.mp4"
    old.write_bytes(b"what was there")
    with pytest.raises(CancelledError):
        editor.edit(EditRequest(clip, old, emotion="sad"), Progress(None, lambda: True))
    assert refused(3, no_face(tmp_path), "-o", tmp_path / "out.png")
    assert old.read_bytes() == b"what was there"


def test_what_is_left_of_a_cut_off_video_is_edited_and_the_loss_told(editor: Editor, tmp_path: Path) -> None:
    whole = (ROOT / "examples" / "astronaut.mp4").read_bytes()  # its table of contents lies at the start
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole[: len(whole) // 3])
    report = editor.edit(EditRequest(source, tmp_path / "out.mp4", emotion="sad")).report
    assert report["frames"]["total"] + report["frames"]["unreadable"] == 80
    assert report["frames"]["unreadable"] > 20
    assert (
        f"{report['frames']['unreadable']} frames that could not be read"
        in edit_report.summarize_report(report)["missing"]
    )


def test_as_a_user_sees_it(tmp_path: Path) -> None:
    """In a process of its own: no traceback and no library's chatter either."""
    source = no_face(tmp_path)
    command = [
        sys.executable,
        "-m",
        "asccl",
        "edit",
        str(source),
        "--emotion",
        "happy",
        "-o",
        str(tmp_path / "out.png"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("asccl: ")
    assert "wall.png" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [source]

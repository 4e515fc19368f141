"""Files that cannot be read, or only in part."""

from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import copy, make_clip, png

from asccl.errors import UnreadableError
from asccl.video import Reader, probe, read_frame_at, sample_frames

EXAMPLES = Path(__file__).parents[2] / "examples"


def bad_files(folder):
    """name -> (file, word that the message holds)."""
    rng = np.random.default_rng(0)
    good = make_clip(folder / "good.mp4").read_bytes()
    sound = folder / "sound.mp4"
    with av.open(str(sound), "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        output.mux(stream.encode(frame) + stream.encode(None))
    frameless = folder / "frameless.avi"
    with av.open(str(frameless), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        output.start_encoding()
    contents = {
        "empty.mp4": (b"", "is empty"),
        "random.mp4": (rng.bytes(20000), "not a readable video"),
        "headless.mp4": (good[: len(good) // 3], "not a readable video"),
        "text.png": (b"hello, this is no picture", "not a readable video"),
        "list.m3u8": (b"#EXTM3U\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n", "not a readable video"),
        "concat.txt": (b"ffconcat version 1.0\nfile good.mp4\n", "not a readable video"),
        "half.png": (png(64, 64)[:60], "damaged"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: (folder / name, word) for name, (_, word) in contents.items()} | {
        "sound": (sound, "only sound"),
        "frameless": (frameless, "no "),
        "missing": (folder / "missing.mp4", "does not exist"),
        "folder": (folder, "is a folder"),
        "device": (folder.joinpath("/dev/zero"), "not an ordinary file"),
    }


def test_bad_files_name_themselves_and_the_remedy(tmp_path, capfd):
    for name, (path, word) in bad_files(tmp_path).items():
        for read in (probe, Reader, lambda p: read_frame_at(p, 0), lambda p: sample_frames(p, 3)):
            with pytest.raises(UnreadableError) as caught:
                read(path)
            assert path.name in caught.value.problem, name
            assert word in caught.value.problem, name
            assert caught.value.remedy
            assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_unreadable_permission(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "a.mp4", frames=1)
    monkeypatch.setattr("os.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(UnreadableError, match="may not be read"):
        probe(path)


@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_truncated_video_gives_what_there_is(tmp_path, ending, capfd):
    path = make_clip(tmp_path / f"a.{ending}", frames=60, size=(320, 240), options={"crf": "20", "g": "10"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert 10 < len(list(Reader(path))) < 60
    assert capfd.readouterr().err == ""


def test_damage_in_the_middle_is_stepped_over(tmp_path, capfd):
    path = make_clip(tmp_path / "a.ts", frames=60, size=(320, 240), options={"crf": "20", "g": "10"})
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(content)
    frames = list(Reader(path))
    assert len(frames) > 40
    assert np.all(np.diff([f.pts for f in frames]) > 0)
    assert capfd.readouterr().err == ""


def test_a_frame_that_cannot_be_decoded_is_counted(tmp_path):
    path = make_clip(tmp_path / "a.mov", codec="png", pix_fmt="rgb24", frames=12)
    content = path.read_bytes()
    third = [i for i in range(len(content)) if content.startswith(b"IHDR", i)][3]
    path.write_bytes(content[:third] + b"\0" * 40 + content[third + 40 :])
    reader = Reader(path)
    assert len(list(reader)) == 11
    assert reader.skipped == 1


def test_frames_behind_the_place_where_a_file_breaks_off_are_counted(tmp_path):
    complete = EXAMPLES / "astronaut.mp4"  # its table of contents lies at the start
    assert len(list(reader := Reader(complete))) == 80
    assert reader.skipped == 0
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(complete.read_bytes()[: complete.stat().st_size * 6 // 10])
    frames = len(list(reader := Reader(cut)))
    assert 0 < frames < 60
    assert reader.skipped == 80 - frames


@pytest.mark.parametrize("text", [b"Lavf", b"V_MPEG4/ISO/AVC", b"A title"])
def test_text_of_a_matroska_header_that_is_not_utf_8(tmp_path, text):
    """Names of the muxer and of the codec, and the title."""
    path = make_clip(tmp_path / "a.mkv", metadata={"title": "A title"})
    content = path.read_bytes()
    assert text in content
    path.write_bytes(content.replace(text, b"\xff\xfe" + text[2:], 1))
    if text.startswith(b"V_"):
        with pytest.raises(UnreadableError, match=r"a.mkv has no"):
            probe(path)
    else:
        assert len(list(Reader(copy(path, tmp_path / "b.mp4")))) == 12

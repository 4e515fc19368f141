"""Prepared clips play in every browser and reveal nothing of the method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from asccl.errors import InputError
from asccl.study.clips import _copy_streams, import_clip
from benchmarks.sync_clips import AVI, ClipPart, write_part


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


@pytest.fixture(scope="module")
def labelled(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose metadata name its method."""
    path = tmp_path_factory.mktemp("labelled") / "NED.mp4"
    with av.open(str(clips / "sad-0" / "NED.mp4")) as source, av.open(str(path), "w") as output:
        streams = {stream.index: output.add_stream_from_template(stream) for stream in source.streams}
        output.metadata.update({"comment": "Edited with NED", "title": "NED"})
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    return path


@pytest.fixture(scope="module")
def prepared(labelled: Path) -> Path:
    path = labelled.with_name("prepared.mp4")
    import_clip(labelled, path)
    return path


def test_nothing_in_a_file_names_the_method_or_the_encoder(labelled, prepared):
    for mark in (b"NED", b"x264"):
        assert mark in labelled.read_bytes()
        assert mark not in prepared.read_bytes()
    with av.open(str(prepared)) as file:
        assert not {"comment", "title", "encoder"} & {key.lower() for key in file.metadata}


def test_a_web_playable_clip_keeps_every_frame(labelled, prepared):
    np.testing.assert_array_equal(decode(prepared), decode(labelled))


def test_every_clip_has_the_same_time(prepared):
    assert prepared.stat().st_mtime == 1_000_000_000


def test_what_no_browser_plays_is_encoded_anew(tmp_path):
    source = tmp_path / "source.avi"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("mjpeg", 12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for shade in range(6):
            frame = av.VideoFrame(64, 48, "yuvj420p")
            for plane in frame.planes:
                plane.update(bytes([40 * shade]) * plane.buffer_size)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    info = import_clip(source, tmp_path / "out.mp4")
    assert (info.width, info.height) == (64, 48)
    assert info.seconds == pytest.approx(0.5, abs=0.1)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[0].codec_context.name == "h264"


def test_an_animated_gif_becomes_a_video_and_a_single_picture_is_refused(tmp_path):
    pictures = [Image.new("RGB", (64, 48), (60 * k, 90, 120)) for k in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    assert import_clip(tmp_path / "a.gif", tmp_path / "a.mp4").width == 64
    pictures[0].save(tmp_path / "b.gif")
    with pytest.raises(InputError, match=r"b.gif is a picture: give a video"):
        import_clip(tmp_path / "b.gif", tmp_path / "b.mp4")


def test_sound_that_browsers_do_not_play_is_encoded(tmp_path):
    source = write_part(tmp_path / "a.avi", replace(AVI, rate=11_025), "avi")
    import_clip(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [stream.codec_context.name for stream in file.streams.audio] == ["aac"]


def test_a_clip_that_cannot_be_copied_is_encoded(tmp_path, monkeypatch):
    source = write_part(tmp_path / "a.mp4", ClipPart(), "mp4")
    copies = []

    def refuse_once(container, output) -> None:
        copies.append(container.name)
        if len(copies) == 1:
            raise av.error.ArgumentError(22, "Invalid argument")
        _copy_streams(container, output)

    monkeypatch.setattr("asccl.study.clips._copy_streams", refuse_once)
    assert import_clip(source, tmp_path / "out.mp4").seconds == pytest.approx(2, abs=0.05)
    assert len(copies) == 2

"""What becomes of sound, subtitles and chapters, and what the report says about it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from video_clips import make_clip, packets

from asccl.editing.media_report import build_media_report, media_notes
from asccl.errors import OutputError
from asccl.video import EncodeSettings, Reader, open_writer
from asccl.video.container import open_container, open_output
from benchmarks.sync_clips import ClipPart, write_part


def carry_over(source: Path, target: Path, for_browsers: bool = False) -> dict[str, Any]:
    """Copy a clip; return the blocks of the report."""
    with Reader(source) as reader:
        writer = open_writer(target, reader.info, source, settings=EncodeSettings(for_browsers=for_browsers))
        with writer:
            for frame in reader:
                writer.write(frame)
        return build_media_report(reader.info, writer.track_report())


def write_subtitles(path: Path, codec: str = "subrip", container: str = "matroska") -> Path:
    """Two seconds of picture with a German line of text from 0.5 to 1.5 s, and three chapters."""
    with open_output(path, container, {}) as output:
        video = output.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        text = output.add_stream(codec)
        text.time_base = Fraction(1, 1000)
        text.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
        text.metadata["language"] = "ger"
        chapters = [
            {"id": i, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": f"{i}"}}
            for i, (start, end) in enumerate([(0, 1000), (1000, 2000), (2500, 3000)])
        ]
        output.set_chapters(chapters)
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            output.mux(video.encode(frame))
            if index == 10:
                line = av.subtitles.subtitle.SubtitleSet.create(b"0,0,Default,,0,0,0,,Guten Tag", 0, 1000)
                packet = text.codec_context.encode_subtitle(line)
                packet.pts = packet.dts = 500
                packet.duration, packet.time_base, packet.stream = 1000, Fraction(1, 1000), text
                output.mux(packet)
        output.mux(video.encode(None))
    return path


@pytest.mark.parametrize("codec", ["subrip", "ass", "webvtt"])
def test_subtitles_that_are_text_are_carried_over(codec, tmp_path):
    report = carry_over(write_subtitles(tmp_path / "a.mkv", codec), tmp_path / "b.mp4")
    with open_container(tmp_path / "b.mp4", 2**31 - 1) as file:
        (stream,) = file.streams.subtitles
        lines = [(p.pts * p.time_base, p.decode()) for p in file.demux(stream) if p.size > 2]
        assert stream.metadata["language"] == "ger"
    assert [(float(time), texts[0].dialogue.rpartition(b"}")[2]) for time, texts in lines] == [(0.5, b"Guten Tag")]
    assert report["subtitles"][0]["action"] == "encoded"


def test_chapters_end_with_the_picture(tmp_path):
    report = carry_over(write_subtitles(tmp_path / "a.mkv"), tmp_path / "b.mp4")
    with open_container(tmp_path / "b.mp4", 2**31 - 1) as file:
        chapters = [
            (chapter["metadata"]["title"], *(chapter[key] * chapter["time_base"] for key in ("start", "end")))
            for chapter in file.chapters()
        ]
    assert chapters == [("0", 0, 1), ("1", 1, 2)]
    assert report["chapters"] == {"total": 3, "copied": 2}
    assert "2 of 3 kept" in media_notes(report)["chapters"]


def test_sound_without_a_decoder_is_reported(tmp_path):
    source = make_clip(tmp_path / "a.mp4", audio=("aac",), frames=20)
    source.write_bytes(source.read_bytes().replace(b"mp4a", b"ac-4").replace(b"esds", b"dac4"))
    report = carry_over(source, tmp_path / "b.mp4")
    assert [(track["action"], track["reason"]) for track in report["sound"]] == [("dropped", "it cannot be decoded")]
    assert "left out" in media_notes(report)["sound"]


@pytest.mark.parametrize(
    ("codec", "for_browsers", "action"),
    [("aac", True, "copied"), ("ac3", False, "copied"), ("ac3", True, "encoded"), ("alac", True, "encoded")],
)
def test_what_browsers_do_not_play_is_encoded_for_them(codec, for_browsers, action, tmp_path):
    source = make_clip(tmp_path / "a.mp4", audio=(codec,), frames=20)
    report = carry_over(source, tmp_path / "b.mp4", for_browsers)
    assert [track["action"] for track in report["sound"]] == [action]


def test_all_that_is_copied_needs_no_note(tmp_path):
    report = carry_over(make_clip(tmp_path / "a.mp4", audio=("aac",), frames=20), tmp_path / "b.mp4")
    assert media_notes(report) == {}
    assert report["clock"]["measured_seconds"] == report["clock"]["stated_seconds"] == pytest.approx(0.667)


def test_a_packet_that_mp4_refuses_is_counted(tmp_path, monkeypatch):
    source = make_clip(tmp_path / "a.mp4", audio=("aac",), frames=30)
    refused = []

    class Refusing:
        def __init__(self, output: Any):
            self._output = output

        def __getattr__(self, name: str) -> Any:
            return getattr(self._output, name)

        def mux_one(self, packet: Any) -> None:
            if len(refused) < 3 and packet.pts > 5000:
                refused.append(packet.pts)
                raise av.error.InvalidDataError(1, "refused")
            self._output.mux_one(packet)

    monkeypatch.setattr("asccl.video.tracks.CopiedTrack", lambda s, o: _copied_track(s, Refusing(o)))
    report = carry_over(source, tmp_path / "b.mp4")
    assert report["sound"][0]["damaged"] == len(refused) == 3
    assert len(packets(tmp_path / "b.mp4")) == len(packets(source)) - 3


def _copied_track(stream: Any, output: Any) -> Any:
    from asccl.video.sound import CopiedTrack

    return CopiedTrack(stream, output)


def test_a_picture_that_mp4_refuses_has_a_remedy_of_its_own(tmp_path, monkeypatch):
    source = write_part(tmp_path / "a.mp4", ClipPart(), "mp4")

    def refuse(*_: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr("asccl.video.writer.to_video_frame", lambda *_: av.VideoFrame(64, 48, "yuv420p"))
    monkeypatch.setattr("asccl.video.tracks.TrackCopier.mux_until", refuse)
    with pytest.raises(OutputError, match=r"a\.mp4 again as MP4 with H\.264 and AAC"):
        carry_over(source, tmp_path / "b.mp4")
    assert list(tmp_path.iterdir()) == [source]

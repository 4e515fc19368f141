"""The sound of the source is kept in sync, copied where MP4 supports its codec."""

from fractions import Fraction

import av
import pytest
from video_clips import click_times, copy, make_clip, packets

from asccl.video import probe


@pytest.mark.parametrize(
    ("codec", "ending"),
    [
        ("aac", "mp4"),
        ("libmp3lame", "mp4"),
        ("ac3", "mp4"),
        ("eac3", "mp4"),
        ("libopus", "mp4"),
        ("alac", "mp4"),
        ("libopus", "mkv"),
    ],
)
def test_sound_that_mp4_carries_is_copied(tmp_path, codec, ending):
    source = make_clip(tmp_path / f"a.{ending}", audio=(codec,), frames=30)
    target = copy(source, tmp_path / "b.mp4")
    assert packets(target) == packets(source) != []
    assert click_times(target) == pytest.approx(click_times(source), abs=0.005)


@pytest.mark.parametrize(
    ("codec", "ending"),
    [("pcm_s16le", "mov"), ("pcm_s16le", "avi"), ("vorbis", "mkv"), ("flac", "mkv"), ("mp2", "ts")],
)
def test_other_sound_becomes_aac_in_sync(tmp_path, codec, ending):
    source = make_clip(tmp_path / f"a.{ending}", audio=(codec,), frames=30)
    target = copy(source, tmp_path / "b.mp4")
    with av.open(str(target)) as file:
        (stream,) = file.streams.audio
        assert stream.codec_context.name == "aac"
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0, abs=0.05)
    assert click_times(target) == pytest.approx([0.2], abs=0.005)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
@pytest.mark.parametrize(("video_start", "sound_start"), [(0.0, 0.5), (0.4, 0.0), (1.5, 1.25), (2.0, 2.0)])
def test_offset_between_sound_and_video_is_kept(tmp_path, codec, video_start, sound_start):
    times = [Fraction(round(video_start * 1000), 1000) + Fraction(i, 25) for i in range(50)]
    source = make_clip(
        tmp_path / "a.mkv", rate=25, times=times, time_base=Fraction(1, 1000), audio=(codec,), audio_start=sound_start
    )
    target = copy(source, tmp_path / "b.mp4")
    assert click_times(source) == pytest.approx([sound_start + 0.2 - video_start], abs=0.005)
    assert click_times(target) == pytest.approx(click_times(source), abs=0.005)


def test_transport_stream(tmp_path):
    """It starts at 1.4 s and has AAC in another wrapping; the copy starts at 0."""
    source = make_clip(tmp_path / "a.ts", rate=25, frames=40, time_base=Fraction(1, 90000), audio=("aac",))
    target = copy(source, tmp_path / "b.mp4")
    assert click_times(target) == pytest.approx(click_times(source), abs=0.005)
    with av.open(str(target)) as file:
        assert abs(file.start_time) < 100_000
        assert len(packets(target)) >= len(packets(source)) - 1


def test_all_tracks_are_kept(tmp_path):
    source = make_clip(tmp_path / "a.mkv", audio=("aac", "vorbis"), frames=30)
    target = copy(source, tmp_path / "b.mp4")
    assert probe(target).audio_tracks == 2
    assert len(click_times(target)) == 2
    assert packets(target) == packets(source)


@pytest.mark.parametrize(("codec", "ending"), [("aac", "mp4"), ("pcm_s16le", "mov"), ("flac", "mkv")])
def test_sound_ends_with_the_picture(tmp_path, codec, ending):
    source = make_clip(tmp_path / f"a.{ending}", audio=(codec,), frames=30, audio_seconds=3.0)
    with av.open(str(copy(source, tmp_path / "b.mp4"))) as file:
        (stream,) = file.streams.audio
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0, abs=0.025)


def test_without_sound(tmp_path):
    assert probe(copy(make_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4")).audio_tracks == 0
    loud = make_clip(tmp_path / "c.mp4", audio=("aac",))
    assert probe(copy(loud, tmp_path / "d.mp4", sound=False)).audio_tracks == 0


def test_sound_is_interleaved(tmp_path):
    """A player that reads from the start never waits for sound: it lies within a second of the video."""
    target = copy(make_clip(tmp_path / "a.mp4", audio=("aac",), rate=10, frames=300), tmp_path / "b.mp4")
    with av.open(str(target)) as file:
        places = sorted((p.pos, p.stream.type, float(p.dts * p.time_base)) for p in file.demux() if p.size)
    last, offsets = {"audio": 0.0, "video": 0.0}, []
    for _, kind, time in places:
        last[kind] = time
        if kind == "video" or time <= 29:  # the last second of sound may follow the last frame
            offsets.append(abs(last["audio"] - last["video"]))
    assert max(offsets) < 1.2

"""Files of the kinds that phones, browsers, cameras and editors write: the right length, frames and sync."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from video_clips import copy, make_clip

from asccl.video import Reader, open_writer, probe, sample_frames
from asccl.video.container import open_container
from asccl.video.waveform import read_sound
from benchmarks.sync_clips import (
    BEEP_SECONDS,
    CLIPS,
    FLASH_FRAME,
    RATE,
    TS,
    ClipPart,
    join_parts,
    write_part,
)
from benchmarks.sync_measure import measure_sync

MP3_DELAY = 30  # ms; an MP3 encoder begins with silence that AVI and TS cannot state
FRAME = 1 / RATE  # seconds


def make(kind: str, folder: Path) -> Path:
    ending, write = CLIPS[kind]
    return write(folder / f"a.{ending}")


@pytest.mark.parametrize("kind", [kind for kind in CLIPS if kind[0] in "AC"])
def test_sound_and_picture_of_a_jumping_clock_stay_together(kind, tmp_path):
    source = make(kind, tmp_path)
    measured = measure_sync(copy(source, tmp_path / "b.mp4"))
    seconds = 6 if "three" in kind else 2 if "AVI" in kind or "negative" in kind else 4
    assert measured.frames == seconds * RATE
    assert measured.seconds == pytest.approx(seconds, abs=2 * FRAME)
    assert len(measured.offsets) == seconds
    assert measured.worst < (MP3_DELAY if "MP3" in kind else 2)


@pytest.mark.parametrize("kind", [kind for kind in CLIPS if kind[0] == "B"])
def test_the_length_is_measured_where_the_header_is_wrong(kind, tmp_path):
    info = probe(make(kind, tmp_path))
    assert info.duration == pytest.approx(2, abs=0.02)
    assert info.frames == 2 * RATE


@pytest.mark.parametrize("kind", [kind for kind in CLIPS if kind[0] == "B"])
def test_sampled_frames_are_spread_over_the_real_length(kind, tmp_path):
    frames = sample_frames(make(kind, tmp_path), 4)
    info = probe(next(tmp_path.glob("a.*")))
    times = [float((frame.pts - frames[0].pts) * info.time_base) for frame in frames]
    assert times == pytest.approx([0, 0.5, 1, 1.5], abs=FRAME)


@pytest.mark.parametrize("kind", [kind for kind in CLIPS if kind[0] == "D"])
def test_sound_that_mp4_cannot_hold_becomes_aac(kind, tmp_path):
    target = copy(make(kind, tmp_path), tmp_path / "b.mp4")
    with open_container(target, 2**31 - 1) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]
    assert measure_sync(target).worst < (MP3_DELAY if "MP3" in kind else 2)


def test_the_jumps_of_a_clock_are_reported(tmp_path):
    info = probe(make("A: clock jumps ahead by 38 s", tmp_path))
    assert [round(jump.time) for jump in info.clock_jumps] == [2]
    assert [round(jump.seconds) for jump in info.clock_jumps] == [38]
    assert round(info.stated_duration) == 42


@pytest.mark.parametrize(
    "parts",
    [
        [TS, replace(TS, sound=None)],
        [replace(TS, sound=None), TS],
        [replace(TS, sound_seconds=1.5), TS],
        [replace(TS, sound=None), replace(TS, sound=None)],
    ],
    ids=["sound ends", "sound begins late", "sound is shorter", "no sound"],
)
def test_a_jump_is_bridged_where_a_part_has_less_sound(parts, tmp_path):
    measured = measure_sync(copy(join_parts(tmp_path / "a.ts", parts, "mpegts"), tmp_path / "b.mp4"))
    assert measured.seconds == pytest.approx(4, abs=FRAME)
    assert max(map(abs, measured.offsets), default=0) < 2


def test_a_pause_of_the_picture_alone_is_kept(tmp_path):
    """The sound goes on for 15 s without a new frame: no jump."""
    times = [Fraction(i, 25) for i in range(10)] + [15 + Fraction(i, 25) for i in range(10)]
    base = Fraction(1, 90_000)
    source = make_clip(tmp_path / "a.ts", rate=25, times=times, time_base=base, audio=("aac",), audio_seconds=16.0)
    info = probe(source)
    assert info.clock_jumps == ()
    assert info.duration == pytest.approx(15.4, abs=0.05)


def test_a_frame_of_a_leaping_clock_stays_in_its_place(tmp_path):
    """One frame states a time stamp 100 s ahead, the next ones are right again."""
    source = write_part(tmp_path / "a.ts", replace(TS, video_options={"preset": "ultrafast", "bf": "0"}), "mpegts")
    _leap(source, packet=20, seconds=100)
    with Reader(source) as reader:
        times = [float(frame.pts * reader.info.time_base) for frame in reader]
    assert [time - times[0] for time in times] == pytest.approx([i * FRAME for i in range(50)], abs=FRAME)


def _leap(path: Path, packet: int, seconds: int) -> None:
    """Add seconds to the time stamps of a PES packet of the picture in a transport stream."""
    content = bytearray(path.read_bytes())
    place = -1
    for _ in range(packet + 1):
        place = content.index(b"\x00\x00\x01\xe0", place + 1)
    for stamp in range(place + 9, place + 9 + 5 * (content[place + 7] >> 6 == 3) + 5, 5):
        a, b, c, d, e = content[stamp : stamp + 5]
        time = ((a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1) + 90_000 * seconds
        first, second = a & 0xF1 | (time >> 30 & 7) << 1, time >> 22 & 255
        last = time >> 14 & 254 | 1, time >> 7 & 255, time << 1 & 254 | 1
        content[stamp : stamp + 5] = bytes([first, second, *last])
    path.write_bytes(content)


def test_sound_of_changing_layout_is_read_as_samples(tmp_path):
    sound = read_sound(make("C: MP2 turns from stereo to mono", tmp_path), rate=16_000)
    starts = [round((second + FLASH_FRAME / RATE) * 16_000) for second in range(4)]
    assert min(abs(sound[start : start + round(BEEP_SECONDS * 16_000)]).max() for start in starts) > 0.5
    assert len(sound) == pytest.approx(4 * 16_000, abs=1600)


def test_samples_begin_with_the_first_frame(tmp_path):
    source = make_clip(tmp_path / "a.mkv", rate=25, frames=50, audio=("pcm_s16le",), audio_start=0.5)
    sound = read_sound(source, rate=16_000)
    assert int(abs(sound).argmax()) == pytest.approx(0.7 * 16_000, abs=200)


def test_no_more_samples_are_read_than_asked_for(tmp_path):
    source = write_part(tmp_path / "a.mkv", ClipPart(sound="flac", rate=8000, sound_seconds=30), "matroska")
    assert len(read_sound(source, rate=8000, seconds=2.5)) == 20_000


def test_a_relative_name_with_a_colon_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = write_part(Path("interview-12:30.mp4"), ClipPart(), "mp4")
    assert read_sound(source) is not None
    assert measure_sync(copy(source, Path("b:c.mp4"))).frames == 50


class StoppedError(Exception):
    """Raised by a test in place of the cancellation by a user."""


def test_writing_the_end_of_the_sound_can_be_stopped(tmp_path):
    source = write_part(tmp_path / "a.mkv", ClipPart(), "matroska")
    calls = []

    def check() -> None:
        calls.append(True)
        raise StoppedError

    with Reader(source) as reader, pytest.raises(StoppedError):
        _copy_with_check(reader, source, tmp_path / "b.mp4", check)
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == [source]


def _copy_with_check(reader: Reader, source: Path, target: Path, check) -> None:
    with open_writer(target, reader.info, source, check=check) as writer:
        for frame in reader:
            writer.write(frame)


def test_hours_of_sound_behind_the_picture_are_not_read(tmp_path):
    source = write_part(tmp_path / "a.mkv", ClipPart(sound="flac", rate=8000, sound_seconds=300), "matroska")
    calls = []
    with Reader(source) as reader:
        _copy_with_check(reader, source, tmp_path / "b.mp4", lambda: calls.append(True))
    assert len(calls) < 20
    with open_container(tmp_path / "b.mp4", 2**31 - 1) as container:
        assert container.duration / 1e6 == pytest.approx(2, abs=0.03)

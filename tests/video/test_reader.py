"""What comes out of the reader, for every kind of video that people have."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import BLUE, GREEN, RED, WHITE, make_clip, png, quarters

from asccl.errors import LimitError
from asccl.video import Limits, Reader, probe, read_frame_at, sample_frames

EXAMPLES = Path(__file__).parents[2] / "examples"


def corners(image):
    """Colours at the middles of the four quarters, in reading order."""
    h, w = image.shape[:2]
    return [image[h * y // 4, w * x // 4].astype(int) for y in (1, 3) for x in (1, 3)]


def assert_corners(image, *colours, within=4):
    for corner, expected in zip(corners(image), colours, strict=True):
        assert np.abs(corner - expected).max() <= within, (corner, expected)


def test_constant_rate_is_exact(tmp_path):
    path = make_clip(tmp_path / "a.mp4", rate=Fraction(30000, 1001), frames=20)
    with Reader(path) as reader:
        info, frames = reader.info, list(reader)
    assert (info.width, info.height, info.frame_rate, info.frames) == (64, 48, Fraction(30000, 1001), 20)
    assert [f.index for f in frames] == list(range(20))
    assert [f.pts * info.time_base for f in frames] == [Fraction(1001 * i, 30000) for i in range(20)]
    assert info.duration == pytest.approx(20 * 1001 / 30000)
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image.flags.c_contiguous


def test_matroska_rate_is_exact(tmp_path):
    assert probe(make_clip(tmp_path / "a.mkv", rate=Fraction(30000, 1001), frames=40)).frame_rate == Fraction(
        30000, 1001
    )


def test_variable_rate_is_not_retimed(tmp_path):
    times = [Fraction(t, 600) for t in (0, 20, 33, 90, 91, 200)]
    reader = Reader(make_clip(tmp_path / "a.mp4", times=times, time_base=Fraction(1, 600)))
    assert [f.pts * reader.info.time_base for f in reader] == times


def test_each_iteration_starts_at_the_first(tmp_path):
    reader = Reader(make_clip(tmp_path / "a.mp4", frames=7))
    assert [len(chunk) for chunk in reader.chunks(3)] == [3, 3, 1]
    assert next(iter(reader)).index == 0
    assert len(list(reader)) == 7
    reader.close()


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (90, (GREEN, WHITE, RED, BLUE)),
        (180, (WHITE, BLUE, GREEN, RED)),
        (270, (BLUE, RED, WHITE, GREEN)),
    ],
)
def test_rotation_is_applied(tmp_path, degrees, expected):
    # Display matrices turn counterclockwise by the angle that av is given.
    reader = Reader(make_clip(tmp_path / "a.mp4", rotation=degrees, frames=2))
    frame = list(reader)[1]
    assert (reader.info.height, reader.info.width) == frame.image.shape[:2]
    assert reader.info.width == (64 if degrees == 180 else 48)
    assert_corners(frame.image, *expected)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "bgr0"])
def test_odd_sizes_are_kept(tmp_path, pix_fmt):
    path = make_clip(tmp_path / "a.mkv", size=(65, 49), codec="ffv1", pix_fmt=pix_fmt, frames=2)
    frame = list(Reader(path))[1]
    assert frame.image.shape == (49, 65, 3)
    assert_corners(frame.image, RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv422p10le", "yuv444p"])
def test_colours_are_right(tmp_path, pix_fmt, matrix):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt, matrix=matrix, frames=1)
    assert_corners(next(iter(Reader(path))).image, RED, GREEN, BLUE, WHITE)


def test_levels_are_exact(tmp_path):
    for luma, expected in ((16, 0), (126, 128), (200, 214), (235, 255)):
        path = make_clip(tmp_path / "a.mkv", codec="ffv1", planes=[luma, 128, 128], frames=1)
        assert np.abs(next(iter(Reader(path))).image.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p"])
def test_full_range(tmp_path, pix_fmt):
    path = make_clip(
        tmp_path / "a.mkv", codec="ffv1", pix_fmt=pix_fmt, planes=[100, 128, 128], frames=1, full_range=True
    )
    assert np.abs(next(iter(Reader(path))).image.astype(int) - 100).max() <= 1


def test_gray(tmp_path):
    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="gray", planes=[100], frames=1)
    assert np.abs(next(iter(Reader(path))).image.astype(int) - 100).max() <= 1


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_mapped_into_range(tmp_path, transfer):
    """Skin at about half the signal stays bright enough, white is near the top, and highlights keep their order."""
    values = []
    for signal in (0.0, 0.42, 0.58, 0.7):
        planes = [round(64 + 876 * signal), 512, 512]
        path = make_clip(
            tmp_path / "a.mkv",
            codec="ffv1",
            pix_fmt="yuv420p10le",
            planes=planes,
            matrix=9,
            transfer=transfer,
            frames=1,
        )
        image = next(iter(Reader(path))).image
        assert np.ptp(image) <= 3  # gray stays gray
        values.append(int(image.mean()))
    assert values[0] == 0
    assert values == sorted(values)
    assert 90 < values[1] < 190
    assert 150 < values[2] < values[3] <= 255


def test_alpha_is_flattened_over_black(tmp_path):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("qtrle", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        rgba = np.dstack([quarters(64, 48), np.full((48, 64), 255, np.uint8)])
        rgba[:, 32:, 3] = 0
        rgba[24:, :32, 3] = 128
        frame = av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format="argb")
        frame.pts = 0
        output.mux(stream.encode(frame) + stream.encode(None))
    assert_corners(next(iter(Reader(path))).image, RED, (0, 0, 0), np.array(BLUE) / 2, (0, 0, 0))


def test_vp9_alpha_is_flattened_over_black(tmp_path):
    path = make_clip(tmp_path / "a.webm", codec="libvpx-vp9", pix_fmt="yuva420p", planes=[200, 128, 128, 0], frames=2)
    with av.open(str(path)) as file:
        if file.streams.video[0].metadata.get("alpha_mode") != "1":
            pytest.skip("this build of libvpx writes no alpha")
    images = [frame.image for frame in Reader(path)]
    assert len(images) == 2
    assert max(image.max() for image in images) <= 2


def test_cover_art_is_ignored(tmp_path):
    path = make_clip(tmp_path / "a.mp4", audio=("aac",), cover=True)
    with av.open(str(path)) as file:
        assert len(file.streams.video) == 2
    info = probe(path)
    assert (info.width, info.height, info.audio_tracks) == (64, 48, 1)


def test_non_zero_and_negative_start(tmp_path):
    for start in (Fraction(7, 10), Fraction(0)):
        times = [start + Fraction(i, 10) for i in range(5)]
        path = make_clip(tmp_path / "a.ts", rate=10, times=times, time_base=Fraction(1, 90000))
        pts = [f.pts for f in Reader(path)]
        assert np.diff(pts).tolist() == [9000] * 4


def test_read_at_and_sample(tmp_path):
    path = make_clip(tmp_path / "a.mp4", rate=10, frames=40, options={"g": "7", "crf": "5", "preset": "fast"})
    reader = Reader(path)
    expected = {frame.index: frame.image for frame in reader}
    for seconds, index in ((0, 0), (1.55, 15), (3.9, 39), (99, 39)):
        frame = read_frame_at(path, seconds)
        assert frame.index == index
        assert np.array_equal(frame.image, expected[index])
    frames = sample_frames(path, 8)
    assert [frame.index for frame in frames] == [2, 7, 12, 17, 22, 27, 32, 37]
    assert all(np.array_equal(frame.image, expected[frame.index]) for frame in frames)
    assert len(sample_frames(make_clip(tmp_path / "b.mp4", frames=3), 8)) == 3


def test_sample_of_a_truncated_file(tmp_path):
    path = make_clip(tmp_path / "a.mkv", rate=10, frames=40, size=(320, 240))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 1 <= len(sample_frames(path, 8)) <= 8


def test_content_decides_not_the_name(tmp_path):
    clip = make_clip(tmp_path / "clip.jpg", container="mp4", frames=3)
    assert not probe(clip).is_still
    assert len(list(Reader(clip))) == 3
    still = tmp_path / "still.mp4"
    still.write_bytes(png(20, 10))
    assert probe(still).is_still


def test_one_pixel(tmp_path):
    path = make_clip(tmp_path / "a.mkv", size=(1, 1), codec="ffv1", pix_fmt="yuv444p", planes=[126, 128, 128], frames=2)
    assert [f.image.shape for f in Reader(path)] == [(1, 1, 3)] * 2


def test_a_colon_in_the_name(tmp_path):
    path = make_clip(tmp_path / "a.mp4", frames=1).rename(tmp_path / "http:x %d.mp4")
    assert probe(path).width == 64


def write_video(path: Path, frames: int, key_interval: int) -> Path:
    """Write a small video whose grey level is twice the index of the frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"g": str(key_interval), "sc_threshold": "0", "bf": "0"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            image = np.full((32, 32, 3), 2 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_moment_far_from_a_key_frame_is_refused(tmp_path):
    """One key frame in 100 frames: the server would decode the whole file for one preview."""
    path = write_video(tmp_path / "one.mp4", 100, 1000)
    with pytest.raises(LimitError, match="key frames"):
        read_frame_at(path, 3.0, Limits(max_decoded_frames=20))


def test_a_moment_near_a_key_frame_is_shown(tmp_path):
    path = write_video(tmp_path / "many.mp4", 100, 10)
    assert read_frame_at(path, 3.0, Limits(max_decoded_frames=20)).index == 75


def test_samples_beyond_the_limit_are_key_frames(tmp_path):
    path = write_video(tmp_path / "many.mp4", 100, 10)
    frames = sample_frames(path, 4, Limits(max_decoded_frames=3))
    assert [frame.index for frame in frames] == [11, 30, 60, 80]


def test_a_replaced_file_is_described_anew(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", size=(64, 48))
    probe(clip)
    make_clip(tmp_path / "other.mp4", size=(80, 48), frames=20).replace(clip)
    assert probe(clip).width == 80


def test_a_file_is_described_once_while_it_stays_the_same(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    assert probe(clip) is probe(clip)


def test_a_kept_description_does_not_replace_stricter_limits(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", size=(64, 48))
    probe(clip)
    with pytest.raises(LimitError):
        probe(clip, Limits(max_pixels=100))

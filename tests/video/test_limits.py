"""Files that are larger or longer than accepted."""

from fractions import Fraction
from pathlib import Path

import pytest
from bad_files import write_png_header
from video_clips import make_clip

from asccl.errors import LimitError
from asccl.video import Limits, Reader, probe


def test_too_large_is_refused_before_decoding(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "8k.mp4", size=(7680, 4320), frames=1, options={"preset": "ultrafast", "crf": "40"})
    monkeypatch.setattr("asccl.video.source.VideoSource.frames", lambda self: pytest.fail("decoded"))
    with pytest.raises(LimitError, match=r"7680 x 4320.*smaller"):
        probe(path)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((70_000, 300), "30000 pixels"),
        ((24_999_999, 1), "30000 pixels"),
        ((29_000, 256), "20 times the other side"),
        ((256, 29_000), "20 times the other side"),
    ],
)
def test_absurd_shapes_are_refused_by_the_header(tmp_path, size, words):
    path = write_png_header(tmp_path / "a.png", *size)
    with pytest.raises(LimitError, match=rf"a.png is {size[0]} x {size[1]}: .*{words}.*: cut out the part") as caught:
        probe(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (11_500, 8_600), (30_000, 1_500)])
def test_usual_shapes_are_accepted(size):
    Limits().check_size(Path("a.png"), *size, is_still=True)


def test_an_absurd_video_is_refused(tmp_path):
    path = make_clip(tmp_path / "a.avi", size=(4000, 100), codec="mjpeg", pix_fmt="yuvj420p", frames=1)
    with pytest.raises(LimitError, match="20 times the other side"):
        probe(path)


def test_too_long_and_too_heavy(tmp_path):
    five_hours = [Fraction(0), Fraction(18000)]
    path = make_clip(tmp_path / "5h.mp4", rate=25, times=five_hours, time_base=Fraction(1, 25))
    with pytest.raises(LimitError, match="longer than 1 hour: cut"):
        probe(path)
    path = make_clip(tmp_path / "a.mp4", frames=12)
    with pytest.raises(LimitError, match="MB"):
        probe(path, Limits(max_bytes=100))
    with pytest.raises(LimitError, match="frames"):
        probe(path, Limits(max_frames=11))


def test_a_file_that_hides_its_length_is_stopped(tmp_path):
    path = make_clip(tmp_path / "a.h264", container="h264", rate=25, frames=60)
    with pytest.raises(LimitError, match="frames"):
        list(Reader(path, Limits(max_frames=30)))

"""The writer keeps times, colours and metadata, and leaves no file behind after an error."""

import resource
from fractions import Fraction

import av
import numpy as np
import pytest
from video_clips import BLUE, GREEN, RED, WHITE, copy, make_clip, quarters

from asccl.errors import OutputError, SettingError
from asccl.types import Frame, MediaInfo
from asccl.video import EncodeSettings, Reader, Writer, default_output, open_writer, probe, read_tags


def synthetic_info(folder, width=64, height=48):
    """Info of a clip without a file."""
    return MediaInfo(folder / "none", width, height, Fraction(25), Fraction(1, 25), 1.0, 25, is_still=False)


def write_quarters(target, info, n=5, **options):
    with Writer(target, info, **options) as writer:
        for i in range(n):
            writer.write(Frame(quarters(info.width, info.height), i, i))


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


def test_codec_profile_and_faststart(tmp_path):
    target = copy(make_clip(tmp_path / "a.mp4", frames=30), tmp_path / "b.mp4")
    with av.open(str(target)) as file:
        codec = file.streams.video[0].codec_context
        assert (codec.name, codec.profile, codec.pix_fmt) == ("h264", "High", "yuv420p")
    content = target.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(
    ("rate", "time_base"),
    [(Fraction(30000, 1001), None), (Fraction(24000, 1001), Fraction(1, 90000)), (50, None), (Fraction(15, 2), None)],
)
def test_rate_and_stamps_are_exact(tmp_path, rate, time_base):
    source = make_clip(tmp_path / "a.mp4", rate=rate, frames=25, time_base=time_base)
    reader, copied = Reader(source), Reader(copy(source, tmp_path / "b.mp4"))
    assert copied.info.frame_rate == reader.info.frame_rate == rate
    assert copied.info.duration == pytest.approx(reader.info.duration, abs=1e-3)
    stamps = [f.pts * copied.info.time_base for f in copied]
    assert stamps == [f.pts * reader.info.time_base for f in reader]
    assert len(stamps) == 25


def test_variable_rate_is_not_retimed(tmp_path):
    times = [Fraction(t, 600) for t in (0, 20, 33, 90, 91, 200, 201, 330)]
    source = make_clip(tmp_path / "a.mp4", times=times, time_base=Fraction(1, 600))
    copied = Reader(copy(source, tmp_path / "b.mp4"))
    assert [f.pts * copied.info.time_base for f in copied] == times


def test_rounded_stamps_of_matroska_become_exact_again(tmp_path):
    source = make_clip(tmp_path / "a.mkv", rate=Fraction(30000, 1001), frames=40)
    copied = Reader(copy(source, tmp_path / "b.mp4"))
    assert [f.pts * copied.info.time_base for f in copied] == [Fraction(1001 * i, 30000) for i in range(40)]
    times = [Fraction(t, 1000) for t in (0, 40, 90, 95, 200)]
    source = make_clip(tmp_path / "c.mkv", rate=25, times=times, time_base=Fraction(1, 1000))
    copied = Reader(copy(source, tmp_path / "d.mp4"))
    assert [f.pts * copied.info.time_base for f in copied] == times


@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_and_tags_survive(tmp_path, matrix):
    source = make_clip(tmp_path / "a.mp4", matrix=matrix, size=(128, 96))
    target = copy(source, tmp_path / "b.mp4")
    with av.open(str(target)) as file:
        codec = file.streams.video[0].codec_context
        tags = (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range)
        assert tags == (matrix, matrix, matrix, 1)
    before, after = (list(Reader(p))[5].image.astype(int) for p in (source, target))
    assert np.abs(before - after).mean() < 1
    for y, x, colour in ((24, 32, RED), (24, 96, GREEN), (72, 32, BLUE), (72, 96, WHITE)):
        assert np.abs(after[y, x] - colour).max() <= 5


def test_untouched_pixels_keep_their_level(tmp_path):
    """No drift: the mean over a noisy image moves by less than a quarter of a level."""
    image = np.random.default_rng(0).integers(60, 190, (96, 128, 1), np.uint8).repeat(3, 2)
    with Writer(tmp_path / "a.mp4", synthetic_info(tmp_path, 128, 96), settings=EncodeSettings(crf=1)) as writer:
        for i in range(3):
            writer.write(Frame(image, i, i))
    for frame in Reader(tmp_path / "a.mp4"):
        assert abs(frame.image.mean() - image.mean()) < 0.25


def test_untagged_frames_get_consistent_tags(tmp_path):
    write_quarters(tmp_path / "a.mp4", synthetic_info(tmp_path))
    with av.open(str(tmp_path / "a.mp4")) as file:
        codec = file.streams.video[0].codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_trc) == (1, 1, 1)
    image = list(Reader(tmp_path / "a.mp4"))[2].image.astype(int)
    assert np.abs(image[12, 16] - RED).max() <= 5


def test_hdr_becomes_bt709(tmp_path):
    source = make_clip(
        tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le", matrix=9, transfer=16, planes=[500, 512, 512]
    )
    with av.open(str(copy(source, tmp_path / "b.mp4"))) as file:
        codec = file.streams.video[0].codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_trc, codec.pix_fmt) == (1, 1, 1, "yuv420p")


def test_odd_sizes_grow_by_a_copied_pixel(tmp_path):
    write_quarters(tmp_path / "a.mp4", synthetic_info(tmp_path, 65, 49))
    frame = next(iter(Reader(tmp_path / "a.mp4"))).image
    assert frame.shape == (50, 66, 3)
    assert np.abs(frame[-1, -1].astype(int) - WHITE).max() <= 5


def test_one_pixel(tmp_path):
    write_quarters(tmp_path / "a.mp4", synthetic_info(tmp_path, 1, 1))
    assert probe(tmp_path / "a.mp4").width == 2


def test_turned_source_is_upright_without_matrix(tmp_path):
    copied = Reader(copy(make_clip(tmp_path / "a.mp4", rotation=90), tmp_path / "b.mp4"))
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert next(file.decode(video=0)).rotation == 0
    assert (copied.info.width, copied.info.height) == (48, 64)


def test_pixel_shape_is_kept_and_turns_with_the_picture(tmp_path):
    for rotation, expected in ((0, Fraction(4, 3)), (90, Fraction(3, 4))):
        source = make_clip(tmp_path / "a.mp4", rotation=rotation, options={"aspect": "4:3"})
        with av.open(str(source)) as file:
            assert file.streams.video[0].codec_context.sample_aspect_ratio == Fraction(4, 3)
        with av.open(str(copy(source, tmp_path / "b.mp4"))) as file:
            assert file.streams.video[0].codec_context.sample_aspect_ratio == expected


@pytest.mark.parametrize("ending", ["mp4", "mov", "m4v"])
def test_tags(tmp_path, ending):
    source = make_clip(tmp_path / "a.mp4", metadata={"title": "Grüße", "creation_time": "2020-02-03T04:05:06Z"})
    tags = {"comment": "edited with ASCCL: happy, 1.0", "software": "asccl 0.1", "asccl_intensity": "1.0"}
    read = read_tags(copy(source, tmp_path / f"b.{ending}", tags))
    assert tags.items() <= read.items()
    assert read["title"] == "Grüße"
    assert read["creation_time"].startswith("2020-02-03T04:05:06")


def test_metadata_that_are_not_utf8_are_replaced(tmp_path):
    source = make_clip(tmp_path / "a.mp4", metadata={"title": "Grüße"})
    source.write_bytes(source.read_bytes().replace("Grüße".encode(), b"Gr\xff\xfe\xfd\xfce"))
    assert read_tags(copy(source, tmp_path / "b.mp4"))["title"] == "Gr\ufffd\ufffd\ufffd\ufffde"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_an_exception(tmp_path, error):
    source = make_clip(tmp_path / "a.mp4", audio=("pcm_s16le",), container="mov")
    (tmp_path / "b.mp4").write_bytes(b"older result")

    def fail_at_frame_5():
        reader = Reader(source)
        with open_writer(tmp_path / "b.mp4", reader.info, source) as writer:
            for frame in reader:
                writer.write(frame)
                assert any(name.endswith(".part") and name.startswith(".") for name in leftovers(tmp_path))
                if frame.index == 5:
                    raise error

    with pytest.raises(error):
        fail_at_frame_5()
    assert leftovers(tmp_path) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"older result"


def test_full_disk(tmp_path, capfd):
    rng = np.random.default_rng(0)

    def write_noise():
        with Writer(tmp_path / "b.mp4", synthetic_info(tmp_path, 320, 240)) as writer:
            for i in range(60):
                writer.write(Frame(rng.integers(0, 256, (240, 320, 3), np.uint8), i, i))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"no space is left for b\.mp4: free"):
            write_noise()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert leftovers(tmp_path) == []
    assert capfd.readouterr().err == ""


def test_unwritable_targets(tmp_path, monkeypatch):
    (tmp_path / "folder.mp4").mkdir()
    for target, word in (
        (tmp_path / "no" / "b.mp4", "does not exist: create"),
        (tmp_path / "folder.mp4", "is a folder"),
    ):
        with pytest.raises(OutputError, match=word):
            Writer(target, synthetic_info(tmp_path))
    monkeypatch.setattr("os.open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(OutputError, match="may not be written"):
        Writer(tmp_path / "b.mp4", synthetic_info(tmp_path))


def test_endings_and_own_source(tmp_path):
    info = probe(make_clip(tmp_path / "a.mp4"))
    for name in ("b.avi", "b.png", "b"):
        with pytest.raises(SettingError, match=r"\.mp4"):
            open_writer(tmp_path / name, info)
    with pytest.raises(SettingError, match="own source"):
        open_writer(tmp_path / "a.mp4", info)
    with pytest.raises(SettingError, match="crf"):
        EncodeSettings(crf=float("nan"))
    assert leftovers(tmp_path) == ["a.mp4"]


def test_default_output(tmp_path):
    info = probe(make_clip(tmp_path / "a.mkv"))
    assert default_output(info, "-happy") == tmp_path / "a-happy.mp4"


def test_wrong_shape_is_named(tmp_path):
    def write_wrong_shape():
        with Writer(tmp_path / "b.mp4", synthetic_info(tmp_path)) as writer:
            writer.write(Frame(quarters(32, 32), 3, 0))

    with pytest.raises(ValueError, match="frame 3 has shape"):
        write_wrong_shape()
    assert leftovers(tmp_path) == []

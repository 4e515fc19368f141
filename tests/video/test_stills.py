"""Stills in and out."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from video_clips import BLUE, GREEN, RED, WHITE, quarters

from asccl.errors import LimitError, SettingError
from asccl.types import Frame
from asccl.video import Reader, default_output, open_writer, probe, read_frame_at, read_tags, sample_frames


def save(path, image, **options):
    image.save(path, **options)
    return path


def read(path):
    frames = list(Reader(path))
    assert len(frames) == 1
    return frames[0].image


def write(source, target, tags=None):
    reader = Reader(source)
    with open_writer(target, reader.info, source, tags) as writer:
        for frame in reader:
            writer.write(frame)
    return target


@pytest.fixture
def rgb():
    return Image.fromarray(quarters(40, 24))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG"])
def test_kinds(tmp_path, rgb, kind):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    path = save(tmp_path / "any.bin", rgb, format=kind, **options)
    info = probe(path)
    assert (info.width, info.height, info.is_still, info.frame_rate, info.frames) == (40, 24, True, 0, 1)
    assert np.abs(read(path).astype(int) - np.asarray(rgb)).mean() < 3
    assert np.array_equal(read_frame_at(path, 5.0).image, sample_frames(path, 4)[0].image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_removed(tmp_path, rgb, orientation):
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # FLIP_LEFT_RIGHT, ROTATE_180, ...
    stored = rgb.transpose(Image.Transpose(back[orientation])) if orientation > 1 else rgb
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = orientation, "Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    source = save(tmp_path / "a.png", stored, exif=exif)
    assert np.array_equal(read(source), np.asarray(rgb))
    with Image.open(write(source, tmp_path / "b.png")) as copied:
        assert np.array_equal(np.asarray(copied), np.asarray(rgb))
        kept = copied.getexif()
        assert kept.get(ExifTags.Base.Orientation, 1) == 1
        assert kept[ExifTags.Base.Make] == "Camera"
        assert kept.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"


def test_alpha_gray_deep_and_palette(tmp_path, rgb):
    clear = rgb.copy()
    clear.putalpha(128)
    assert np.abs(read(save(tmp_path / "a.png", clear)).astype(int) - np.asarray(rgb) // 2).max() <= 1
    deep = Image.fromarray(np.full((9, 9), 128 * 257, np.uint16))
    assert (read(save(tmp_path / "b.png", deep)) == 128).all()
    assert (read(save(tmp_path / "c.png", Image.new("LA", (9, 9), (200, 0)))) == 0).all()
    assert (read(save(tmp_path / "d.png", Image.new("1", (9, 9), 1))) == 255).all()
    assert np.abs(read(save(tmp_path / "e.png", rgb.quantize(8))).astype(int) - np.asarray(rgb)).max() <= 4
    cmyk = read(save(tmp_path / "f.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0)), quality=95))
    assert cmyk[8, 8, 0] > 200
    assert cmyk[8, 8, 1:].max() < 60


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp"])
def test_written_still(tmp_path, rgb, ending):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = save(tmp_path / "a.png", rgb, icc_profile=profile)
    tags = {"comment": "edited: glücklich", "software": "asccl 0.1", "asccl_emotion": "happy"}
    target = write(source, tmp_path / f"b.{ending}", tags)
    assert tags.items() <= read_tags(target).items()
    with Image.open(target) as image:
        assert image.format == {"png": "PNG", "webp": "WEBP"}.get(ending, "JPEG")
        assert image.info["icc_profile"] == profile
        assert image.getexif()[ExifTags.Base.Software] == "asccl 0.1"
        if ending == "png":
            assert image.text["asccl_emotion"] == "happy"
        if ending.startswith("j"):
            assert all(layer[1:3] == (1, 1) for layer in image.layer)
    assert np.abs(read(target).astype(int) - np.asarray(rgb)).mean() < {"png": 0.1, "webp": 6}.get(ending, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", f"b.{ending}"]


def test_lab_and_gray_profiles_are_brought_to_srgb(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    lab = Image.new("LAB", (9, 9), (136, 128 + 80 - 128, 67))  # some red
    source = save(tmp_path / "a.tif", lab, icc_profile=profile)
    assert read(source).shape == (9, 9, 3)
    with Image.open(write(source, tmp_path / "b.png")) as image:
        assert image.mode == "RGB"
        assert "icc_profile" not in image.info


def test_an_animated_gif_is_a_video(tmp_path, rgb):
    others = [Image.fromarray(np.roll(np.asarray(rgb), k, 1)) for k in (3, 6)]
    path = save(tmp_path / "a.gif", rgb, save_all=True, append_images=others, duration=100)
    reader = Reader(path)
    assert not reader.info.is_still
    assert len(list(reader)) == 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_other_animations_are_videos_with_their_times(tmp_path, rgb, kind):
    others = [Image.fromarray(np.roll(np.asarray(rgb), k, 1)) for k in (3, 6)]
    path = save(tmp_path / "a.bin", rgb, format=kind, save_all=True, append_images=others, duration=[100, 200, 100])
    reader = Reader(path)
    assert [float(frame.pts * reader.info.time_base) for frame in reader] == pytest.approx([0, 0.1, 0.3])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_an_animation_of_one_image_is_a_still(tmp_path, rgb, kind):
    assert probe(save(tmp_path / "a.bin", rgb, format=kind, save_all=True)).is_still


def test_the_images_of_an_animated_webp_are_in_place(tmp_path, rgb):
    others = [Image.fromarray(np.roll(np.asarray(rgb), k, 1)) for k in (3, 6)]
    path = save(tmp_path / "a.webp", rgb, save_all=True, append_images=others, duration=100, lossless=True)
    copied = [frame.image for frame in Reader(write(path, tmp_path / "b.mp4"))]
    for image, original in zip(copied, [rgb, *others], strict=True):
        assert np.abs(image.astype(int) - np.asarray(original)).mean() < 6


def test_picture_bombs_are_refused_by_their_header(tmp_path, capfd):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (12000, 60000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        path = tmp_path / "bomb.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)))
        with pytest.raises(LimitError, match=r"bomb\.png.*million pixels: make it smaller"):
            probe(path)
    assert capfd.readouterr().err == ""


def test_a_camera_picture_is_read(tmp_path):
    assert probe(save(tmp_path / "b.png", Image.new("RGB", (8064, 6048)), compress_level=1)).width == 8064


def test_one_pixel(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGB", (1, 1), RED))
    assert read(path).tolist() == [[list(RED)]]


def test_endings(tmp_path, rgb):
    info = probe(save(tmp_path / "a.bmp", rgb))
    for name in ("b.mp4", "b.gif", "b.bmp"):
        with pytest.raises(SettingError, match=r"\.png"):
            open_writer(tmp_path / name, info)
    assert default_output(info, "-sad").name == "a-sad.png"
    assert default_output(probe(save(tmp_path / "a.JPG", rgb, format="JPEG")), "-sad").name == "a-sad.JPG"


def test_nothing_is_left_after_an_exception(tmp_path, rgb):
    reader = Reader(save(tmp_path / "a.png", rgb))

    def interrupt():
        with open_writer(tmp_path / "b.png", reader.info) as writer:
            writer.write(Frame(read(tmp_path / "a.png"), 0, 0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_corners_are_where_they_belong(tmp_path, rgb):
    image = read(save(tmp_path / "a.png", rgb))
    assert [tuple(image[y, x]) for y in (0, -1) for x in (0, -1)] == [RED, GREEN, BLUE, WHITE]


def test_broken_profile_is_no_obstacle(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (9, 9), 70).save(buffer, "PNG", icc_profile=b"no profile")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    assert (read(tmp_path / "a.png") == 70).all()

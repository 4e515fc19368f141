"""A picture is never lost over its metadata: what cannot be kept is dropped and named."""

import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image
from video_clips import quarters

from asccl.errors import SettingError
from asccl.video import Reader, open_writer, probe, read_tags
from asccl.video.image_file import load_image
from asccl.video.limits import UNLIMITED
from asccl.video.still_metadata import StillMetadata

TAGS = {"comment": "edited", "software": "asccl"}
ALL = ("damaged metadata",)
ASCII, SHORT, UNDEFINED = 2, 3, 7  # types of EXIF entries


def exif_bytes(*entries):
    """EXIF of (tag, type, value as bytes)."""
    offset = 8 + 2 + 12 * len(entries) + 4
    folder, data = b"", b""
    for tag, kind, value in entries:
        count = len(value) // (2 if kind == SHORT else 1)
        inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", offset + len(data))
        data += value if len(value) > 4 else b""
        folder += struct.pack("<HHI", tag, kind, count) + inline
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + folder + b"\0\0\0\0" + data


def copy(source, target):
    """Read and write a still; returns the names of what was dropped."""
    reader = Reader(source)
    with open_writer(target, reader.info, source, TAGS) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.dropped


@pytest.fixture
def rgb():
    return Image.fromarray(quarters(40, 24))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_damaged_exif_is_dropped_and_named(tmp_path, rgb, ending):
    rgb.save(tmp_path / "a.png", exif=b"Exif\0\0XX*\0\x08\0\0\0" + bytes(20))
    assert copy(tmp_path / "a.png", tmp_path / f"b.{ending}") == ("EXIF",)
    assert read_tags(tmp_path / f"b.{ending}")["comment"] == "edited"


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_an_entry_of_the_wrong_type_is_dropped_and_the_others_are_kept(tmp_path, rgb, ending):
    entries = (ExifTags.Base.Make, ASCII, b"Camera\0"), (ExifTags.Base.XResolution, ASCII, b"72\0")
    rgb.save(tmp_path / "a.jpg", exif=exif_bytes(*entries))
    assert copy(tmp_path / "a.jpg", tmp_path / f"b.{ending}") == ("EXIF XResolution",)
    with Image.open(tmp_path / f"b.{ending}") as image:
        assert image.getexif()[ExifTags.Base.Make] == "Camera"


def test_an_orientation_is_applied_beside_a_damaged_entry(tmp_path, rgb):
    orientation = (ExifTags.Base.Orientation, SHORT, struct.pack("<H", 6))
    rgb.save(tmp_path / "a.jpg", exif=exif_bytes(orientation, (ExifTags.Base.XResolution, ASCII, b"72\0")))
    assert copy(tmp_path / "a.jpg", tmp_path / "b.png") == ("EXIF XResolution",)
    assert probe(tmp_path / "b.png").width == 24


def test_the_largest_entry_is_dropped_where_a_jpeg_cannot_hold_all(tmp_path, rgb):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = bytes(70_000)
    rgb.save(tmp_path / "a.png", exif=exif)
    assert copy(tmp_path / "a.png", tmp_path / "b.jpg") == ("EXIF MakerNote",)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif()[ExifTags.Base.Make] == "Camera"
    assert copy(tmp_path / "a.png", tmp_path / "b.png") == ()


def test_a_maker_note_that_fills_a_jpeg_leaves_room_for_the_tags(tmp_path, rgb):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = bytes(65_400)
    rgb.save(tmp_path / "a.jpg", exif=exif)
    assert copy(tmp_path / "a.jpg", tmp_path / "b.jpg") == ("EXIF MakerNote",)
    assert read_tags(tmp_path / "b.jpg") == TAGS


def png_with_chunk(path, kind, data, checksum=None):
    """Insert a chunk after the header of a PNG."""
    content = path.read_bytes()
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
    path.write_bytes(content[:33] + chunk + content[33:])


@pytest.mark.parametrize(
    ("kind", "data", "checksum", "dropped"),
    [
        (b"tEXt", b"Title\0x", 7, ALL),
        (b"zTXt", b"Title\0\0no zlib", None, ()),
        (b"zTXt", b"Title\0\0" + zlib.compress(bytes(2 * 2**20)), None, ALL),
        (b"iTXt", b"Title\0\x01\0\0\0no zlib", None, ()),
        (b"iCCP", b"profile\0\0no zlib", None, ("ICC profile",)),
        (b"pHYs", b"", None, ALL),
        (b"eXIf", b"II", 3, ALL),
    ],
    ids=["checksum", "text", "huge text", "international text", "profile", "resolution", "exif"],
)
def test_the_pixels_of_a_png_with_damaged_metadata_are_read(tmp_path, rgb, kind, data, checksum, dropped):
    rgb.save(tmp_path / "a.png")
    png_with_chunk(tmp_path / "a.png", kind, data, checksum)
    names = copy(tmp_path / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), np.asarray(rgb))
    assert names == dropped


def test_text_of_a_png_is_kept_in_a_png_and_named_where_it_cannot_be(tmp_path, rgb):
    rgb.save(tmp_path / "a.png")
    png_with_chunk(tmp_path / "a.png", b"tEXt", b"Title\0My face")
    assert copy(tmp_path / "a.png", tmp_path / "b.png") == ()
    assert Image.open(tmp_path / "b.png").text["Title"] == "My face"
    assert copy(tmp_path / "a.png", tmp_path / "b.jpg") == ("text Title",)


def test_xmp_is_named(tmp_path, rgb):
    rgb.save(tmp_path / "a.jpg", xmp=b"<x:xmpmeta/>")
    assert copy(tmp_path / "a.jpg", tmp_path / "b.jpg") == ("XMP",)


def test_the_layout_of_a_tiff_is_no_metadata(tmp_path, rgb):
    rgb.save(tmp_path / "a.tif")
    assert copy(tmp_path / "a.tif", tmp_path / "b.png") == ()
    assert not {256, 273, 279} & set(Image.open(tmp_path / "b.png").getexif())


def test_a_size_that_a_format_cannot_hold_is_refused_before_the_work(tmp_path):
    Image.new("RGB", (17_000, 1_000)).save(tmp_path / "a.png")
    info = probe(tmp_path / "a.png")
    with pytest.raises(SettingError, match=r"b.webp cannot hold 17000 x 1000 pixels: .*16383 a side: choose .*\.png"):
        open_writer(tmp_path / "b.webp", info)
    assert not (tmp_path / "b.webp").exists()


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_transparency_is_kept(tmp_path, rgb, ending):
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1)))
    rgb.putalpha(alpha)
    rgb.save(tmp_path / f"a.{ending}", **({"lossless": True, "exact": True} if ending == "webp" else {}))
    copy(tmp_path / f"a.{ending}", tmp_path / f"b.{ending}")
    copied = np.asarray(Image.open(tmp_path / f"b.{ending}"))
    np.testing.assert_array_equal(copied[..., 3], np.asarray(alpha))
    assert np.abs(copied[:, 20:, :3].astype(int) - np.asarray(rgb)[:, 20:, :3]).mean() < (
        0.01 if ending == "png" else 6
    )


def test_edited_pixels_of_a_transparent_image_are_inserted(tmp_path, rgb):
    rgb.putalpha(Image.fromarray(np.repeat(np.uint8([[0], [128]]), [12, 12], 0).repeat(40, 1)))
    rgb.save(tmp_path / "a.png")
    reader = Reader(tmp_path / "a.png")
    frame = next(iter(reader))
    frame.image[20, 10] = 64, 32, 16
    with open_writer(tmp_path / "b.png", reader.info, tmp_path / "a.png") as writer:
        writer.write(frame)
    before, after = np.asarray(Image.open(tmp_path / "a.png")), np.asarray(Image.open(tmp_path / "b.png"))
    assert after[20, 10].tolist() == [128, 64, 32, 128]  # half transparent: twice as bright as over black
    changed = (before != after).any(-1)
    assert np.argwhere(changed).tolist() == [[20, 10]]


def test_transparency_becomes_white_in_a_jpeg(tmp_path, rgb):
    rgb.putalpha(0)
    rgb.save(tmp_path / "a.png")
    copy(tmp_path / "a.png", tmp_path / "b.jpg")
    assert np.asarray(Image.open(tmp_path / "b.jpg")).min() > 250


def test_a_profile_that_a_jpeg_cannot_hold_is_dropped():
    metadata = StillMetadata(icc_profile=bytes(17_000_000))
    assert metadata.save_options("JPEG")["icc_profile"] is None
    assert metadata.dropped == ["ICC profile"]


def test_decoding_keeps_the_mode(tmp_path):
    Image.new("CMYK", (8, 8)).save(tmp_path / "a.jpg")
    assert load_image(tmp_path / "a.jpg", UNLIMITED).mode == "CMYK"

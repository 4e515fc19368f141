"""The film wins over stills, thumbnails and covers."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import ExifTags, Image
from video_clips import make_clip, quarters

from asccl.errors import UnreadableError
from asccl.video import Reader, probe


def add_still(path, source, size, first):
    """Copy a film and add a JPEG of another size, without the disposition of a cover, before or behind it."""
    with av.open(str(source)) as film, av.open(str(path), "w") as output:
        names = ["film", "still"][:: -1 if first else 1]
        streams = {}
        for name in names:
            if name == "film":
                streams[name] = output.add_stream_from_template(film.streams.video[0])
            else:
                streams[name] = output.add_stream("mjpeg", rate=25)
                streams[name].width, streams[name].height = size
                streams[name].pix_fmt = "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(streams["still"].encode(frame.reformat(format="yuvj420p")) + streams["still"].encode(None))
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = streams["film"]
                output.mux(packet)
    return path


@pytest.mark.parametrize("first", [True, False])
def test_the_film_wins_over_a_larger_still(tmp_path, first):
    film = make_clip(tmp_path / "film.mp4", frames=40)
    path = add_still(tmp_path / "a.mkv", film, (320, 240), first)
    assert (probe(path).width, len(list(Reader(path)))) == (64, 40)


def test_the_larger_of_two_films_wins(tmp_path):
    small, large = make_clip(tmp_path / "s.mp4"), make_clip(tmp_path / "l.mp4", size=(96, 64))
    with av.open(str(small)) as a, av.open(str(large)) as b, av.open(str(tmp_path / "both.mkv"), "w") as output:
        streams = [output.add_stream_from_template(source.streams.video[0]) for source in (a, b)]
        for source, stream in zip((a, b), streams, strict=True):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    assert probe(tmp_path / "both.mkv").width == 96


def test_a_heic_photo_of_several_tiles_is_decoded(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    image = Image.fromarray(quarters(200, 120))
    image.save(tmp_path / "phone.heic", quality=95)
    (frame,) = Reader(tmp_path / "phone.heic")
    assert np.abs(frame.image.astype(int) - np.asarray(image)).mean() < 4


@pytest.mark.parametrize("ending", ["heic", "tif", "webp", "avif", "png"])
def test_a_photo_of_a_turned_phone_is_upright(tmp_path, ending):
    if ending == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    image, exif = Image.fromarray(quarters(96, 64)), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    options = {"tiffinfo": {ExifTags.Base.Orientation: 6}} if ending == "tif" else {"exif": exif.tobytes()}
    path = tmp_path / f"phone.{ending}"
    image.transpose(Image.Transpose.ROTATE_90).save(path, **options)
    (frame,) = Reader(path)
    assert (probe(path).width, frame.image.shape) == (96, (64, 96, 3))
    assert np.abs(frame.image.astype(int) - np.asarray(image)).mean() < 8


def test_a_heic_photo_without_the_package_names_the_package(tmp_path, monkeypatch):
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(100))
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(UnreadableError, match=r"phone.heic is a HEIC photo.*pip install pillow-heif"):
        probe(path)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("a.ico", lambda image, path: image.resize((64, 64)).save(path)),
        ("pages.tif", lambda image, path: image.save(path, save_all=True, append_images=[image, image])),
        ("progressive.jpg", lambda image, path: image.save(path, progressive=True)),
        ("cmyk.jpg", lambda image, path: image.convert("CMYK").save(path)),
        ("a.jp2", lambda image, path: image.save(path)),
        ("mpo.jpg", lambda image, path: image.save(path, "MPO", save_all=True, append_images=[image])),
        ("deep.png", lambda image, path: Image.fromarray(np.uint16(np.asarray(image.convert("L"))) * 257).save(path)),
    ],
)
def test_kinds_of_stills(tmp_path, name, save):
    save(Image.fromarray(quarters(64, 48)), tmp_path / name)
    assert probe(tmp_path / name).is_still
    (frame,) = Reader(tmp_path / name)
    assert frame.image.shape[1] == 64
    assert frame.image[-5, -5].tolist() == pytest.approx([235] * 3, abs=8)  # white


@pytest.mark.parametrize("name", ["a.mjpeg", "a.avi", "a.mov"])
def test_motion_jpeg_is_a_video(tmp_path, name):
    path = make_clip(tmp_path / name, codec="mjpeg", pix_fmt="yuvj420p", full_range=True, frames=6)
    assert len(list(Reader(path))) == 6

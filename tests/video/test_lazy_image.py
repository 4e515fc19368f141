"""Parts of a decoded image equal the whole image; what no patch covers is encoded as it was decoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from asccl.types import as_image
from asccl.video import Reader, draw_badge, open_writer
from asccl.video.colour import BT709, ColourTags, planes_to_rgb, view_planes
from asccl.video.lazy_image import DecodedImage, TurnedImage, overlay_patch, to_video_frame
from tests.video.video_clips import make_clip

BT601 = 6


def decoded(width: int = 64, height: int = 48) -> DecodedImage:
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in view_planes(frame):
        plane[:] = rng.integers(16, 240, plane.shape)
    return DecodedImage(frame, 1)


@pytest.mark.parametrize("rows", [slice(0, 48), slice(3, 10), slice(4, 5), slice(5, 200), slice(7, 7), slice(0, 48, 5)])
@pytest.mark.parametrize("columns", [slice(0, 64), slice(1, 2), slice(9, 40), slice(60, 10), slice(2, 64, 3)])
def test_a_part_is_a_part_of_the_whole(rows, columns):
    image = decoded()
    np.testing.assert_array_equal(image[rows, columns], as_image(image)[rows, columns])


@pytest.mark.parametrize("rows", [slice(0, 48), slice(6, 9), slice(0, 6), slice(30, 48), slice(1, 48, 4)])
@pytest.mark.parametrize("columns", [slice(0, 64), slice(12, 14), slice(0, 9), slice(40, 64), slice(3, 64, 2)])
def test_patches_lie_over_a_picture_in_order(rows, columns):
    low, high = np.full((9, 20, 3), 30, np.uint8), np.full((5, 6, 3), 220, np.uint8)
    expected = as_image(decoded()).copy()
    expected[5:14, 10:30], expected[12:17, 27:33] = 30, 220
    image = overlay_patch(overlay_patch(decoded(), 10, 5, low), 27, 12, high)
    np.testing.assert_array_equal(image[rows, columns], expected[rows, columns])
    np.testing.assert_array_equal(overlay_patch(overlay_patch(as_image(decoded()), 10, 5, low), 27, 12, high), expected)


def test_what_no_patch_covers_is_encoded_as_it_was_decoded():
    source = decoded()
    planes = view_planes(to_video_frame(overlay_patch(source, 11, 7, np.full((8, 13, 3), 200, np.uint8)), ColourTags()))
    for step, values, before in zip((1, 2, 2), planes, source.planes, strict=True):
        changed = values != before
        changed[6 // step : 16 // step, 10 // step : 24 // step] = False
        assert not changed.any()
    inside = as_image(
        DecodedImage(to_video_frame(overlay_patch(source, 11, 7, np.full((8, 13, 3), 200, np.uint8)), ColourTags()), 1)
    )
    assert np.abs(inside[8:14, 12:22].astype(int) - 200).max() <= 1


def test_another_matrix_is_converted():
    red = np.zeros((48, 64, 3), np.uint8) + np.uint8([200, 30, 40])
    source = DecodedImage(to_video_frame(red, ColourTags()), 1)
    converted = DecodedImage(to_video_frame(source, ColourTags(BT601, BT601, BT601)), BT601)
    assert np.abs(as_image(converted).astype(int) - red).max() <= 3
    assert not np.array_equal(converted.planes[0], source.planes[0])


ENCODABLE = [{"pix_fmt": "yuv420p"}, {"matrix": BT601}]
NOT_ENCODABLE = [
    {"pix_fmt": "yuv444p"},
    {"pix_fmt": "yuv420p10le"},
    {"full_range": True},
    {"rotation": 90},
    {"size": (63, 48), "codec": "ffv1"},
    {"primaries": 9, "transfer": 16, "matrix": 9, "pix_fmt": "yuv420p10le"},
    {"primaries": 9},
]


@pytest.mark.parametrize("options", [*ENCODABLE, *NOT_ENCODABLE], ids=str)
def test_only_what_can_be_encoded_as_it_is_stays_as_decoded(tmp_path, options):
    with Reader(make_clip(tmp_path / "a.mkv", **options)) as reader:
        pixels = next(iter(reader)).pixels
    assert isinstance(pixels, DecodedImage) == (options in ENCODABLE)


def test_a_copy_hands_the_decoders_values_to_the_encoder(tmp_path, monkeypatch):
    clip, encoded = make_clip(tmp_path / "a.mp4", frames=3), []

    def record(*args):
        encoded.append(to_video_frame(*args))
        return encoded[-1]

    monkeypatch.setattr("asccl.video.writer.to_video_frame", record)
    with Reader(clip) as reader, open_writer(tmp_path / "b.mp4", reader.info, clip) as writer:
        for frame in reader:
            writer.write(frame)
    with av.open(str(clip)) as container:
        for before, after in zip(container.decode(video=0), encoded, strict=True):
            for a, b in zip(view_planes(before), view_planes(after), strict=True):
                np.testing.assert_array_equal(a, b)
            assert int(after.pict_type) == 0  # the encoder chooses its own key frames


def test_a_badge_changes_its_corner_alone(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", size=(320, 240), rate=Fraction(25), frames=1)
    with Reader(clip) as reader:
        frame = next(iter(reader))
    marked = replace(frame, pixels=draw_badge(frame.pixels))
    np.testing.assert_array_equal(marked.image, draw_badge(frame.image))
    luma, before = (view_planes(to_video_frame(f.pixels, ColourTags()))[0] for f in (marked, frame))
    assert (luma != before).any()
    assert np.array_equal(luma[:200], before[:200])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("part", [(slice(99), slice(99)), (slice(3, 10), slice(7, 30)), (slice(1, 40, 5), slice(8))])
def test_a_turned_image_is_turned_as_by_numpy(turns, part):
    image = decoded()
    np.testing.assert_array_equal(TurnedImage(image, turns)[part], np.rot90(as_image(image), turns)[part])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_patch_over_a_turned_image_lies_over_the_image_itself(turns):
    image = as_image(decoded())
    pixels = np.random.default_rng(1).integers(0, 255, (9, 20, 3)).astype(np.uint8)
    expected = overlay_patch(np.rot90(image, turns), 5, 11, pixels)
    turned = overlay_patch(TurnedImage(image, turns), 5, 11, pixels)
    np.testing.assert_array_equal(turned.base, np.rot90(expected, -turns))


@pytest.mark.parametrize("shape", [(6, 8), (5, 7)])
def test_each_chroma_value_covers_four_pixels(shape):
    rng = np.random.default_rng(0)
    luma, u, v = (rng.integers(0, 256, size, np.uint8) for size in (shape, (3, 4), (3, 4)))
    rows, columns = (np.arange(n) // 2 for n in shape)
    full_size = luma, u[rows][:, columns], v[rows][:, columns]
    np.testing.assert_array_equal(planes_to_rgb((luma, u, v), BT709), planes_to_rgb(full_size, BT709))

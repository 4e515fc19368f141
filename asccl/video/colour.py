"""Convert between the colours of a codec and 8-bit RGB.

The matrix that decodes a clip also encodes it, so unedited pixels keep their colour in every player, also in players
that ignore colour tags. HDR (PQ, HLG) and wide gamut (BT.2020) are mapped to BT.709.

The fast converters of `swscale` darken an image by a whole level, so 8-bit 4:2:0 is converted by OpenCV, which rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image as Pillow
from PIL import ImageFilter

from asccl.types import Image

# numbers of ISO/IEC 23091-2 (FFmpeg's AVCOL_*)
BT709, UNSPECIFIED, BT470BG, BT601, BT2020 = 1, 2, 5, 6, 9
PQ, HLG = 16, 18
LIMITED_RANGE, FULL_RANGE = 1, 2
LUMA_WEIGHTS = {
    BT709: (0.2126, 0.0722),
    BT601: (0.299, 0.114),
    BT470BG: (0.299, 0.114),
}  # weights of red and blue in luma
SWSCALE_MATRIX = {BT709: 1, 4: 4, BT470BG: 5, BT601: 5, 7: 7, BT2020: 9, 10: 9}
ACCURATE_SCALING = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
DIFFUSE_WHITE = 203.0  # cd/m^2, of HDR, ITU-R BT.2408
HIGHLIGHT_KNEE = 0.6  # fraction of diffuse white; brighter light is compressed
LUT_SIZE = 33  # nodes per axis

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]  # luma (h, w), Cb and Cr (h / 2, w / 2 rounded up), uint8


@dataclass(frozen=True)
class ColourTags:
    """Colour tags as numbers of ISO/IEC 23091-2; none of them is UNSPECIFIED."""

    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709

    @property
    def needs_mapping(self) -> bool:
        """Whether the colours are HDR or wide gamut and must be mapped to BT.709."""
        return self.transfer in (PQ, HLG) or self.primaries == BT2020

    def encodable(self) -> ColourTags:
        """The tags of frames that were decoded from these colours and are encoded again as 8-bit SDR."""
        return ColourTags() if self.needs_mapping or self.matrix not in LUMA_WEIGHTS else self


def read_colour(codec: Any) -> ColourTags:
    """Read the tags of a video codec context; missing ones are derived as players do (from size, then from matrix)."""
    if codec.format is not None and (codec.format.is_rgb or len(codec.format.components) < 3):
        return ColourTags()
    matrix = codec.colorspace
    if matrix not in SWSCALE_MATRIX:
        matrix = BT709 if codec.height > 576 or codec.width >= 1280 else BT601
    default_primaries = BT709 if matrix not in (BT470BG, BT601, BT2020) else matrix
    primaries = default_primaries if codec.color_primaries in (0, UNSPECIFIED) else codec.color_primaries
    default_transfer = BT601 if matrix in (BT470BG, BT601) else BT709
    transfer = default_transfer if codec.color_trc in (0, UNSPECIFIED) else codec.color_trc
    return ColourTags(matrix, primaries, transfer)


class Decoder:
    """Convert frames to (H, W, 3) uint8 RGB, alpha flattened over black. Use one decoder per thread."""

    def __init__(self, colour: ColourTags):
        self.colour = colour
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        """Convert a frame; scale it if its size differs, because sizes may change within a video.

        Args:
            frame: the decoded frame.
            width: of the result, before rotation.
            height: of the result, before rotation.
        """
        if self._is_8bit_420(frame, width, height):
            image = planes_to_rgb(view_planes(frame), self.colour.matrix, _is_full_range(frame))
        else:
            image = self._convert_by_swscale(frame, width, height)
        if self.colour.needs_mapping:
            image = np.asarray(Pillow.fromarray(image).filter(_hdr_table(self.colour)))
        return image

    def is_encodable(self, frame: av.VideoFrame, width: int, height: int) -> bool:
        """Whether the values of a frame can be encoded again, unchanged, under the tags of `colour.encodable()`.

        Args:
            frame: the decoded frame.
            width: of the output, before rotation.
            height: of the output, before rotation.
        """
        has_even_size = width % 2 == 0 == height % 2
        return (
            has_even_size
            and self._is_8bit_420(frame, width, height)
            and not (_is_full_range(frame) or self.colour.needs_mapping)
        )

    def _is_8bit_420(self, frame: av.VideoFrame, width: int, height: int) -> bool:
        same_size = frame.width == width and frame.height == height
        return frame.format.name in ("yuv420p", "yuvj420p") and same_size and self.colour.matrix in LUMA_WEIGHTS

    def _convert_by_swscale(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        alpha = any(component.is_alpha for component in frame.format.components)
        matrix = SWSCALE_MATRIX[self.colour.matrix]
        converted = self._reformatter.reformat(
            frame,
            width,
            height,
            format="rgba" if alpha else "rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            interpolation=ACCURATE_SCALING,
            src_color_range=FULL_RANGE if _is_full_range(frame) else LIMITED_RANGE,
            dst_color_range=FULL_RANGE,
        ).to_ndarray()
        return flatten_alpha(converted) if alpha else np.ascontiguousarray(converted)


def flatten_alpha(rgba: np.ndarray) -> Image:
    """Flatten (H, W, 4) uint8 RGBA, alpha not premultiplied, over black to (H, W, 3) uint8 RGB."""
    alpha = cv2.merge([rgba[..., 3]] * 3)
    return cv2.multiply(np.ascontiguousarray(rgba[..., :3]), alpha, scale=1 / 255)


def to_yuv420_frame(image: Image, colour: ColourTags) -> av.VideoFrame:
    """Convert (H, W, 3) uint8 RGB of even size to a limited-range yuv420p frame with the tags of `colour`."""
    frame = blank_yuv420_frame(image.shape[1], image.shape[0], colour)
    for plane, values in zip(view_planes(frame), rgb_to_planes(image, colour.matrix), strict=True):
        plane[:] = values
    return frame


def blank_yuv420_frame(width: int, height: int, colour: ColourTags) -> av.VideoFrame:
    """Allocate a limited-range yuv420p frame with undefined pixels.

    Args:
        width: pixels.
        height: pixels.
        colour: tags of the frame.
    """
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.colorspace, frame.color_range = colour.matrix, LIMITED_RANGE
    frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer
    return frame


def view_planes(frame: av.VideoFrame) -> Planes:
    """View the planes of an 8-bit 4:2:0 frame; writing to them writes to the frame."""

    def values(plane: Any) -> np.ndarray:
        return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]

    luma, u, v = map(values, frame.planes)
    return luma, u, v


def planes_to_rgb(planes: Planes, matrix: int, full_range: bool = False) -> Image:
    """Convert planes to (h, w, 3) uint8 RGB.

    Args:
        planes: chroma of the size of luma is used as it is; else each chroma value covers 2 x 2 pixels.
        matrix: a key of `LUMA_WEIGHTS`.
        full_range: whether black is 0 and white 255.
    """
    luma, *chroma = planes
    height, width = luma.shape
    if chroma[0].shape != luma.shape:
        chroma = [_double(c)[:height, :width] for c in chroma]
    ycbcr = cv2.merge([np.ascontiguousarray(plane) for plane in (luma, *chroma)])  # OpenCV merges others slowly
    return cv2.transform(ycbcr, _ycbcr_to_rgb(matrix, full_range))


def _double(plane: np.ndarray) -> np.ndarray:
    """Repeat every value of a plane (h, w) uint8 in both directions, (2 h, 2 w)."""
    pairs = plane.astype(np.uint16) * np.uint16(257)  # two equal bytes
    return np.repeat(pairs, 2, axis=0).view(np.uint8)


def rgb_to_planes(image: Image, matrix: int) -> Planes:
    """Convert (h, w, 3) uint8 RGB of even size to limited-range planes."""
    luma, u, v = cv2.split(cv2.transform(image, _rgb_to_ycbcr(matrix)))
    half_size = image.shape[1] // 2, image.shape[0] // 2
    u, v = (cv2.resize(chroma, half_size, interpolation=cv2.INTER_AREA) for chroma in (u, v))
    return luma, u, v


def _is_full_range(frame: av.VideoFrame) -> bool:
    """Whether black is 0 and white is the largest value."""
    name = frame.format.name
    return frame.color_range == FULL_RANGE or name.startswith("yuvj") or frame.format.is_rgb or name.startswith("gray")


@lru_cache
def _rgb_to_ycbcr(matrix: int, full_range: bool = False) -> np.ndarray:
    """(3, 4) float: RGB in [0, 255] -> Y, Cb, Cr in [0, 255]."""
    red, blue = LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack([luma, (np.eye(3)[2] - luma) / (2 * (1 - blue)), (np.eye(3)[0] - luma) / (2 * (1 - red))])
    scale = np.array([255, 255, 255] if full_range else [219, 224, 224]) / 255
    offset = np.array([0 if full_range else 16, 128, 128])
    return np.concatenate([rows * scale[:, None], offset[:, None]], 1)


@lru_cache
def _ycbcr_to_rgb(matrix: int, full_range: bool) -> np.ndarray:
    """(3, 4) float: Y, Cb, Cr in [0, 255] -> RGB in [0, 255]."""
    forward = _rgb_to_ycbcr(matrix, full_range)
    inverse = np.linalg.inv(forward[:, :3])
    return np.concatenate([inverse, -inverse @ forward[:, 3:]], 1)


@lru_cache
def _hdr_table(colour: ColourTags) -> ImageFilter.Color3DLUT:
    """Table from non-linear HDR or wide-gamut RGB to BT.709, with highlights compressed above the knee."""
    axis = np.linspace(0, 1, LUT_SIZE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    light = _linear(np.stack([red, green, blue], -1), colour.transfer)
    if colour.primaries == BT2020:
        bt2020_to_709 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
        light = light @ np.array(bt2020_to_709).T
    light = np.maximum(light, 0)
    peak = np.maximum(light.max(-1, keepdims=True), 1e-6)
    if colour.transfer in (PQ, HLG):
        excess = np.maximum(peak, HIGHLIGHT_KNEE) - HIGHLIGHT_KNEE
        headroom = 1 - HIGHLIGHT_KNEE
        compressed = HIGHLIGHT_KNEE + headroom * (1 - np.exp(-excess / headroom))
        light = light * np.where(peak > HIGHLIGHT_KNEE, compressed, peak) / peak
    table = np.clip(light, 0, 1) ** (1 / 2.4)
    return ImageFilter.Color3DLUT(LUT_SIZE, table.astype(np.float32).ravel())


def _linear(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Light on a display, 1 at diffuse white, of a signal in [0, 1] (SMPTE ST 2084; ARIB STD-B67; BT.1886)."""
    if transfer == PQ:
        power = signal ** (1 / 78.84375)
        return (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125) * (
            10000 / DIFFUSE_WHITE
        )
    if transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        luma = scene @ np.array([0.2627, 0.6780, 0.0593])
        return scene * luma[..., None] ** 0.2 * (1000 / DIFFUSE_WHITE)
    return signal**2.4

"""Pictures that are looked at in parts: a decoder's own, and patches over them.

RGB is made only where somebody looks. An edit lies over the decoded picture as a patch, and the writer encodes the
decoder's own pixels wherever there is none.
"""

from __future__ import annotations

from typing import NamedTuple

import av
import cv2
import numpy as np

from asccl.types import Image, LazyImage, as_image
from asccl.video.colour import (
    Colour,
    Planes,
    blank_yuv420_frame,
    planes_to_rgb,
    rgb_to_planes,
    to_yuv420_frame,
    view_planes,
)


class DecodedImage:
    """A decoder's yuv420p frame as a `LazyImage`: limited range, of even size, upright; shares the frame's memory.

    matrix: one of `colour.LUMA_WEIGHTS`.
    """

    def __init__(self, frame: av.VideoFrame, matrix: int):
        self.matrix = matrix
        self.planes: Planes = view_planes(frame)
        self.shape = *self.planes[0].shape, 3

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        y, x = (range(*s.indices(n)) for s, n in zip(part, self.shape, strict=False))
        luma, u, v = self.planes
        if not y or not x:
            return np.zeros((len(y), len(x), 3), np.uint8)
        if y.step != 1 or x.step != 1:  # single pixels
            rows, columns = np.array(y) // 2, np.array(x) // 2
            u, v = (plane[rows][:, columns] for plane in (u, v))
            return planes_to_rgb((luma[y.start : y.stop : y.step, x.start : x.stop : x.step], u, v), self.matrix)
        top, bottom, left, right = y.start // 2, (y.stop + 1) // 2, x.start // 2, (x.stop + 1) // 2
        u, v = u[top:bottom, left:right], v[top:bottom, left:right]
        image = planes_to_rgb((luma[2 * top : 2 * bottom, 2 * left : 2 * right], u, v), self.matrix)
        return image[y.start % 2 :, x.start % 2 :][: len(y), : len(x)]


class Patch(NamedTuple):
    """pixels: (h, w, 3) uint8 RGB, which lie inside the picture from (x, y) on."""

    x: int
    y: int
    pixels: Image


class PatchedImage:
    """A decoded picture with patches over it, later ones on top. Made by `overlay_patch`."""

    def __init__(self, below: DecodedImage, patches: tuple[Patch, ...]):
        self.below, self.patches, self.shape = below, patches, below.shape

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        (y0, y1, down), (x0, x1, right) = (s.indices(n) for s, n in zip(part, self.shape, strict=False))
        if down != 1 or right != 1:
            return self[:, :][part]
        image = self.below[part]
        for x, y, pixels in self.patches:
            top, left = max(y, y0), max(x, x0)
            seen = pixels[top - y : max(y1 - y, 0), left - x : max(x1 - x, 0)]
            image[top - y0 : top - y0 + seen.shape[0], left - x0 : left - x0 + seen.shape[1]] = seen
        return image


def overlay_patch(picture: LazyImage, x: int, y: int, pixels: Image) -> LazyImage:
    """The picture with other pixels (h, w, 3) from (x, y) on, all inside it. An array gives an array."""
    if isinstance(picture, DecodedImage):
        return PatchedImage(picture, (Patch(x, y, pixels),))
    if isinstance(picture, PatchedImage):
        return PatchedImage(picture.below, (*picture.patches, Patch(x, y, pixels)))
    image = as_image(picture).copy()
    image[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return image


def to_video_frame(picture: LazyImage, colour: Colour) -> av.VideoFrame:
    """A limited-range yuv420p frame with the tags of `colour`; an odd width or height grows by a copy of the last.

    What was decoded in the matrix of `colour` keeps its very values, but in patches and the odd pixel beside them.
    """
    below, patches = (picture.below, picture.patches) if isinstance(picture, PatchedImage) else (picture, ())
    if not isinstance(below, DecodedImage) or below.matrix != colour.matrix:
        return to_yuv420_frame(_even(as_image(picture)), colour)
    frame = blank_yuv420_frame(below.shape[1], below.shape[0], colour)
    planes = view_planes(frame)
    for plane, values in zip(planes, below.planes, strict=True):
        plane[:] = values
    for x, y, pixels in patches:
        rows, columns = (slice(a // 2, (a + n + 1) // 2) for a, n in ((y, pixels.shape[0]), (x, pixels.shape[1])))
        full = slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)
        for plane, at, values in zip(
            planes, (full, (rows, columns), (rows, columns)), rgb_to_planes(picture[full], colour.matrix), strict=True
        ):
            plane[at] = values
    return frame


def _even(image: Image) -> Image:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return image

"""Images that are converted to RGB in parts: a decoder's own pixels, patches over them, and turned views.

Only the parts that are read are converted. An edit lies over the decoded image as a patch, and the writer encodes the
decoder's own pixels wherever there is no patch.
"""

from __future__ import annotations

from typing import NamedTuple

import av
import cv2
import numpy as np

from asccl.types import Image, LazyImage, as_image
from asccl.video.colour import (
    ColourTags,
    Planes,
    blank_yuv420_frame,
    planes_to_rgb,
    rgb_to_planes,
    to_yuv420_frame,
    view_planes,
)


class DecodedImage:
    """A decoder's yuv420p frame as a `LazyImage`: limited range, of even size, upright; shares the frame's memory.

    Args:
        frame: the decoded frame.
        matrix: a key of `colour.LUMA_WEIGHTS`.
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
    """Pixels (h, w, 3) uint8 RGB that lie over an image from (x, y) on, inside it."""

    x: int
    y: int
    pixels: Image


class PatchedImage:
    """A decoded image with patches over it, later ones on top. Made by `overlay_patch`."""

    def __init__(self, base: DecodedImage, patches: tuple[Patch, ...]):
        self.base, self.patches, self.shape = base, patches, base.shape

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        (y0, y1, step_y), (x0, x1, step_x) = (s.indices(n) for s, n in zip(part, self.shape, strict=False))
        if step_y != 1 or step_x != 1:
            return self[:, :][part]
        image = self.base[part]
        for x, y, pixels in self.patches:
            top, left = max(y, y0), max(x, x0)
            visible = pixels[top - y : max(y1 - y, 0), left - x : max(x1 - x, 0)]
            image[top - y0 : top - y0 + visible.shape[0], left - x0 : left - x0 + visible.shape[1]] = visible
        return image


class TurnedImage:
    """An image turned counterclockwise by quarter turns, as `numpy.rot90` does, without a copy.

    Args:
        base: the image before the turn, (H, W, 3).
        turns: 0 to 3.
    """

    def __init__(self, base: LazyImage, turns: int):
        self.base, self.turns = base, turns
        height, width = base.shape[:2]
        self.shape = (width, height, 3) if turns % 2 else (height, width, 3)

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        (y0, y1, step_y), (x0, x1, step_x) = (s.indices(n) for s, n in zip(part, self.shape, strict=False))
        if step_y != 1 or step_x != 1:
            return self[:, :][part]
        top, left = self.corner_before(x0, y0, max(x1 - x0, 0), max(y1 - y0, 0))
        height, width = max(y1 - y0, 0), max(x1 - x0, 0)
        if self.turns % 2:
            height, width = width, height
        return np.ascontiguousarray(np.rot90(self.base[top : top + height, left : left + width], self.turns))

    def corner_before(self, x: int, y: int, width: int, height: int) -> tuple[int, int]:
        """Top row and left column, in the image before the turn, of a rectangle of this image.

        Args:
            x: left column of the rectangle.
            y: its top row.
            width: its columns.
            height: its rows.
        """
        rows, columns = self.base.shape[:2]
        if self.turns == 1:
            return x, columns - y - height
        if self.turns == 2:
            return rows - y - height, columns - x - width
        return (rows - x - width, y) if self.turns == 3 else (y, x)


def overlay_patch(image: LazyImage, x: int, y: int, pixels: Image) -> LazyImage:
    """Return the image with a patch over it; an array gives an array.

    Args:
        image: (H, W, 3); it is not changed.
        x: left column of the patch.
        y: top row of the patch.
        pixels: (h, w, 3) uint8 RGB, all inside the image.
    """
    if isinstance(image, DecodedImage):
        return PatchedImage(image, (Patch(x, y, pixels),))
    if isinstance(image, PatchedImage):
        return PatchedImage(image.base, (*image.patches, Patch(x, y, pixels)))
    if isinstance(image, TurnedImage):
        top, left = image.corner_before(x, y, pixels.shape[1], pixels.shape[0])
        return TurnedImage(overlay_patch(image.base, left, top, np.rot90(pixels, -image.turns)), image.turns)
    copy = as_image(image).copy()
    copy[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return copy


def to_video_frame(image: LazyImage, colour: ColourTags) -> av.VideoFrame:
    """Convert an image to a limited-range yuv420p frame with the tags of `colour`.

    An odd width or height grows by a copy of the last pixel. An image that was decoded in the matrix of `colour` keeps
    its exact values, except in patches and in the odd pixels beside them.
    """
    base, patches = (image.base, image.patches) if isinstance(image, PatchedImage) else (image, ())
    if not isinstance(base, DecodedImage) or base.matrix != colour.matrix:
        return to_yuv420_frame(_pad_to_even(as_image(image)), colour)
    frame = blank_yuv420_frame(base.shape[1], base.shape[0], colour)
    planes = view_planes(frame)
    for plane, values in zip(planes, base.planes, strict=True):
        plane[:] = values
    for x, y, pixels in patches:
        rows, columns = (slice(a // 2, (a + n + 1) // 2) for a, n in ((y, pixels.shape[0]), (x, pixels.shape[1])))
        luma_part = slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)
        parts = luma_part, (rows, columns), (rows, columns)
        for plane, part, values in zip(planes, parts, rgb_to_planes(image[luma_part], colour.matrix), strict=True):
            plane[part] = values
    return frame


def _pad_to_even(image: Image) -> Image:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return image

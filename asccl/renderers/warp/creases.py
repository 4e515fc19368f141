"""Creases that disappear: skin smoothed out at the scale of a fold, with its texture kept.

A fold is a thin dark line in a broad shade, beside a bulge that catches light; its shade has the deep colour of light
that went through skin. Where a unit that presses a fold in is lowered, the skin there takes the level of the skin
around it, each colour channel by itself: the shade and the line go, most of the bulge's light goes, and grain finer
than the line stays. Dark regions that are wider than a fold, as a beard, brows and nostrils, keep their level.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box
from asccl.types import Image

# face sizes, standard deviations: skin's grain and the line of a fold; its shade; the skin around it
GRAIN_WIDTH, SHADE_WIDTH, SURROUNDINGS_WIDTH = 0.012, 0.035, 0.13
LINE_DEPTH = 0.15  # log brightness below the skin around it at which a pixel lies in the line of a fold
GRAIN_DEPTH = 0.025  # log brightness: deeper lines are creases, fainter ones are grain
MAX_SHADE = 0.4  # log brightness: a wider shade of this depth is hair or a nostril, and stays
OUTLIER = 0.25  # log brightness at which a pixel hardly counts as skin around a fold
OUTLIER_PASSES = 2
BULGE_SHARE = 0.7  # by which the light on the bulge beside a fold goes
LOG_LEVELS = np.log(np.arange(256, dtype=np.float32) + 12)  # with an offset in grey levels, for dark skin and noise
BROAD_CELL = 3  # cells, side of the larger ones in which the surroundings are measured
MIN_RELIEF = 0.02  # creases whose relief is less everywhere are not drawn
MIN_DRAWN_RELIEF = 0.002  # less changes no grey level
THIRDS = np.full((1, 3), 1 / 3, np.float32)
NO_SKIN = (mesh.OUTER_LIPS, mesh.RIGHT_EYE, mesh.LEFT_EYE)
SKIN_MARGIN = 0.02  # face sizes around lips, eyes and the outline that are no skin


def smooth_creases(image: Image, relief: np.ndarray, landmarks: np.ndarray, fine: Box, size: float) -> None:
    """Smooth out creases of the skin, in place.

    Args:
        image: pixels of the box, (h, w, 3) uint8 RGB.
        relief: how far creases disappear, over the cells of the box, in [0, 1].
        landmarks: (468, 2) cells of the box.
        fine: the box, with the cells of `relief`.
        size: of the face, cells.
    """
    rows, columns = np.flatnonzero((relief > MIN_RELIEF).any(1)), np.flatnonzero((relief > MIN_RELIEF).any(0))
    if len(rows) == 0:
        return
    pad = round(SURROUNDINGS_WIDTH * size)
    y0, x0 = max(rows[0] - pad, 0), max(columns[0] - pad, 0)
    relief = relief[y0 : rows[-1] + pad + 1, x0 : columns[-1] + pad + 1]
    y1, x1 = y0 + relief.shape[0], x0 + relief.shape[1]
    part = image[round(y0 * fine.cell) : round(y1 * fine.cell), round(x0 * fine.cell) : round(x1 * fine.cell)]
    side = max(1, int(fine.cell))  # pixels: no coarser, since a line may be one pixel wide
    shape = part.shape[1] // side, part.shape[0] // side
    part = part[: side * shape[1], : side * shape[0]]
    cells = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
    scale = fine.cell / side
    skin = _skin_mask(scale * (landmarks[:, :2] - (x0, y0)), cells.shape[:2], SKIN_MARGIN * scale * size)
    relief = cv2.resize(relief, shape)
    is_drawn = relief > MIN_DRAWN_RELIEF
    inner = tuple(slice(int(k[0]), int(k[-1]) + 1) for k in (np.flatnonzero(is_drawn.any(axis)) for axis in (1, 0)))
    gain = cv2.merge(list(np.exp(-relief[inner] * _excess(cells, skin, scale * size, inner))))
    target = part[tuple(slice(side * k.start, side * k.stop) for k in inner)]
    target[:] = cv2.multiply(target, cv2.resize(gain, target.shape[1::-1]), dtype=cv2.CV_8U)


def _excess(cells: Image, skin: np.ndarray, size: float, inner: tuple[slice, ...]) -> np.ndarray:
    """By how much the skin of a fold is brighter than the skin around it, (3, h, w) log brightness, below 0 darker.

    cells: (H, W, 3) RGB. skin: (H, W) float32, 0 for what is no skin. size: of the face, cells. inner: the h rows and w
    columns to compute.
    """
    level = cv2.LUT(cells, LOG_LEVELS)
    smooth = cv2.GaussianBlur(level, (0, 0), max(0.5, GRAIN_WIDTH * size))
    around, is_fold = _surroundings(smooth, skin, size)
    # by channel, which NumPy multiplies by (h, w) many times faster than (h, w, 3)
    level, smooth, around = (np.array(cv2.split(values[inner])) for values in (level, smooth, around))
    in_line = np.clip((around - smooth).mean(0) / LINE_DEPTH, 0, 1)  # the line of a fold has no grain
    excess = level - around - (1 - in_line) * np.clip(level - smooth, -GRAIN_DEPTH, GRAIN_DEPTH)
    return np.minimum(excess, np.float32(BULGE_SHARE) * excess) * is_fold[inner]


def _surroundings(smooth: np.ndarray, skin: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Level of the skin around each cell (h, w, 3), and how far it may lie in a fold and not in hair (h, w).

    Both are smooth, and computed in larger cells. smooth: level without grain, (h, w, 3). skin, size: as in `_excess`.
    """
    shape = tuple(max(1, round(n / BROAD_CELL)) for n in skin.shape[::-1])
    broad = cv2.resize(smooth, shape, interpolation=cv2.INTER_AREA)
    broad_skin = cv2.resize(skin, shape, interpolation=cv2.INTER_AREA)
    size = size / BROAD_CELL
    around, weight = _weighted_blur(broad, broad_skin, SURROUNDINGS_WIDTH * size), broad_skin
    for _ in range(OUTLIER_PASSES):
        weight = broad_skin * _likeness(_mean_of_channels(broad - around), OUTLIER)
        around = _weighted_blur(broad, weight, SURROUNDINGS_WIDTH * size)
    shade = _mean_of_channels(_weighted_blur(broad, broad_skin, SHADE_WIDTH * size) - around)
    is_fold = broad_skin * _likeness(shade, MAX_SHADE)
    return cv2.resize(around, skin.shape[::-1]), skin * cv2.resize(is_fold, skin.shape[::-1])


def _mean_of_channels(values: np.ndarray) -> np.ndarray:
    """(h, w, 3) -> (h, w)."""
    return cv2.transform(values, THIRDS)


def _likeness(difference: np.ndarray, tolerance: float) -> np.ndarray:
    """1 for no difference, near 0 for more than the tolerance."""
    return np.exp(-np.square(np.square(difference / np.float32(tolerance))))


def _weighted_blur(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Mean of values (h, w, 3) around each cell, by weights (h, w) float32; two box filters, about Gaussian."""
    width = 2 * max(1, round(1.2 * sigma)) + 1
    sums = cv2.merge([*(channel * weight for channel in cv2.split(values)), weight + np.float32(1e-4)])
    for _ in range(2):
        sums = cv2.blur(sums, (width, width), borderType=cv2.BORDER_REFLECT)
    *channels, total = cv2.split(sums)
    return cv2.merge([channel / total for channel in channels])


def _skin_mask(landmarks: np.ndarray, shape: tuple[int, ...], margin: float) -> np.ndarray:
    """(h, w) float32: 1 on the skin of a face, 0 on its lips, its eyes and beside it, with soft borders."""
    mask = np.zeros(shape, np.uint8)
    points = [np.round(16 * landmarks[list(loop)]).astype(np.int32) for loop in (mesh.FACE_OVAL, *NO_SKIN)]
    cv2.fillPoly(mask, points[:1], 255, cv2.LINE_8, 4)
    cv2.fillPoly(mask, points[1:], 0, cv2.LINE_8, 4)
    side = 2 * max(1, round(margin)) + 1
    return cv2.blur(cv2.erode(mask, np.ones((side, side))), (side, side)).astype(np.float32) / 255

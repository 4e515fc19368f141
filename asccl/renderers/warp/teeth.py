"""Teeth: the lips move over rows of teeth that keep their length.

The field that moves the skin is valid up to the lips. Between them, only the rim of a lip moves with it; further inside
the displacement fades to that of the teeth, which is linear along the mouth: a row shifts and tilts as a whole. The
upper row stays with the skull, except that it follows a lip that rises by half: what the lip uncovers is stretched from
the teeth beside it, and would make them too long. The lower row stands on the jaw, and moves with the lip where the jaw
is open.

Where the jaw drops, the mouth opens between its rows of teeth, see `jaw_drop.py`: all below goes down with the jaw, and
the opening gets the colour of the cavity. Below a single row, it is dark down to the lip.

Lips that close cover the teeth. The narrower the gap that is left, the less light reaches the teeth in it, and where
the lips meet they leave a dark line from corner to corner.

Where pixels would be stretched far, as at the corners of a mouth that opens wider, the frame shows nothing of what is
revealed: there the mouth gets the dark colour of its own cavity. The field depends on the landmarks of the frame alone
and changes as smoothly as they do.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from asccl.face.easing import smoothstep
from asccl.renderers.warp.cavity import TOP_LIGHT, Cavity
from asccl.renderers.warp.field import Box, face_size, upsample
from asccl.renderers.warp.jaw_drop import JawDrop
from asccl.renderers.warp.lip_edges import LOWER, UPPER, mouth_axes

# face sizes: lip gap at which this field begins to replace that of the skin, and at which it replaces it fully
MIN_LIP_GAP, FULL_LIP_GAP = 0.03, 0.09
LIP_RIM_WIDTH = 0.02  # face sizes inside the line of a lip that move with it: its wet rim, and its shadow on the teeth
# length over which a lip's displacement fades, over that displacement: teeth are stretched by half. In a narrow
# mouth the length is smaller and the stretch is larger.
FADE_FACTOR = 3.0
EVEN_STRETCH = 2.0  # stretch from which on the teeth give way, so that both sides of a row stretch by the same
BORDER_WIDTH = 0.012  # face sizes: transition between the field of the skin and that of the mouth
UPPER_SHARE = 0.5  # how far the upper teeth follow an upper lip that goes up, or they would look too long
LOWER_ROW = 0.4  # lip openings: height of the lower teeth, which move with the lower lip of an open jaw
MIN_JAW_GAP, FULL_JAW_GAP = 0.13, 0.25  # face sizes: lip gap from which on the jaw is open
LINE_SMOOTHING = 0.08  # face sizes: width of the box filter along the lines of the lips
CURVE_DEGREE = 1  # of the polynomial along the mouth that displaces the rows of teeth, which do not bend
MIN_STRETCH, MAX_STRETCH = 1.7, 3.2  # stretch at which the cavity begins to cover what is stretched, and covers it all
MIN_CAVITY_GAP, FULL_CAVITY_GAP = 0.02, 0.05  # face sizes: lip gap of the edit, for a cavity to be visible
NO_SIGHT, FULL_SIGHT = 0.35, 0.8  # lip gap, over the largest, that shows nothing of the cavity, and all of it
SHUT_SHADE = 0.55  # coverage by the cavity of lips that close over teeth: the line where they meet
GAP_SHADE = 0.65  # by which a narrow gap between them is darker than that line
CORNER_FADE = 0.6  # by which that line is fainter at the corners
# face sizes of lips that close: up to which gap it is dark, and from which on light reaches the teeth
DARK_GAP, MAX_SHADED_GAP = 0.03, 0.085
LINE_WIDTH = 0.009  # face sizes: of the line where lips meet
BELOW_ROWS = 0.75  # fraction of the opening from which on a mouth opens less and less above a lower row of teeth
OPENING_EDGE = 0.014  # face sizes: transition at the edges of what the jaw opens
MIN_OPENING = 1.0  # pixels by which the jaw opens the mouth for the opening to be dark
MIN_COVERAGE = 0.02  # less of the cavity is not drawn


class _Profile(NamedTuple):
    """The field at n positions along the mouth, in pixels, each (n, k) float32.

    upper, lower: of a lip, where its displacement ends, 1 / the distance over which it fades, its displacement beyond
    that of the teeth down and along the mouth, and the coverage by the cavity where it fades. middle: displacement of
    the teeth down and along the mouth, the weight of this field, the coverage where the weight is 0, and that of lips
    that close over teeth. lines: of both lips, and the width of their rim. drop: where the mouth opens with the jaw, by
    how much, the weight of that, and where the opening ends.
    """

    upper: np.ndarray
    lower: np.ndarray
    middle: np.ndarray
    lines: np.ndarray
    drop: np.ndarray


def stabilize_teeth(
    field: np.ndarray, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box, drop: JawDrop | None = None
) -> Cavity | None:
    """Replace the displacement field between the edited lips, in place, so that the teeth stay in place.

    Args:
        field: displacement of each pixel of the box, (h, w, 2) float32 pixels, written to.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the field covers.
        drop: of the jaw; None for none.

    Returns:
        Where to shade the warped pixels of the box as the cavity of the mouth; None for nowhere.
    """
    size = face_size(landmarks)
    corner = np.array([box.x0, box.y0], np.float32)
    before, after = (p[[UPPER, LOWER], :2] - corner for p in (landmarks, edited_landmarks))
    if np.abs(after - before).max() < 0.1:
        return None
    points = after.reshape(-1, 2)
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 2, field.shape[1::-1])
    mouth = Box(x0, y0, x1, y1, max(1.0, BORDER_WIDTH * size))
    if mouth.empty:
        return None
    axes = mouth_axes(after)
    mouth_field = upsample(_mouth_field(before @ axes.T, after @ axes.T, axes, mouth, size, drop), mouth)
    part = field[y0:y1, x0:x1]
    part += mouth_field[..., 2:3] * (mouth_field[..., :2] - part)
    coverage, opening = mouth_field[..., 3], mouth_field[..., 4:] if drop is not None else None
    if opening is None and coverage.max() <= MIN_COVERAGE:
        return None
    return Cavity((slice(y0, y1), slice(x0, x1)), coverage, opening)


def _mouth_field(
    before: np.ndarray, after: np.ndarray, axes: np.ndarray, box: Box, size: float, drop: JawDrop | None
) -> np.ndarray:
    """Displacement (x, y), its weight, and the coverage and opening of a `Cavity` over a box, coarse (h, w, 6).

    before, after: lines of both lips, (2, 11, 2) along the mouth and down. axes: (2, 2) unit vectors of these.
    """
    h, w = box.grid_shape
    x, y = box.x0 + box.cell * np.arange(w), box.y0 + box.cell * np.arange(h)[:, None]
    u, v = ((axis[0] * x + axis[1] * y).astype(np.float32) for axis in axes)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    column, zero = u - grid[0], np.zeros_like(u)
    upper, lower, middle, lines, jaw = (
        cv2.remap(values[None], column, zero, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for values in _profile(before, after, grid, size, drop)
    )
    inside = np.minimum(v - lines[..., 0], lines[..., 1] - v)
    gap = jaw[..., 1]
    dropped = gap * np.clip((v - jaw[..., 0]) / np.maximum(gap, 1e-3), 0, 1)
    edge = max(OPENING_EDGE * size, 1.0)
    opened = np.clip(np.minimum(v - jaw[..., 0], jaw[..., 3] - v) / edge + 0.5, 0, 1) * jaw[..., 2]
    opened = cv2.GaussianBlur(opened * np.clip(inside / edge + 0.5, 0, 1), (0, 0), 0.8)
    height = np.clip((v - lines[..., 0]) / np.maximum(lines[..., 1] - lines[..., 0], 1), 0, 1)
    light = TOP_LIGHT + (1 - TOP_LIGHT) * height
    v = v - dropped
    near_upper = np.clip((upper[..., 0] - v) * upper[..., 1], 0, 1)
    near_lower = np.clip((v - lower[..., 0]) * lower[..., 1], 0, 1)
    down = dropped + middle[..., 0] + near_upper * upper[..., 2] + near_lower * lower[..., 2]
    along = middle[..., 1] + near_upper * upper[..., 3] + near_lower * lower[..., 3]
    weight = middle[..., 2] * np.clip(inside / box.cell, 0, 1)
    covered = (near_upper > 0) * upper[..., 4] + (near_lower > 0) * lower[..., 4]
    covered = middle[..., 3] + middle[..., 2] * (covered - middle[..., 3])
    covered = cv2.GaussianBlur(covered, (0, 0), 1.0) * np.clip(inside / lines[..., 2] - 0.5, 0, 1)
    on_line = np.exp(-np.square(np.minimum(inside, 0) / max(LINE_WIDTH * size, 0.5)))
    in_shade = 1 + GAP_SHADE * np.clip(inside / max(LINE_WIDTH * size, 0.5), 0, 1)
    covered = np.maximum(covered, middle[..., 4] * on_line * in_shade)
    dx, dy = axes.T.astype(np.float32)
    return cv2.merge([along * dx[0] + down * dx[1], along * dy[0] + down * dy[1], weight, covered, opened, light])


def _profile(before: np.ndarray, after: np.ndarray, grid: np.ndarray, size: float, drop: JawDrop | None) -> _Profile:
    """Compute the field along the mouth, at positions `grid` (n,). before, after: as in `_mouth_field`."""
    line, along, down = _interpolate_lips(before, after, grid, 2 * max(1, round(0.5 * LINE_SMOOTHING * size)) + 1)
    old_line, lines = line - down, line.copy()
    old_opening = np.maximum(old_line[1] - old_line[0], 0)
    growth, split = _drop_along(drop, after, grid, np.maximum(line[1] - line[0] - old_opening, 0))
    line[1], down[1] = line[1] - growth, down[1] - growth  # all of the edit but the drop of the jaw
    new_opening = np.maximum(line[1] - line[0], 0)
    rim = np.minimum(LIP_RIM_WIDTH * size, 0.3 * np.minimum(old_opening, new_opening))
    inwards = np.array([[1.0], [-1.0]], np.float32)  # down from the upper lip, up from the lower one
    jaw = smoothstep((old_opening.max() / size - MIN_JAW_GAP) / (FULL_JAW_GAP - MIN_JAW_GAP))
    row = np.stack([np.zeros_like(rim), jaw * LOWER_ROW * np.minimum(old_opening, new_opening)])
    start = line + inwards * (rim + row)
    teeth_shift = UPPER_SHARE * np.minimum(down[0], 0)
    outwards = np.maximum(-inwards * down, -inwards * (down - teeth_shift))
    fade = np.maximum(rim, FADE_FACTOR * outwards)
    fade *= np.minimum(1, (start[1] - start[0]) / np.maximum(fade.sum(0), 1e-3))  # both fit into the opening
    end = start + inwards * fade
    middle = end.mean(0)
    source_start = old_line + inwards * (rim + row)
    source_opening = source_start[1] - source_start[0]
    needed = fade / EVEN_STRETCH
    needed *= np.minimum(1, source_opening / np.maximum(needed.sum(0), 1e-3))
    highest, lowest = middle - (source_start + inwards * needed)  # bounds of the displacement of the teeth
    teeth_down, teeth_along = _curves(np.stack([np.clip(teeth_shift, lowest, highest), along.mean(0)]), old_opening)
    teeth_down = np.clip(teeth_down, lowest, highest)
    visibility = smoothstep((new_opening / size - MIN_CAVITY_GAP) / (FULL_CAVITY_GAP - MIN_CAVITY_GAP))
    sight = old_opening / max(float(old_opening.max()), MIN_LIP_GAP * size)
    visibility *= smoothstep((FULL_SIGHT - sight) / (FULL_SIGHT - NO_SIGHT))
    source_length = np.maximum(inwards * (end - teeth_down - source_start), 1e-3)
    coverage = visibility * _coverage(fade / source_length)
    upper, lower = (
        np.stack(
            [end[k], 1 / np.maximum(fade[k], 0.5), down[k] - teeth_down, along[k] - teeth_along, coverage[k]], 1
        ).astype(np.float32)
        for k in (0, 1)
    )
    weight = np.clip((old_opening / size - MIN_LIP_GAP) / (FULL_LIP_GAP - MIN_LIP_GAP), 0, 1)
    parted = np.clip(growth / MIN_OPENING, 0, 1)
    weight = np.maximum(weight, np.clip(growth / (MIN_LIP_GAP * size), 0, 1))
    closed = np.clip((old_opening - new_opening - growth) / (MIN_LIP_GAP * size), 0, 1)
    weight = np.maximum(weight, closed)
    gap = (new_opening + growth) / size
    shut = SHUT_SHADE * closed.max() * (1 - smoothstep((gap - DARK_GAP) / (MAX_SHADED_GAP - DARK_GAP)))
    shut *= 1 - CORNER_FADE * np.linspace(-1, 1, len(grid)) ** 4
    covered = visibility * _coverage(new_opening / np.maximum(old_opening, 1e-3))
    rim_width = np.maximum(np.minimum(LIP_RIM_WIDTH * size, 0.2 * (new_opening + growth)), 0.5)
    teeth = np.stack([teeth_down, teeth_along, weight, covered, shut], 1).astype(np.float32)
    at = np.clip(old_line[0] + split * old_opening + teeth_down, line[0], np.maximum(line[1], line[0]))
    is_below = np.clip((split - BELOW_ROWS) / (1 - BELOW_ROWS), 0, 1)
    end = at + growth + is_below * np.maximum(line[1] - at, 0)  # no lower row: dark down to the lip
    gap = np.stack([at, growth, parted, end], 1).astype(np.float32)
    return _Profile(upper, lower, teeth, np.stack([*lines, rim_width], 1).astype(np.float32), gap)


def _drop_along(
    drop: JawDrop | None, after: np.ndarray, grid: np.ndarray, most: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Growth of the opening and where it opens, (n,) each at `grid` (n,) along the mouth; at most `most` (n,)."""
    if drop is None:
        return np.zeros(len(grid), np.float32), np.full(len(grid), 0.5, np.float32)
    along = after.mean(0)[:, 0]
    growth = np.interp(grid, along, np.concatenate([[0.0], drop.growth, [0.0]]), left=0, right=0)
    return np.clip(growth, 0, most).astype(np.float32), np.interp(grid, along[1:-1], drop.split).astype(np.float32)


def _interpolate_lips(before: np.ndarray, after: np.ndarray, grid: np.ndarray, width: int) -> np.ndarray:
    """Edited line of both lips and their displacement along the mouth and down, (3, 2, n) at `grid` (n,), smoothed."""
    lips = np.empty((3, 2, len(grid)), np.float32)
    for k in (0, 1):
        order = np.argsort(after[k, :, 0], kind="stable")
        knots = np.concatenate([after[k, :, 1:], after[k] - before[k]], 1)[order].T
        values = np.stack([np.interp(grid, after[k, order, 0], knot) for knot in knots]).astype(np.float32)
        lips[:, k] = cv2.blur(values, (width, 1), borderType=cv2.BORDER_REPLICATE)
    return lips


def _coverage(stretch: np.ndarray) -> np.ndarray:
    """Coverage by the cavity, in [0, 1], where the pixels of the frame are stretched by a factor."""
    return smoothstep((stretch - MIN_STRETCH) / (MAX_STRETCH - MIN_STRETCH))


def _curves(values: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """Fit polynomials to rows of values (k, n) along the mouth, weighted by the old opening (n,) of the lips."""
    powers = np.linspace(-1, 1, len(opening)) ** np.arange(CURVE_DEGREE + 1)[:, None]
    weighted = powers * (opening + 1e-3) ** 2
    return np.linalg.solve(weighted @ powers.T, weighted @ values.T).T @ powers

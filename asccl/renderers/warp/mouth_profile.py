"""The field of a mouth along it: how far each lip moves and hides, how far the teeth do, and where the cavity shows."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from asccl.face.easing import smoothstep
from asccl.renderers.warp.jaw_drop import JawDrop

# face sizes: lip gap at which this field begins to replace that of the skin, and at which it replaces it fully
MIN_LIP_GAP, FULL_LIP_GAP = 0.03, 0.09
LIP_RIM_WIDTH = 0.02  # face sizes inside the line of a lip that move with it: its wet rim, and its shadow on the teeth
# length over which a lip's displacement fades, over that displacement: teeth are stretched by half. In a narrow
# mouth the length is smaller and the stretch is larger.
FADE_FACTOR = 3.0
EVEN_STRETCH = 2.0  # stretch from which on the teeth give way, so that both sides of a row stretch by the same
UPPER_SHARE = 0.5  # how far the upper teeth follow an upper lip that goes up, or they would look too long
LOWER_ROW = 0.4  # lip openings: height of the lower teeth, which move with the lower lip of an open jaw
MIN_JAW_GAP, FULL_JAW_GAP = 0.13, 0.25  # face sizes: lip gap from which on the jaw is open
LINE_SMOOTHING = 0.08  # face sizes: width of the box filter along the lines of the lips
CURVE_DEGREE = 1  # of the polynomial along the mouth that displaces the rows of teeth, which do not bend
MIN_STRETCH, MAX_STRETCH = 1.7, 3.2  # stretch at which the cavity begins to cover what is stretched, and covers it all
MIN_CAVITY_GAP, FULL_CAVITY_GAP = 0.02, 0.05  # face sizes: lip gap of the edit, for a cavity to be visible
NO_SIGHT, FULL_SIGHT = 0.35, 0.8  # lip gap, over the largest, that shows nothing of the cavity, and all of it
SHUT_SHADE = 0.55  # coverage by the cavity of lips that close over teeth: the line where they meet
CORNER_FADE = 0.6  # by which that line is fainter at the corners
# face sizes of lips that close: up to which gap it is dark, and from which on light reaches the teeth
DARK_GAP, MAX_SHADED_GAP = 0.03, 0.085
BELOW_ROWS = 0.75  # fraction of the opening from which on a mouth opens less and less above a lower row of teeth
BELOW_OPACITY = 0.4  # of an opening below a single row: the lip behind it is in light, and a dark rim outlines teeth
MIN_OPENING = 1.0  # pixels by which the jaw opens the mouth for the opening to be dark
FULL_HIDING = 0.01  # face sizes by which a lip comes over the teeth, to hide all that lies behind it
TEETH_NARROWING = 0.35  # of the narrowing of a mouth, what its row of teeth takes part in; corners hide the rest


class MouthProfile(NamedTuple):
    """The field at n positions along the mouth, in pixels, each (n, k) float32.

    Attributes:
        upper: of the upper lip, (n, 7): where its displacement ends, 1 / the distance over which it fades, its
            displacement beyond that of the teeth down and along the mouth, the coverage by the cavity where it fades,
            how far it hides what lies behind it, and where its rim ends.
        lower: of the lower lip, likewise.
        middle: displacement of the teeth down and along the mouth, the weight of this field, the coverage where the
            weight is 0, and that of lips that close over teeth, (n, 5).
        lines: of both lips, and the width of their rim, (n, 3).
        drop: where the mouth opens with the jaw, by how much, the weight of that, and where the opening ends, (n, 4).
    """

    upper: np.ndarray
    lower: np.ndarray
    middle: np.ndarray
    lines: np.ndarray
    drop: np.ndarray


def mouth_profile(
    before: np.ndarray, after: np.ndarray, grid: np.ndarray, size: float, drop: JawDrop | None
) -> MouthProfile:
    """Compute the field along the mouth.

    Args:
        before: lines of both lips in the frame, (2, 11, 2) pixels along the mouth and down.
        after: likewise in the edit.
        grid: positions along the mouth, (n,) pixels.
        size: of the face, pixels.
        drop: of the jaw; None for none.
    """
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
    hiding = np.clip(inwards * down / max(FULL_HIDING * size, 0.5), 0, 1)
    shifts = np.stack([np.clip(teeth_shift, lowest, highest), _keep_width(along.mean(0))])
    teeth_down, teeth_along = _curves(shifts, old_opening)
    teeth_down = np.clip(teeth_down, lowest, highest)
    visibility = smoothstep((new_opening / size - MIN_CAVITY_GAP) / (FULL_CAVITY_GAP - MIN_CAVITY_GAP))
    sight = old_opening / max(float(old_opening.max()), MIN_LIP_GAP * size)
    visibility *= smoothstep((FULL_SIGHT - sight) / (FULL_SIGHT - NO_SIGHT))
    source_length = np.maximum(inwards * (end - teeth_down - source_start), 1e-3)
    coverage = visibility * _coverage(fade / source_length)
    slopes = 1 / np.maximum(fade, 0.5)
    upper, lower = np.stack(
        [end, slopes, down - teeth_down, along - teeth_along, coverage, hiding, start], 2, dtype=np.float32
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
    was_open = np.clip((old_opening / size - MIN_LIP_GAP) / (FULL_LIP_GAP - MIN_LIP_GAP), 0, 1)
    parted *= 1 + (BELOW_OPACITY - 1) * is_below * was_open
    gap = np.stack([at, growth, parted, end], 1).astype(np.float32)
    return MouthProfile(upper, lower, teeth, np.stack([*lines, rim_width], 1).astype(np.float32), gap)


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


def _keep_width(along: np.ndarray) -> np.ndarray:
    """Displacement of teeth along the mouth, (n,) pixels, for that of the lips: corners that come in go over them."""
    narrowing = max(float(along[0] - along[-1]), 0.0)
    return along + (1 - TEETH_NARROWING) * narrowing * np.linspace(-0.5, 0.5, len(along), dtype=np.float32)


def _curves(values: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """Fit polynomials to rows of values (k, n) along the mouth, weighted by the old opening (n,) of the lips."""
    powers = np.linspace(-1, 1, len(opening)) ** np.arange(CURVE_DEGREE + 1)[:, None]
    weighted = powers * (opening + 1e-3) ** 2
    return np.linalg.solve(weighted @ powers.T, weighted @ values.T).T @ powers

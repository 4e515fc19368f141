"""Outline the frame of glasses in the plane of the lenses: rims, bridge and temples."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.renderers.warp.lens_plane import (
    BRIDGE_X,
    BRIDGE_Y,
    INNER_RADIUS,
    LEFT,
    OUTER_RADIUS,
    PIXELS_PER_FACE_SIZE,
    RADIUS_STEPS,
    RIGHT,
    TOP,
    lens_distance,
    patch_part,
)

RAY_COUNT = 48
RAY_ANGLES = 2 * np.pi * np.arange(RAY_COUNT) / RAY_COUNT
RIM_BAND = 0.11  # face sizes around a traced border of a rim, in which the rest of the rim lies
BRIDGE_BAND, BRIDGE_REACH = 0.07, 0.2  # half the height of a bridge, and how far it reaches from the middle
TEMPLE_BAND = 0.07  # half the height of a temple
TEMPLE_Y = (-0.28, 0.1)  # where temples lie
TEMPLE_START, TEMPLE_END = 0.3, 0.6  # from the middle of a lens outwards
SIDE_RAYS = np.abs(np.sin(RAY_ANGLES)) < 0.35  # to a rim's inner side, at the bridge, and to its outer side
HINGE_Y = (-0.1, 0.02)  # of thin temples beside the outer side of a rim


def trace_loop(edges: np.ndarray, centre: float) -> np.ndarray:
    """Radii (RAY_COUNT,) of the strongest closed edge around a lens.

    Args:
        edges: strength, (h, w) of the patch of the lens plane.
        centre: x of the middle of the lens.
    """
    radii = np.linspace(INNER_RADIUS, OUTER_RADIUS, RADIUS_STEPS)
    points = loop_pixels(centre, radii[None], RAY_ANGLES[:, None]).astype(np.float32)
    strength = cv2.remap(edges.astype(np.float32), points[..., 0], points[..., 1], cv2.INTER_LINEAR)
    return radii[strongest_loop(strength)]


def frame_region(edges: np.ndarray, centres: np.ndarray, loops: list[np.ndarray]) -> np.ndarray:
    """Mark where the frame of glasses can lie, (h, w) bool of the patch.

    Args:
        edges: strength, (h, w).
        centres: x of the middle of the right and the left lens.
        loops: radii (RAY_COUNT,) of a border of both rims.
    """
    region = np.zeros(edges.shape, np.uint8)
    width = 2 * round(RIM_BAND * PIXELS_PER_FACE_SIZE) + 1
    for centre, radii in zip(centres, loops, strict=True):
        cv2.polylines(region, [loop_polygon(centre, radii)], True, 1, width)
    _add_band(region, edges, BRIDGE_X, BRIDGE_Y, (-BRIDGE_REACH, BRIDGE_REACH), BRIDGE_BAND)
    for centre, side in zip(centres, (-1, 1), strict=True):
        start, end = sorted((centre + side * TEMPLE_START, centre + side * TEMPLE_END))
        _add_band(region, edges, (start, end), TEMPLE_Y, (start, end), TEMPLE_BAND)
    region[np.min([lens_distance(centre) for centre in centres], axis=0) < INNER_RADIUS] = 0
    return region > 0


def draw_thin_frame(mask: np.ndarray, rims: np.ndarray) -> None:
    """Draw thin rims with the bridge and the temples that hold them.

    Args:
        mask: (h, w) uint8 of the patch; 1 is drawn.
        rims: points of the right and the left rim in the plane of the lenses, (2, RAY_COUNT, 2).
    """
    pixels = np.round(plane_pixels(rims)).astype(np.int32)
    cv2.polylines(mask, list(pixels), True, 1)
    right, left = (SIDE_RAYS & (np.cos(RAY_ANGLES) > 0)), (SIDE_RAYS & (np.cos(RAY_ANGLES) < 0))
    bridge = np.concatenate([pixels[0, right], pixels[1, left]])
    cv2.fillConvexPoly(mask, cv2.convexHull(bridge), 1)
    for points, outer, side in ((rims[0], left, -1), (rims[1], right, 1)):
        start = points[outer].mean(0)
        end = start[0] + side * (TEMPLE_END - TEMPLE_START)
        corners = np.array([(start[0], start[1] + HINGE_Y[0]), (end, start[1] + HINGE_Y[1])])
        top_left, bottom_right = np.round(plane_pixels(corners)).astype(int).tolist()
        cv2.rectangle(mask, top_left, bottom_right, 1, cv2.FILLED)


def loop_polygon(centre: float, radii: np.ndarray) -> np.ndarray:
    """Corners (RAY_COUNT, 2) int32 in pixels of the patch of a loop with these radii around a lens."""
    return np.round(loop_pixels(centre, radii, RAY_ANGLES)).astype(np.int32)


def loop_pixels(centre: float, radii: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Convert polar coordinates around the middle of a lens to pixels of the patch.

    Args:
        centre: x of the middle of the lens.
        radii: (...) face sizes.
        angles: (...) radians, clockwise on screen.

    Returns:
        (..., 2).
    """
    return plane_pixels(np.stack([centre + radii * np.cos(angles), radii * np.sin(angles)], -1))


def plane_pixels(points: np.ndarray) -> np.ndarray:
    """Convert points (..., 2) of the plane of the lenses to pixels of the patch."""
    return (points - (LEFT, TOP)) * PIXELS_PER_FACE_SIZE


def _add_band(
    region: np.ndarray,
    edges: np.ndarray,
    x: tuple[float, float],
    y: tuple[float, float],
    reach: tuple[float, float],
    half_height: float,
) -> None:
    """Add a horizontal band around the row of the strongest edges within x and y; it reaches over `reach`."""
    part = patch_part(edges, x, y)
    if not part.size:
        return
    row = TOP + round((y[0] - TOP) * PIXELS_PER_FACE_SIZE + int(part.mean(1).argmax())) / PIXELS_PER_FACE_SIZE
    left, right = (min(max(v, LEFT), RIGHT) for v in reach)
    patch_part(region, (left, right), (row - half_height, row + half_height))[:] = 1


def strongest_loop(strength: np.ndarray) -> np.ndarray:
    """Find the closed path of the greatest total strength by dynamic programming.

    strength: (RAY_COUNT, RADIUS_STEPS). From ray to ray the path moves by at most one column. Returns the columns
    (RAY_COUNT,).
    """
    capped = np.minimum(strength, 2.5 * np.quantile(strength, 0.9))
    rays = len(strength)
    columns = np.arange(strength.shape[1])
    padded = np.full(len(columns) + 2, -np.inf, np.float32)
    total = padded[1:-1]
    total[:] = 0
    candidates = np.lib.stride_tricks.sliding_window_view(padded, 3)
    previous = np.zeros((2 * rays, len(columns)), int)
    for k in range(2 * rays):  # two rounds, so that the path closes
        previous[k] = columns + candidates.argmax(1) - 1
        total[:] = candidates.max(1) + capped[k % rays]
    path = np.zeros(2 * rays, int)
    path[-1] = total.argmax()
    for k in range(2 * rays - 1, 0, -1):
        path[k - 1] = previous[k][path[k]]
    half = rays // 2  # take the middle of the two rounds
    return np.roll(path[half : half + rays], half)

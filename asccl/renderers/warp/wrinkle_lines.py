"""Lines along landmarks, and soft strokes along these lines."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

Point = int | tuple[int, int, float]  # a landmark, or a mixture (a, b, weight of b)
Path = tuple[Point, ...]

PROFILE_STEPS = (np.arange(14) + 0.55) / 14.1  # positions along a wrinkle, 0 to 1
LINE_PEAK = 0.5  # of the depth map in the middle of a wrinkle of depth 1


class Line(NamedTuple):
    """Points along a path as weighted means of landmarks (k,): weights (n + 1, k)."""

    landmarks: np.ndarray
    weights: np.ndarray


def interpolate_path(path: Path) -> Line:
    """Evenly spread points along a path, smoothed."""
    pairs = [(p, p, 0.0) if isinstance(p, int) else p for p in path]
    knots = np.linspace(0, len(path) - 1, len(PROFILE_STEPS) + 1)
    weights = np.maximum(1 - np.abs(knots[:, None] - np.arange(len(path))), 0)  # linear interpolation
    weights[1:-1] = 0.25 * weights[:-2] + 0.5 * weights[1:-1] + 0.25 * weights[2:]
    share = np.array([pair[2] for pair in pairs])
    index = np.array([pair[0] for pair in pairs] + [pair[1] for pair in pairs])
    return Line(index, np.concatenate([weights * (1 - share), weights * share], 1))


def draw_line(depth_map: np.ndarray, line: np.ndarray, width: float, depth: float, profile: np.ndarray) -> None:
    """Add a soft stroke to a map, in place.

    Args:
        depth_map: (h, w) float32.
        line: points, (n + 1, 2) cells.
        width: cells.
        depth: of the stroke; the map grows by `LINE_PEAK` of it in the middle.
        profile: relative depth along the line, (n,).
    """
    sigma = max(0.7, 0.8 * width)
    pad = 2 + math.ceil(3 * sigma)
    (left, top), (right, bottom) = line.min(0).tolist(), line.max(0).tolist()
    x0, y0 = max(math.floor(left) - pad, 0), max(math.floor(top) - pad, 0)
    x1, y1 = min(math.ceil(right) + pad, depth_map.shape[1]), min(math.ceil(bottom) + pad, depth_map.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fixed = np.rint((line - (x0, y0)) * 16).astype(np.int32).tolist()
    levels = (255 * profile).astype(int).tolist()
    for a, b, level in zip(fixed[:-1], fixed[1:], levels, strict=True):
        cv2.line(canvas, a, b, level, 1, cv2.LINE_AA, 4)
    kernel_size = round(6 * sigma + 1) | 1
    soft = cv2.GaussianBlur(canvas.astype(np.float32), (kernel_size, kernel_size), sigma)  # six times as fast as uint8
    np.rint(soft, out=soft)
    depth_map[y0:y1, x0:x1] += np.float32(depth * width / 255) * soft

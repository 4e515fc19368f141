"""Wrinkles: soft lines along landmarks, as deep as the coefficients that press them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from asccl.morphable.head import HeadModel

Point = int | tuple[int, int, float]  # a landmark, or a mixture (a, b, weight of b)
Path = tuple[Point, ...]


@dataclass(frozen=True)
class Wrinkle:
    """A wrinkle on the right side of the face; the left side is its mirror image.

    Attributes:
        path: points along it.
        width: face sizes.
        depth: darkening at full strength.
        units: how much each ARKit unit (without Left / Right) presses it in.
    """

    path: Path
    width: float
    depth: float
    units: dict[str, float]


WRINKLES = (
    Wrinkle(  # nasolabial fold, from the wing of the nose to beside the corner of the mouth
        path=((129, 203, 0.45), (203, 206, 0.3), (206, 216, 0.3), (216, 206, 0.2), (216, 212, 0.4)),
        width=0.04,
        depth=0.42,
        units={"mouthSmile": 0.7, "cheekSquint": 0.35, "noseSneer": 0.45, "mouthUpperUp": 0.3},
    ),
    Wrinkle(  # glabellar fold: slants from beside the root of the nose to above the head of the brow
        path=((55, 8, 0.6), (55, 9, 0.5), (107, 9, 0.42), (108, 9, 0.25)),
        width=0.036,
        depth=0.26,
        units={"browDown": 1.0},
    ),
    Wrinkle(  # upper bunny line, from the root of the nose outwards and down its side
        path=((6, 193, 0.5), 122, 188, (128, 114, 0.4)),
        width=0.022,
        depth=0.25,
        units={"noseSneer": 1.0},
    ),
    Wrinkle(  # lower bunny line, likewise
        path=((6, 196, 0.6), (188, 174, 0.5), 114, (114, 47, 0.8)),
        width=0.022,
        depth=0.2,
        units={"noseSneer": 1.0},
    ),
    Wrinkle(  # crease of the lower lid
        path=((130, 226, 0.4), 31, 228, 229, 230, 231),
        width=0.016,
        depth=0.22,
        units={"eyeSquint": 0.6, "cheekSquint": 0.6},
    ),
    Wrinkle(  # crow's foot
        path=(130, (226, 35, 0.5), (35, 143, 0.5)),
        width=0.012,
        depth=0.19,
        units={"cheekSquint": 0.8},
    ),
    Wrinkle(  # marionette line, below the corner of the mouth
        path=((61, 57, 0.6), (43, 57, 0.3), (43, 106, 0.35)),
        width=0.018,
        depth=0.25,
        units={"mouthFrown": 1.0},
    ),
)
# lines across the forehead: the right half with its point on the midline, and the strength
FOREHEAD_LINES: tuple[tuple[Path, float], ...] = (
    (((104, 63, 0.45), (69, 105, 0.4), (108, 66, 0.4), (151, 9, 0.3)), 0.8),
    ((104, 69, 108, 151), 1.0),
    (((104, 103, 0.45), (69, 67, 0.45), (108, 109, 0.45), (151, 10, 0.45)), 0.7),
)
FOREHEAD_WIDTH, FOREHEAD_DEPTH = 0.012, 0.18  # as of a `Wrinkle`
ONSET_EXPONENT = 1.5  # depth grows as this power of the pressure: skin folds late
SATURATION = 4  # exponent: how abruptly the pressure levels off at 1, the depth of a `Wrinkle`
MIN_STRENGTH = 0.03  # weaker wrinkles are left out
PROFILE_STEPS = (np.arange(14) + 0.55) / 14.1  # positions along a wrinkle, 0 to 1
WRINKLE_PROFILE = np.sin(np.pi * PROFILE_STEPS) ** 0.8  # depth along it: fades towards both ends
# depth along the forehead lines: each fades at positions of its own, so that they do not look ruled
FOREHEAD_PROFILES = [
    WRINKLE_PROFILE * (1 - 0.5 * np.sin(np.pi * (frequency * PROFILE_STEPS + phase)) ** 2)
    for frequency, phase in ((2.3, 0.3), (1.4, 0.6), (3.1, 0.1))
]
SMOOTH_ROUGHNESS = 0.8  # roughness below which wrinkles are wider and fainter than those of lined skin
MAX_WIDENING = 1.8  # factor on the width


def saturate(pressure: float) -> float:
    """Level a pressure off: about itself up to 0.7, never above 1. Real skin folds no further, whatever the intensity.

    .. math:: p / (1 + p^n)^{1/n}, n = 4
    """
    return float(pressure / (1 + pressure**SATURATION) ** (1 / SATURATION))


class _Line(NamedTuple):
    """Points along a path as weighted means of landmarks (k,): weights (n + 1, k)."""

    landmarks: np.ndarray
    weights: np.ndarray


class WrinkleModel:
    """The wrinkles of a face under a change of coefficients."""

    def __init__(self, head: HeadModel):
        def mirror(point: Point) -> Point:
            if isinstance(point, int):
                return int(head.mirror[point])
            return int(head.mirror[point[0]]), int(head.mirror[point[1]]), point[2]

        self._index = head.index
        self._sides = [
            (wrinkle, side, _interpolate_path(path))
            for wrinkle in WRINKLES
            for side, path in (("Right", wrinkle.path), ("Left", tuple(mirror(p) for p in wrinkle.path)))
        ]
        forehead = [((*path, *(mirror(p) for p in path[-2::-1])), strength) for path, strength in FOREHEAD_LINES]
        self._forehead = [
            (_interpolate_path(path), _interpolate_path(path[1:-1]), strength, profile)
            for (path, strength), profile in zip(forehead, FOREHEAD_PROFILES, strict=True)
        ]

    def depth_map(
        self,
        landmarks: np.ndarray,
        change: np.ndarray,
        shape: tuple[int, int],
        face_size: float,
        roughness: float,
        forehead_confidence: float,
    ) -> np.ndarray:
        """Draw the depth of all wrinkles.

        Args:
            landmarks: edited landmarks, (468, 2+) cells.
            change: of the coefficients, (52,).
            shape: height and width of the map, cells.
            face_size: cells.
            roughness: of the skin, see `SkinModel.roughness`.
            forehead_confidence: how certainly the forehead shows skin and not hair, in [0, 1].

        Returns:
            (h, w) float32, darkening.
        """
        out = np.zeros(shape, np.float32)
        widening = float(np.clip(SMOOTH_ROUGHNESS / roughness, 1, MAX_WIDENING))
        for line, width, depth, profile in self._wrinkles(change, roughness, forehead_confidence):
            points = line.weights @ landmarks[line.landmarks, :2]
            _draw_wrinkle(out, points, width * widening * face_size, depth, profile)
        return out

    def _wrinkles(
        self, change: np.ndarray, roughness: float, forehead_confidence: float
    ) -> Iterator[tuple[_Line, float, float, np.ndarray]]:
        """Line, width in face sizes, depth and profile of each wrinkle."""

        def increase(name: str) -> float:
            return max(0.0, float(change[self._index[name]]))

        for wrinkle, side, line in self._sides:
            pressure = saturate(sum(k * increase(n + side) for n, k in wrinkle.units.items()))
            if pressure > MIN_STRENGTH:
                yield line, wrinkle.width, wrinkle.depth * pressure**ONSET_EXPONENT, WRINKLE_PROFILE
        outer = 0.5 * (increase("browOuterUpLeft") + increase("browOuterUpRight"))
        inner = increase("browInnerUp")
        for long_line, short_line, line_strength, profile in self._forehead:
            # smooth skin shows the main line alone
            visibility = 1.0 if line_strength == 1 else min(1.0, roughness / SMOOTH_ROUGHNESS)
            pressure = saturate(0.7 * outer + 0.5 * inner)
            strength = pressure * line_strength * visibility * forehead_confidence**2
            if strength > MIN_STRENGTH:
                line = long_line if outer > 0.3 * inner else short_line
                yield line, FOREHEAD_WIDTH, FOREHEAD_DEPTH * strength, profile


def _interpolate_path(path: Path) -> _Line:
    """Evenly spread points along a path, smoothed."""
    pairs = [(p, p, 0.0) if isinstance(p, int) else p for p in path]
    knots = np.linspace(0, len(path) - 1, len(PROFILE_STEPS) + 1)
    weights = np.maximum(1 - np.abs(knots[:, None] - np.arange(len(path))), 0)  # linear interpolation
    weights[1:-1] = 0.25 * weights[:-2] + 0.5 * weights[1:-1] + 0.25 * weights[2:]
    share = np.array([pair[2] for pair in pairs])
    index = np.array([pair[0] for pair in pairs] + [pair[1] for pair in pairs])
    return _Line(index, np.concatenate([weights * (1 - share), weights * share], 1))


def _draw_wrinkle(depth_map: np.ndarray, line: np.ndarray, width: float, depth: float, profile: np.ndarray) -> None:
    """Add a soft line (n + 1, 2) cells to a map (h, w), in place. profile: (n,) relative depth along it."""
    sigma = max(0.7, 0.8 * width)
    pad = 2 + int(np.ceil(3 * sigma))
    x0, y0 = np.maximum(np.floor(line.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(line.max(0)).astype(int) + pad, depth_map.shape[::-1])
    if x1 <= x0 or y1 <= y0:
        return
    canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fixed = np.round((line - (x0, y0)) * 16).astype(np.int32).tolist()
    levels = (255 * profile).astype(int).tolist()
    for a, b, level in zip(fixed[:-1], fixed[1:], levels, strict=True):
        cv2.line(canvas, a, b, level, 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(canvas, (0, 0), sigma)
    depth_map[y0:y1, x0:x1] += np.float32(depth * width / 255) * soft

"""Wrinkles: soft lines along landmarks, as deep as the coefficients that press them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asccl.face.easing import smoothstep
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.wrinkle_lines import LINE_PEAK, PROFILE_STEPS, Line, Path, Point, draw_line, interpolate_path


@dataclass(frozen=True)
class Wrinkle:
    """A wrinkle on the right side of the face; the left side is its mirror image.

    Attributes:
        path: points along it.
        width: face sizes.
        depth: darkening at full strength.
        units: how much each ARKit unit (without Left / Right) presses it in.
        min_roughness: of the skin as which smoother skin counts; a nose wrinkles on any face.
        relief_end: points by which a crease that disappears is longer: that of a broad smile passes the mouth.
        relief_range: pressure by which units have to fall for a crease to begin to disappear, and to disappear fully.
    """

    path: Path
    width: float
    depth: float
    units: dict[str, float]
    min_roughness: float = 0.0
    relief_end: Path = ()
    relief_range: tuple[float, float] = (0.0, 0.45)


# as which smoother skin counts beside the mouth and on a nose, which fold on any face
MIN_FOLD_ROUGHNESS, MIN_NOSE_ROUGHNESS = 0.5, 0.55
# A smile and disgust lower browDown by less on any face. Smoother skin between the brows takes hair of the brows along,
# which costs identity; a scowl that goes lowers the unit by more.
BROW_RELIEF_RANGE = 0.4, 0.55

WRINKLES = (
    Wrinkle(  # nasolabial fold, from the wing of the nose to beside the corner of the mouth
        path=((129, 203, 0.45), (203, 206, 0.3), (206, 216, 0.3), (216, 206, 0.2), (216, 212, 0.4)),
        width=0.04,
        depth=0.42,
        units={"mouthSmile": 0.7, "cheekSquint": 0.35, "noseSneer": 0.45, "mouthUpperUp": 0.3},
        min_roughness=MIN_FOLD_ROUGHNESS,
        relief_end=((212, 57, 0.2), (202, 212, 0.4)),
    ),
    Wrinkle(  # glabellar fold: slants from beside the root of the nose to above the head of the brow
        path=((55, 8, 0.6), (55, 9, 0.5), (107, 9, 0.42), (108, 9, 0.25)),
        width=0.036,
        depth=0.26,
        units={"browDown": 1.0},
        relief_range=BROW_RELIEF_RANGE,
    ),
    Wrinkle(  # upper bunny line, from the root of the nose outwards and down its side
        path=((6, 193, 0.5), 122, 188, (128, 114, 0.4)),
        width=0.027,
        depth=0.22,
        units={"noseSneer": 1.0},
        min_roughness=MIN_NOSE_ROUGHNESS,
    ),
    Wrinkle(  # lower bunny line, likewise
        path=((6, 196, 0.6), (188, 174, 0.5), 114, (114, 47, 0.8)),
        width=0.027,
        depth=0.18,
        units={"noseSneer": 1.0},
        min_roughness=MIN_NOSE_ROUGHNESS,
    ),
    Wrinkle(  # line across the root of the nose, from the midline outwards
        path=(168, (168, 193, 0.4), (168, 193, 0.8), (193, 244, 0.3)),
        width=0.03,
        depth=0.08,
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
WRINKLE_PROFILE = np.sin(np.pi * PROFILE_STEPS) ** 0.8  # depth along it: fades towards both ends
RELIEF_WIDENING = 2.6  # of a crease that disappears, with its shade, over the width of a drawn one
RELIEF_PLATEAU = 3.0  # how flat the relief is across a crease
RELIEF_PROFILE = np.sin(np.pi * PROFILE_STEPS) ** 0.25
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


class WrinkleModel:
    """The wrinkles of a face under a change of coefficients."""

    def __init__(self, head: HeadModel):
        def mirror(point: Point) -> Point:
            if isinstance(point, int):
                return int(head.mirror[point])
            return int(head.mirror[point[0]]), int(head.mirror[point[1]]), point[2]

        self._index = head.index

        def both_sides(path: Path) -> tuple[tuple[str, Line], ...]:
            mirrored = tuple(mirror(p) for p in path)
            return ("Right", interpolate_path(path)), ("Left", interpolate_path(mirrored))

        self._sides = [(wrinkle, *side) for wrinkle in WRINKLES for side in both_sides(wrinkle.path)]
        self._reliefs = [(w, *side) for w in WRINKLES for side in both_sides((*w.path, *w.relief_end))]
        forehead = [((*path, *(mirror(p) for p in path[-2::-1])), strength) for path, strength in FOREHEAD_LINES]
        self._forehead = [
            (interpolate_path(path), interpolate_path(path[1:-1]), strength, profile)
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
            draw_line(out, points, width * widening * face_size, depth, profile)
        return out

    def relief_map(
        self, landmarks: np.ndarray, change: np.ndarray, shape: tuple[int, int], face_size: float
    ) -> np.ndarray:
        """Draw how far creases of the source disappear, where the units that press them in are lowered.

        Args:
            landmarks: edited landmarks, (468, 2+) cells.
            change: of the coefficients, (52,).
            shape: height and width of the map, cells.
            face_size: cells.

        Returns:
            (h, w) float32, 0 for creases that stay, 1 for smooth skin.
        """
        out = np.zeros(shape, np.float32)
        for wrinkle, side, line in self._reliefs:
            start, full = wrinkle.relief_range
            fall = -self._pressure(wrinkle, side, change)
            share = float(smoothstep(np.array((fall - start) / (full - start))))
            if share > MIN_STRENGTH:
                points = line.weights @ landmarks[line.landmarks, :2]
                stroke = np.zeros(shape, np.float32)
                width = RELIEF_WIDENING * wrinkle.width * face_size
                draw_line(stroke, points, width, RELIEF_PLATEAU * share / LINE_PEAK, RELIEF_PROFILE)
                np.maximum(out, np.minimum(stroke, share), out=out)
        return out

    def _pressure(self, wrinkle: Wrinkle, side: str, change: np.ndarray) -> float:
        """By how much a change of the coefficients, (52,), presses a wrinkle in; below 0 where it lets it go."""
        return sum(k * float(change[self._index[name + side]]) for name, k in wrinkle.units.items())

    def _wrinkles(
        self, change: np.ndarray, roughness: float, forehead_confidence: float
    ) -> Iterator[tuple[Line, float, float, np.ndarray]]:
        """Line, width in face sizes, depth and profile of each wrinkle."""

        def increase(name: str) -> float:
            return max(0.0, float(change[self._index[name]]))

        for wrinkle, side, line in self._sides:
            pressure = saturate(max(0.0, self._pressure(wrinkle, side, change)))
            if pressure <= MIN_STRENGTH:
                continue
            depth = wrinkle.depth * pressure**ONSET_EXPONENT * max(1.0, wrinkle.min_roughness / roughness)
            yield line, wrinkle.width, depth, WRINKLE_PROFILE
        inner = increase("browInnerUp")
        fall = max(0.0, -float(change[self._index["browInnerUp"]]))  # of a forehead that anger draws down
        outer = max(0.0, 0.5 * (increase("browOuterUpLeft") + increase("browOuterUpRight")) - fall)
        for long_line, short_line, line_strength, profile in self._forehead:
            # smooth skin shows the main line alone
            visibility = 1.0 if line_strength == 1 else min(1.0, roughness / SMOOTH_ROUGHNESS)
            pressure = saturate(0.7 * outer + 0.5 * inner)
            strength = pressure * line_strength * visibility * forehead_confidence**2
            if strength > MIN_STRENGTH:
                line = long_line if outer > 0.3 * inner else short_line
                yield line, FOREHEAD_WIDTH, FOREHEAD_DEPTH * strength, profile

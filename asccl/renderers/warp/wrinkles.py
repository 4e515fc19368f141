"""Where skin creases when a face moves: soft lines along landmarks, by the coefficients that press them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from asccl.morphable.head import HeadModel

Point = int | tuple[int, int, float]  # a landmark, or a mix (a, b, share of b)


@dataclass(frozen=True)
class Wrinkle:
    """A crease along landmarks. width: of the face size. depth: darkening at full strength.
    units: how much each ARKit unit (side added) presses it in."""

    right: tuple[Point, ...]
    left: tuple[Point, ...]
    width: float
    depth: float
    units: dict[str, float]


WRINKLES = (
    Wrinkle(((129, 203, 0.3), (203, 165, 0.25), (206, 92, 0.25), (216, 186, 0.25), (212, 57, 0.35)),
         ((358, 423, 0.3), (423, 391, 0.25), (426, 322, 0.25), (436, 410, 0.25), (432, 287, 0.35)), 0.035, 0.46,
         {"mouthSmile": 0.7, "cheekSquint": 0.35, "noseSneer": 0.45, "mouthUpperUp": 0.3}),
    Wrinkle(((55, 8, 0.45), (107, 9, 0.45), (108, 9, 0.5)), ((285, 8, 0.45), (336, 9, 0.45), (337, 9, 0.5)), 0.014, 0.6,
         {"browDown": 1.0}),
    Wrinkle((193, (122, 193, 0.3), (188, 122, 0.5)), (417, (351, 417, 0.3), (412, 351, 0.5)), 0.015, 0.2,
         {"noseSneer": 1.0}),
    Wrinkle(((130, 226, 0.4), 31, 228, 229, 230, 231), ((359, 446, 0.4), 261, 448, 449, 450, 451), 0.016, 0.22,
         {"eyeSquint": 0.6, "cheekSquint": 0.6}),
    Wrinkle((130, (226, 35, 0.5), (35, 143, 0.5)), (359, (446, 265, 0.5), (265, 372, 0.5)), 0.012, 0.19,
         {"cheekSquint": 0.8}),
    Wrinkle(((61, 57, 0.6), (43, 57, 0.3), (43, 106, 0.35)), ((291, 287, 0.6), (273, 287, 0.3), (273, 335, 0.35)), 0.018,
         0.25, {"mouthFrown": 1.0}),
)  # fmt: skip
FOREHEAD: tuple[tuple[tuple[Point, ...], float], ...] = (
    (((104, 63, 0.45), (69, 105, 0.4), (108, 66, 0.4), (151, 9, 0.3), (337, 296, 0.4), (299, 334, 0.4),
      (333, 293, 0.45)), 0.8),
    ((104, 69, 108, 151, 337, 299, 333), 1.0),
    (((104, 103, 0.45), (69, 67, 0.45), (108, 109, 0.45), (151, 10, 0.45), (337, 338, 0.45), (299, 297, 0.45),
      (333, 332, 0.45)), 0.7),
)  # fmt: skip
FOREHEAD_WIDTH, FOREHEAD_DEPTH = 0.012, 0.18
ONSET = 1.5  # skin folds late: depth grows as this power of what presses it in
STEPS = (np.arange(14) + 0.55) / 14.1  # along a fold, from end to end
WRINKLE_PROFILE = np.sin(np.pi * STEPS) ** 0.8
# no forehead has lines as straight and even as a ruler's: each fades and comes back at places of its own
FOREHEAD_PROFILES = [
    WRINKLE_PROFILE * (1 - 0.5 * np.sin(np.pi * (often * STEPS + first)) ** 2)
    for often, first in ((2.3, 0.3), (1.4, 0.6), (3.1, 0.1))
]
SOFT, SOFTEST = 0.8, 1.8  # roughness below which folds are wider and fainter than those of lined skin, and how wide


class WrinkleModel:
    """The lines that press into skin under a change of coefficients."""

    def __init__(self, head: HeadModel):
        self.names = head.names

    def depth_map(
        self, moved: np.ndarray, change: np.ndarray, shape: tuple[int, int], unit: float, roughness: float, bare: float
    ) -> np.ndarray:
        """Depth (h, w) of the creases. moved: (468, 2+) cells. change: (52,). unit: face size in cells. roughness,
        bare: of the skin, and of the forehead."""
        out = np.zeros(shape, np.float32)
        softness = float(np.clip(SOFT / roughness, 1, SOFTEST))
        for line, width, depth, ink in self._lines(change, roughness, bare):
            _draw_wrinkle(out, moved, line, width * softness * unit, depth, ink)
        return out

    def _lines(
        self, change: np.ndarray, roughness: float, bare: float
    ) -> Iterator[tuple[tuple[Point, ...], float, float, np.ndarray]]:
        def risen(name: str) -> float:
            return max(0.0, float(change[self.names.index(name)]))

        for fold in WRINKLES:
            for line, side in ((fold.right, "Right"), (fold.left, "Left")):
                strength = min(1.2, sum(k * risen(n + side) for n, k in fold.units.items()))
                if strength > 0.03:
                    yield line, fold.width, fold.depth * strength**ONSET, WRINKLE_PROFILE
        outer = 0.5 * (risen("browOuterUpLeft") + risen("browOuterUpRight"))
        inner = risen("browInnerUp")
        for (line, share), ink in zip(FOREHEAD, FOREHEAD_PROFILES, strict=True):
            beside = 1.0 if share == 1 else min(1.0, roughness / SOFT)  # smooth skin shows one line before three
            strength = min(1.2, 0.7 * outer + 0.5 * inner) * share * beside * bare**2
            if strength > 0.03:
                middle = line if outer > 0.3 * inner else line[1:-1]
                yield middle, FOREHEAD_WIDTH, FOREHEAD_DEPTH * strength, ink


def _draw_wrinkle(
    valley: np.ndarray, xy: np.ndarray, line: tuple[Point, ...], width: float, depth: float, ink: np.ndarray
) -> None:
    """Add a smooth, soft line through landmarks to `valley` (h, w), in place. ink: (n,) depth along it, up to 1."""
    knots = np.array([xy[p] if isinstance(p, int) else (1 - p[2]) * xy[p[0]] + p[2] * xy[p[1]] for p in line])
    steps = np.linspace(0, len(knots) - 1, len(ink) + 1)
    path = np.stack([np.interp(steps, range(len(knots)), knots[:, k]) for k in (0, 1)], 1)
    path[1:-1] = 0.25 * path[:-2] + 0.5 * path[1:-1] + 0.25 * path[2:]
    sigma = max(0.7, 0.8 * width)
    pad = 2 + int(np.ceil(3 * sigma))
    x0, y0 = np.maximum(np.floor(path.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(path.max(0)).astype(int) + pad, valley.shape[::-1])
    if x1 <= x0 or y1 <= y0:
        return
    canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fixed = np.round((path - (x0, y0)) * 16).astype(np.int32).tolist()
    levels = (255 * ink).astype(int).tolist()
    for a, b, level in zip(fixed[:-1], fixed[1:], levels, strict=True):
        cv2.line(canvas, a, b, level, 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(canvas, (0, 0), sigma)
    valley[y0:y1, x0:x1] += np.float32(depth * width / 255) * soft

"""The skin of a made-up person, painted once on an unrolled neutral head (a cylinder round its vertical axis)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from asccl.data.person import SyntheticPerson
from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.portrait import BROW, EYELIDS, LIPS, SKIN
from asccl.morphable.raster import interpolate, rasterise

AXIS = 8.0  # cm, z of the cylinder's axis
TURN = 2.2  # radians to either side of the nose
TOP, BOTTOM = -15.5, 12.0  # cm, y
RADIUS = 9.5  # cm, typical of the face


@dataclass(frozen=True)
class Sheet:
    """The unrolled head: per texel its place x, y, z (H, W, 3) float32 cm and what of it is there at all."""

    density: float
    place: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.place.shape[0], self.place.shape[1]

    def texel(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Column and row (n, 2) of the place (x, y) on the front of the face."""
        angle = np.arcsin(np.clip(np.asarray(x) / RADIUS, -1, 1))
        return np.stack([(angle + TURN) * RADIUS, np.asarray(y) - TOP], -1) * self.density


def unrolled(vertices: np.ndarray, density: float) -> np.ndarray:
    """(V, 3) neutral places -> (V, 2) float32 texels; beyond the ears they repeat the edge."""
    angle = np.clip(np.arctan2(vertices[:, 0], AXIS - vertices[:, 2]), -TURN, TURN)
    return (np.stack([(angle + TURN) * RADIUS, vertices[:, 1] - TOP], -1) * density).astype(np.float32)


def sheet(head: AnnyHead, density: float) -> Sheet:
    """Texels of 1 / density cm. Kept for the next person."""
    return _sheet(_Key(head), density)


class _Key:
    """A head by identity, so that it can be looked up."""

    def __init__(self, head: AnnyHead):
        self.head = head

    def __hash__(self) -> int:
        return id(self.head)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.head is self.head


@lru_cache(maxsize=4)
def _sheet(key: _Key, density: float) -> Sheet:
    head = key.head
    size = (round((BOTTOM - TOP) * density), round(2 * TURN * RADIUS * density))
    points = unrolled(head.vertices, density)
    angle = np.abs(np.arctan2(head.vertices[:, 0], AXIS - head.vertices[:, 2]))
    outside = np.isin(head.region, (SKIN, LIPS, EYELIDS)) & (angle < TURN)  # none across the seam
    outer = head.triangles[outside[head.triangles].all(1)]
    depth = -np.hypot(head.vertices[:, 0], AXIS - head.vertices[:, 2])
    image, barycentric = rasterise(points, depth, outer, size)
    place = interpolate(head.vertices, outer, image, barycentric)
    hole = (image < 0).astype(np.uint8)
    if hole.any():  # mouth, eyes and beyond the neck
        for k in range(3):
            place[..., k] = _filled(place[..., k], hole)
    return Sheet(density, place)


def _filled(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Holes get the nearest value."""
    _, label = cv2.distanceTransformWithLabels(hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    known = np.zeros(label.max() + 1, np.float32)
    known[label[hole == 0]] = values[hole == 0]
    return known[label]


def paint(person: SyntheticPerson, head: AnnyHead, density: float) -> np.ndarray:
    """(H, W, 3) float32 albedo of the sheet, without the lips."""
    area = sheet(head, density)
    rng = np.random.default_rng(person.seed)
    x, y, z = np.abs(area.place[..., 0]), area.place[..., 1], area.place[..., 2]
    colour = np.empty((*area.size, 3), np.float32)
    colour[:] = person.skin
    _complexion(colour, rng, person, area)
    _beard(colour, rng, person, area)
    for side in (-1, 1):
        _brow(colour, rng, person, area, side)
    cover = hair_cover(person, x, y, z, 0.9 * _noise(rng, area, 0.28, 5.0))
    strands = _noise(rng, area, 0.22, 3.0)
    hair = np.array(person.hair.colour, np.float32) * (1 + 0.35 * strands)[..., None]
    colour += cover[..., None] * (hair - colour)
    return np.clip(colour, 0, 1)


def hair_cover(person: SyntheticPerson, x, y, z, ragged) -> np.ndarray:
    """How far hair covers the places |x|, y, z of the neutral head, 0 to 1."""
    hair = person.hair
    line = -9.2 + 0.9 * hair.line + hair.fringe * 0.8 + 0.045 * x**2 + np.clip(x - 5.4, 0, None) * (6.5 - hair.temples)
    front = np.clip((line - y + ragged) / 0.6, 0, 1) * (y < 1.5)
    behind = np.clip((z - 10.3 + 0.5 * ragged) / 1.0, 0, 1) * (y < 2.5 + 2 * hair.volume)
    cover = np.maximum(front, behind)
    return cover * (0.35 if hair.volume == 0 else 1.0)


def _complexion(colour: np.ndarray, rng: np.random.Generator, person: SyntheticPerson, area: Sheet) -> None:
    """Blotches, pores, flush of cheeks and nose, shadows under the eyes, freckles and moles."""
    x, y, z = np.abs(area.place[..., 0]), area.place[..., 1], area.place[..., 2]
    tone = 0.035 * _noise(rng, area, 1.4) + 0.02 * _noise(rng, area, 0.5)
    tone += rng.uniform(0.015, 0.05) * rng.standard_normal(area.size, np.float32)
    red = 0.03 * _noise(rng, area, 1.8)
    flush = np.exp(-(((x - 4.2) / 1.8) ** 2 + ((y - 0.8) / 1.5) ** 2)) + np.exp(-((x / 1.2) ** 2 + (y / 1.2) ** 2))
    red += rng.uniform(0.02, 0.16) * flush * (z < 5)
    tone -= rng.uniform(0.0, 0.14) * np.exp(-(((x - 3.0) / 1.3) ** 2 + ((y + 1.9) / 0.55) ** 2))
    tone -= 0.10 * person.age * np.exp(-(((x - 2.6 - 0.25 * (y - 1.5)) / 0.22) ** 2 + ((y - 2.2) / 1.3) ** 2))
    colour *= (1 + tone)[..., None] * (1 - red[..., None] * np.array([0.15, 1.0, 0.8], np.float32))
    spots = np.stack([rng.uniform(-6, 6, person.freckles), rng.uniform(-6, 6, person.freckles)], -1)
    column, row = area.texel(*spots.T).astype(int).T
    dark = rng.uniform(0.1, 0.4, len(spots)) * np.clip(rng.gamma(2, 0.025, len(spots)) * area.density, 0, 1)
    colour[row, column] *= 1 - dark[:, None].astype(np.float32)


def _beard(colour: np.ndarray, rng: np.random.Generator, person: SyntheticPerson, area: Sheet) -> None:
    if person.beard + person.moustache == 0:
        return
    x, y, z = np.abs(area.place[..., 0]), area.place[..., 1], area.place[..., 2]
    mouth = np.hypot(x / 3.1, (y - 4.0) / 1.55)
    jaw = np.clip((y - 1.6 - 0.55 * np.clip(6.6 - x, 0, 5) * (x > 2.9)) / 1.2, 0, 1) * np.clip(
        (mouth - 0.95) / 0.2, 0, 1
    )
    jaw *= np.clip((11.0 - y) / 1.5, 0, 1) * (y > 4 - 9 * np.clip(x - 3.2, 0, 1)) * (z < 9.5)
    lip = np.exp(-(((y - 2.45 - 0.10 * x**1.3) / 0.42) ** 2)) * np.clip((2.9 - x) / 0.5, 0, 1)
    cover = np.maximum(person.beard * jaw, person.moustache * lip)
    cover = np.clip(cover * (0.8 + 0.5 * rng.standard_normal(area.size, np.float32)), 0, 0.9)
    colour += cover[..., None] * (np.array(person.hair.colour, np.float32) * 0.85 - colour)


def _brow(colour: np.ndarray, rng: np.random.Generator, person: SyntheticPerson, area: Sheet, side: int) -> None:
    """Single hairs, drawn from the root outward, over a soft shade."""
    look = person.brows
    count = int(150 * look.density)
    along = rng.uniform(0.02, 1, count) ** 0.9
    x = BROW[0, 0] + 0.25 + along * (BROW[-1, 0] - BROW[0, 0] - 0.35)
    half = np.interp(x, BROW[:, 0], BROW[:, 2]) * look.thickness
    y = (
        np.interp(x, BROW[:, 0], BROW[:, 1])
        - look.height
        + look.slant * (along - 0.5)
        + half * rng.uniform(-0.9, 0.9, count)
    )
    lean = 0.32 * along + 0.12
    tip = np.stack([x + lean + rng.normal(0, 0.06, count), y - 0.32 * (1 - 1.3 * along) * look.thickness], -1)
    alpha = np.zeros(area.size, np.uint8)
    shift = 4  # sub-texel bits
    roots, tips = (
        np.rint(area.texel(side * p[:, 0], p[:, 1]) * 2**shift).astype(int) for p in (np.stack([x, y], -1), tip)
    )
    for a, b in zip(roots, tips, strict=True):
        cv2.line(alpha, tuple(map(int, a)), tuple(map(int, b)), 255, 1, cv2.LINE_AA, shift)
    soft = cv2.GaussianBlur(alpha, (0, 0), 0.10 * area.density).astype(np.float32) / 255
    cover = np.clip(0.55 * alpha.astype(np.float32) / 255 + 0.8 * soft, 0, 1) * min(1.0, 0.5 + 0.45 * look.density)
    colour += cover[..., None] * (np.array(look.colour, np.float32) - colour)


def _noise(rng: np.random.Generator, area: Sheet, size: float, stretch: float = 1.0) -> np.ndarray:
    """(H, W) float32 smooth noise of deviation about 0.5; blobs of size cm, drawn out downward by stretch."""
    height, width = area.size
    small = (max(2, int(width / (size * area.density))), max(2, int(height / (size * stretch * area.density))))
    lattice = rng.standard_normal(small[::-1], np.float32) * 0.7
    return cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)

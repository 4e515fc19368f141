"""The skin of a made-up person, painted once on an unrolled neutral head (a cylinder round its vertical axis)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.raster import interpolate, rasterize
from asccl.morphable.regions import BROW_AXIS, EYELIDS, LIPS, SKIN
from asccl.synthetic.person import SyntheticPerson

AXIS = 8.0  # cm, z of the cylinder's axis
TURN = 2.2  # radians to either side of the nose
TOP, BOTTOM = -15.5, 12.0  # cm, y
RADIUS = 9.5  # cm, typical of the face


@dataclass(frozen=True)
class UVMap:
    """The unrolled head: texels per cm, and the place of each on the neutral head: x, y, z (H, W) float32 cm; x counts
    from the middle to either side."""

    density: float
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.x.shape[0], self.x.shape[1]

    @cached_property
    def flush(self) -> np.ndarray:
        """Cheeks and nose."""
        cheek = np.exp(-(((self.x - 4.2) / 1.8) ** 2 + ((self.y - 0.8) / 1.5) ** 2))
        return (cheek + np.exp(-((self.x / 1.2) ** 2 + (self.y / 1.2) ** 2))) * (self.z < 5)

    @cached_property
    def under_eyes(self) -> np.ndarray:
        return np.exp(-(((self.x - 3.0) / 1.3) ** 2 + ((self.y + 1.9) / 0.55) ** 2))

    @cached_property
    def folds(self) -> np.ndarray:
        """From the nose to the corners of the mouth."""
        return np.exp(-(((self.x - 2.6 - 0.25 * (self.y - 1.5)) / 0.22) ** 2 + ((self.y - 2.2) / 1.3) ** 2))

    @cached_property
    def jaw(self) -> np.ndarray:
        """Where a beard grows."""
        x, y = self.x, self.y
        mouth = np.hypot(x / 3.1, (y - 4.0) / 1.55)
        start = 1.6 + 0.55 * np.clip(6.6 - x, 0, 5) * (x > 2.9)
        jaw = np.clip((y - start) / 1.2, 0, 1) * np.clip((mouth - 0.95) / 0.2, 0, 1) * np.clip((11.0 - y) / 1.5, 0, 1)
        return jaw * (y > 4 - 9 * np.clip(x - 3.2, 0, 1)) * (self.z < 9.5)

    @cached_property
    def upper_lip(self) -> np.ndarray:
        """Where a moustache grows."""
        return np.exp(-(((self.y - 2.45 - 0.10 * self.x**1.3) / 0.42) ** 2)) * np.clip((2.9 - self.x) / 0.5, 0, 1)

    def texel(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Column and row (n, 2) of the place (x, y) on the front of the face; here x has a sign."""
        angle = np.arcsin(np.clip(np.asarray(x) / RADIUS, -1, 1))
        return np.stack([(angle + TURN) * RADIUS, np.asarray(y) - TOP], -1) * self.density


def cylindrical_uv(vertices: np.ndarray, density: float) -> np.ndarray:
    """(V, 3) neutral places -> (V, 2) float32 texels; beyond the ears they repeat the edge."""
    angle = np.clip(np.arctan2(vertices[:, 0], AXIS - vertices[:, 2]), -TURN, TURN)
    return (np.stack([(angle + TURN) * RADIUS, vertices[:, 1] - TOP], -1) * density).astype(np.float32)


def uv_map(head: AnnyHead, density: float) -> UVMap:
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
def _sheet(key: _Key, density: float) -> UVMap:
    head = key.head
    size = (round((BOTTOM - TOP) * density), round(2 * TURN * RADIUS * density))
    points = cylindrical_uv(head.vertices, density)
    angle = np.abs(np.arctan2(head.vertices[:, 0], AXIS - head.vertices[:, 2]))
    outside = np.isin(head.region, (SKIN, LIPS, EYELIDS)) & (angle < TURN)  # none across the seam
    outer = head.triangles[outside[head.triangles].all(1)]
    depth = -np.hypot(head.vertices[:, 0], AXIS - head.vertices[:, 2])
    image, barycentric = rasterize(points, depth, outer, size)
    place = interpolate(head.vertices, outer, image, barycentric)
    hole = (image < 0).astype(np.uint8)
    if hole.any():  # mouth, eyes and beyond the neck
        for k in range(3):
            place[..., k] = _filled(place[..., k], hole)
    x, y, z = np.ascontiguousarray(place.transpose(2, 0, 1))
    return UVMap(density, np.abs(x), y, z)


def _filled(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Holes get the nearest value."""
    _, label = cv2.distanceTransformWithLabels(hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    known = np.zeros(label.max() + 1, np.float32)
    known[label[hole == 0]] = values[hole == 0]
    return known[label]


def paint(person: SyntheticPerson, head: AnnyHead, density: float) -> np.ndarray:
    """(H, W, 3) float32 albedo of the sheet, without the lips."""
    area = uv_map(head, density)
    rng, grain = np.random.default_rng(person.seed), np.random.default_rng((person.seed, 1))  # grain: of every texel
    ragged, strands = 0.9 * _noise(grain, area, 0.28, 5.0), 1 + 0.35 * _noise(grain, area, 0.22, 3.0)
    colour = np.empty((*area.size, 3), np.float32)
    colour[:] = person.skin
    _complexion(colour, rng, grain, person, area)
    _beard(colour, grain, person, area)
    for side in (-1, 1):
        _brow(colour, rng, person, area, side)
    cover = hair_cover(person, area.x, area.y, area.z, ragged)
    for k in range(3):
        colour[..., k] += cover * (np.float32(person.hair.colour[k]) * strands - colour[..., k])
    return np.clip(colour, 0, 1)


def hair_cover(person: SyntheticPerson, x, y, z, ragged) -> np.ndarray:
    """How far hair covers the places |x|, y, z of the neutral head, 0 to 1."""
    hair = person.hair
    line = -9.2 + 0.9 * hair.line + hair.fringe * 0.8 + 0.045 * x**2 + np.clip(x - 5.4, 0, None) * (6.5 - hair.temples)
    front = np.clip((line - y + ragged) / 0.6, 0, 1) * (y < 1.5)
    behind = np.clip((z - 10.3 + 0.5 * ragged) / 1.0, 0, 1) * (y < 2.5 + 2 * hair.volume)
    cover = np.maximum(front, behind)
    return cover * np.float32(0.35 if hair.volume == 0 else 1.0)


def _complexion(
    colour: np.ndarray, rng: np.random.Generator, grain: np.random.Generator, person: SyntheticPerson, area: UVMap
) -> None:
    """Blotches, pores, flush of cheeks and nose, shadows under the eyes, freckles and moles."""
    tone = 1 + 0.035 * _noise(grain, area, 1.4) + 0.02 * _noise(grain, area, 0.5)
    red = 0.03 * _noise(grain, area, 1.8) + np.float32(rng.uniform(0.02, 0.16)) * area.flush
    tone += np.float32(rng.uniform(0.015, 0.05)) * grain.standard_normal(area.size, np.float32)
    tone -= np.float32(rng.uniform(0.0, 0.14)) * area.under_eyes + np.float32(0.10 * person.age) * area.folds
    for k, share in enumerate((0.15, 1.0, 0.8)):
        colour[..., k] *= tone * (1 - np.float32(share) * red)
    spots = np.stack([rng.uniform(-6, 6, person.freckles), rng.uniform(-6, 6, person.freckles)], -1)
    column, row = area.texel(spots[:, 0], spots[:, 1]).astype(int).T
    dark = rng.uniform(0.1, 0.4, len(spots)) * np.clip(rng.gamma(2, 0.025, len(spots)) * area.density, 0, 1)
    colour[row, column] *= 1 - dark[:, None].astype(np.float32)


def _beard(colour: np.ndarray, grain: np.random.Generator, person: SyntheticPerson, area: UVMap) -> None:
    if person.beard + person.moustache == 0:
        return
    cover = np.maximum(person.beard * area.jaw, person.moustache * area.upper_lip)
    some = cover > 0.01
    share = np.clip(cover[some] * (0.8 + 0.5 * grain.standard_normal(int(some.sum()), np.float32)), 0, 0.9)
    colour[some] += share[:, None] * (np.array(person.hair.colour, np.float32) * 0.85 - colour[some])


def _brow(colour: np.ndarray, rng: np.random.Generator, person: SyntheticPerson, area: UVMap, side: int) -> None:
    """Single hairs, drawn from the root outward, over a soft shade."""
    look = person.brows
    count = int(150 * look.density)
    along = rng.uniform(0.02, 1, count) ** 0.9
    x = BROW_AXIS[0, 0] + 0.25 + along * (BROW_AXIS[-1, 0] - BROW_AXIS[0, 0] - 0.35)
    half = np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, 2]) * look.thickness
    y = (
        np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, 1])
        - look.height
        + look.slant * (along - 0.5)
        + half * rng.uniform(-0.9, 0.9, count)
    )
    lean = 0.32 * along + 0.12
    tip = np.stack([x + lean + rng.normal(0, 0.06, count), y - 0.32 * (1 - 1.3 * along) * look.thickness], -1)
    corners = area.texel(np.sort([side * 0.3, side * 7.2]), np.array([-7.5, -3.0]))
    (left, top), (right, bottom) = np.floor(corners).astype(int).tolist()
    alpha = np.zeros((bottom - top, right - left), np.uint8)
    shift = 4  # sub-texel bits
    for a, b in zip(*(np.rint((area.texel(side * p[:, 0], p[:, 1]) - (left, top)) * 2**shift).astype(int).tolist()
                      for p in (np.stack([x, y], -1), tip)), strict=True):  # fmt: skip
        cv2.line(alpha, a, b, 255, 1, cv2.LINE_AA, shift)
    soft = cv2.GaussianBlur(alpha, (0, 0), 0.10 * area.density)
    cover = np.clip((0.55 * alpha + 0.8 * soft.astype(np.float32)) / 255, 0, 1) * min(1.0, 0.5 + 0.45 * look.density)
    part = colour[top:bottom, left:right]
    part += cover[..., None].astype(np.float32) * (np.array(look.colour, np.float32) - part)


def _noise(rng: np.random.Generator, area: UVMap, size: float, stretch: float = 1.0) -> np.ndarray:
    """(H, W) float32 smooth noise of deviation about 0.5; blobs of size cm, drawn out downward by stretch."""
    height, width = area.size
    small = (max(2, int(width / (size * area.density))), max(2, int(height / (size * stretch * area.density))))
    lattice = rng.standard_normal(small[::-1], np.float32) * 0.7
    return cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)

"""The skin of a synthetic person, painted once on a cylindrical UV map of the neutral head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.raster import interpolate, rasterize
from asccl.morphable.regions import BROW_AXIS, EYELIDS, LIPS, SKIN
from asccl.synthetic.person import SyntheticPerson

CYLINDER_Z = 8.0  # cm, of the cylinder's axis
CYLINDER_RADIUS = 9.5  # cm, typical of the face
MAX_ANGLE = 2.2  # radians on either side of the nose
TOP, BOTTOM = -15.5, 12.0  # cm, y
SUBTEXEL_BITS = 4  # of the ends of brow hairs


@dataclass(frozen=True)
class UVMap:
    """The unrolled head: the position of each texel on the neutral head.

    Attributes:
        density: texels per cm.
        x: (H, W) float32 cm from the middle to either side, not negative.
        y: (H, W) float32 cm downward.
        z: (H, W) float32 cm away from the camera.
    """

    density: float
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in texels."""
        return self.x.shape[0], self.x.shape[1]

    @cached_property
    def flush(self) -> np.ndarray:
        """Weight of cheeks and nose."""
        cheek = np.exp(-(((self.x - 4.2) / 1.8) ** 2 + ((self.y - 0.8) / 1.5) ** 2))
        return (cheek + np.exp(-((self.x / 1.2) ** 2 + (self.y / 1.2) ** 2))) * (self.z < 5)

    @cached_property
    def under_eyes(self) -> np.ndarray:
        """Weight of the shadows under the eyes."""
        return np.exp(-(((self.x - 3.0) / 1.3) ** 2 + ((self.y + 1.9) / 0.55) ** 2))

    @cached_property
    def folds(self) -> np.ndarray:
        """Weight of the folds from the nose to the corners of the mouth."""
        return np.exp(-(((self.x - 2.6 - 0.25 * (self.y - 1.5)) / 0.22) ** 2 + ((self.y - 2.2) / 1.3) ** 2))

    @cached_property
    def jaw(self) -> np.ndarray:
        """Weight of the region of a beard."""
        x, y = self.x, self.y
        mouth = np.hypot(x / 3.1, (y - 4.0) / 1.55)
        start = 1.6 + 0.55 * np.clip(6.6 - x, 0, 5) * (x > 2.9)
        jaw = np.clip((y - start) / 1.2, 0, 1) * np.clip((mouth - 0.95) / 0.2, 0, 1) * np.clip((11.0 - y) / 1.5, 0, 1)
        return jaw * (y > 4 - 9 * np.clip(x - 3.2, 0, 1)) * (self.z < 9.5)

    @cached_property
    def upper_lip(self) -> np.ndarray:
        """Weight of the region of a moustache."""
        return np.exp(-(((self.y - 2.45 - 0.10 * self.x**1.3) / 0.42) ** 2)) * np.clip((2.9 - self.x) / 0.5, 0, 1)

    def texel(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return column and row (n, 2) of points (x, y) on the front of the face; here x has a sign."""
        angle = np.arcsin(np.clip(np.asarray(x) / CYLINDER_RADIUS, -1, 1))
        return np.stack([(angle + MAX_ANGLE) * CYLINDER_RADIUS, np.asarray(y) - TOP], -1) * self.density


def cylindrical_uv(vertices: np.ndarray, density: float) -> np.ndarray:
    """Return column and row (V, 2) float32 of neutral vertices (V, 3) cm; behind the ears the edge is repeated."""
    angle = np.clip(np.arctan2(vertices[:, 0], CYLINDER_Z - vertices[:, 2]), -MAX_ANGLE, MAX_ANGLE)
    return (np.stack([(angle + MAX_ANGLE) * CYLINDER_RADIUS, vertices[:, 1] - TOP], -1) * density).astype(np.float32)


@lru_cache(maxsize=4)
def uv_map(head: AnnyHead, density: float) -> UVMap:
    """Unroll a head at `density` texels per cm. The last maps are cached."""
    size = (round((BOTTOM - TOP) * density), round(2 * MAX_ANGLE * CYLINDER_RADIUS * density))
    points = cylindrical_uv(head.vertices, density)
    angle = np.abs(np.arctan2(head.vertices[:, 0], CYLINDER_Z - head.vertices[:, 2]))
    outside = np.isin(head.region, (SKIN, LIPS, EYELIDS)) & (angle < MAX_ANGLE)  # no triangle crosses the seam
    triangles = head.triangles[outside[head.triangles].all(1)]
    depth = -np.hypot(head.vertices[:, 0], CYLINDER_Z - head.vertices[:, 2])
    image, barycentric = rasterize(points, depth, triangles, size)
    position = interpolate(head.vertices, triangles, image, barycentric)
    hole = (image < 0).astype(np.uint8)
    if hole.any():  # mouth, eyes and below the neck
        for k in range(3):
            position[..., k] = _fill_holes(position[..., k], hole)
    x, y, z = np.ascontiguousarray(position.transpose(2, 0, 1))
    return UVMap(density, np.abs(x), y, z)


def _fill_holes(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Give texels in holes the nearest value outside."""
    _, label = cv2.distanceTransformWithLabels(hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    value_of_label = np.zeros(label.max() + 1, np.float32)
    value_of_label[label[hole == 0]] = values[hole == 0]
    return value_of_label[label]


def paint_skin(person: SyntheticPerson, head: AnnyHead, density: float) -> np.ndarray:
    """Paint the skin, brows, beard and hair of a person on the UV map, without the lips.

    Args:
        person: whose skin is painted.
        head: head model.
        density: texels per cm.

    Returns:
        Albedo, (H, W, 3) float32 RGB in [0, 1].
    """
    uv = uv_map(head, density)
    # `grain` draws a number for each texel, so that `rng` does not depend on the density
    rng, grain = np.random.default_rng(person.seed), np.random.default_rng((person.seed, 1))
    raggedness, strands = 0.9 * _noise(grain, uv, 0.28, 5.0), 1 + 0.35 * _noise(grain, uv, 0.22, 3.0)
    colour = np.empty((*uv.size, 3), np.float32)
    colour[:] = person.skin
    _paint_complexion(colour, rng, grain, person, uv)
    _paint_beard(colour, grain, person, uv)
    for side in (-1, 1):
        _paint_brow(colour, rng, person, uv, side)
    coverage = hair_coverage(person, uv.x, uv.y, uv.z, raggedness)
    for k in range(3):
        colour[..., k] += coverage * (np.float32(person.hair.colour[k]) * strands - colour[..., k])
    return np.clip(colour, 0, 1)


def hair_coverage(
    person: SyntheticPerson, x: np.ndarray, y: np.ndarray, z: np.ndarray, raggedness: np.ndarray | float
) -> np.ndarray:
    """Return how much hair covers points of the neutral head.

    Args:
        person: whose hair it is.
        x: cm from the middle, not negative.
        y: cm downward.
        z: cm away from the camera.
        raggedness: cm by which the hairline is displaced at each point.

    Returns:
        Coverage in [0, 1].
    """
    hair = person.hair
    line = -9.2 + 0.9 * hair.line + hair.fringe * 0.8 + 0.045 * x**2 + np.clip(x - 5.4, 0, None) * (6.5 - hair.temples)
    front = np.clip((line - y + raggedness) / 0.6, 0, 1) * (y < 1.5)
    back = np.clip((z - 10.3 + 0.5 * raggedness) / 1.0, 0, 1) * (y < 2.5 + 2 * hair.volume)
    return np.maximum(front, back) * np.float32(0.35 if hair.volume == 0 else 1.0)


def _paint_complexion(
    colour: np.ndarray, rng: np.random.Generator, grain: np.random.Generator, person: SyntheticPerson, uv: UVMap
) -> None:
    """Paint blotches, pores, flushed cheeks and nose, shadows under the eyes, folds, freckles and moles."""
    tone = 1 + 0.035 * _noise(grain, uv, 1.4) + 0.02 * _noise(grain, uv, 0.5)
    red = 0.03 * _noise(grain, uv, 1.8) + np.float32(rng.uniform(0.02, 0.16)) * uv.flush
    tone += np.float32(rng.uniform(0.015, 0.05)) * grain.standard_normal(uv.size, np.float32)
    tone -= np.float32(rng.uniform(0.0, 0.14)) * uv.under_eyes + np.float32(0.10 * person.age) * uv.folds
    for k, absorption in enumerate((0.15, 1.0, 0.8)):
        colour[..., k] *= tone * (1 - np.float32(absorption) * red)
    spots = np.stack([rng.uniform(-6, 6, person.freckles), rng.uniform(-6, 6, person.freckles)], -1)
    column, row = uv.texel(spots[:, 0], spots[:, 1]).astype(int).T
    darkness = rng.uniform(0.1, 0.4, len(spots)) * np.clip(rng.gamma(2, 0.025, len(spots)) * uv.density, 0, 1)
    colour[row, column] *= 1 - darkness[:, None].astype(np.float32)


def _paint_beard(colour: np.ndarray, grain: np.random.Generator, person: SyntheticPerson, uv: UVMap) -> None:
    if person.beard + person.moustache == 0:
        return
    coverage = np.maximum(person.beard * uv.jaw, person.moustache * uv.upper_lip)
    covered = coverage > 0.01
    strands = 0.8 + 0.5 * grain.standard_normal(int(covered.sum()), np.float32)
    alpha = np.clip(coverage[covered] * strands, 0, 0.9)
    colour[covered] += alpha[:, None] * (np.array(person.hair.colour, np.float32) * 0.85 - colour[covered])


def _paint_brow(colour: np.ndarray, rng: np.random.Generator, person: SyntheticPerson, uv: UVMap, side: int) -> None:
    """Paint single hairs from root to tip over a soft shade; side is -1 or 1."""
    corners = uv.texel(np.sort([side * 0.3, side * 7.2]), np.array([-7.5, -3.0]))
    (left, top), (right, bottom) = np.floor(corners).astype(int).tolist()
    alpha = np.zeros((bottom - top, right - left), np.uint8)
    root, tip = (
        np.rint((uv.texel(side * points[:, 0], points[:, 1]) - (left, top)) * 2**SUBTEXEL_BITS).astype(int).tolist()
        for points in _sample_brow_hairs(rng, person)
    )
    for a, b in zip(root, tip, strict=True):
        cv2.line(alpha, a, b, 255, 1, cv2.LINE_AA, SUBTEXEL_BITS)
    soft = cv2.GaussianBlur(alpha, (0, 0), 0.10 * uv.density)
    density = min(1.0, 0.5 + 0.45 * person.brows.density)
    coverage = np.clip((0.55 * alpha + 0.8 * soft.astype(np.float32)) / 255, 0, 1) * density
    part = colour[top:bottom, left:right]
    part += coverage[..., None].astype(np.float32) * (np.array(person.brows.colour, np.float32) - part)


def _sample_brow_hairs(rng: np.random.Generator, person: SyntheticPerson) -> tuple[np.ndarray, np.ndarray]:
    """Sample the roots and tips of the hairs of the left brow, both (n, 2) cm."""
    brows = person.brows
    count = int(150 * brows.density)
    along = rng.uniform(0.02, 1, count) ** 0.9
    x = BROW_AXIS[0, 0] + 0.25 + along * (BROW_AXIS[-1, 0] - BROW_AXIS[0, 0] - 0.35)
    axis_y, half_thickness = (np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, k]) for k in (1, 2))
    across = half_thickness * brows.thickness * rng.uniform(-0.9, 0.9, count)
    y = axis_y - brows.height + brows.slant * (along - 0.5) + across
    lean = 0.32 * along + 0.12
    tip_y = y - 0.32 * (1 - 1.3 * along) * brows.thickness
    return np.stack([x, y], -1), np.stack([x + lean + rng.normal(0, 0.06, count), tip_y], -1)


def _noise(rng: np.random.Generator, uv: UVMap, size: float, stretch: float = 1.0) -> np.ndarray:
    """Sample smooth noise (H, W) float32, deviation about 0.5, of blobs `size` cm wide and `stretch` times as high."""
    height, width = uv.size
    small = (max(2, int(width / (size * uv.density))), max(2, int(height / (size * stretch * uv.density))))
    lattice = rng.standard_normal(small[::-1], np.float32) * 0.7
    return cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC)

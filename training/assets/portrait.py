"""A picture of the head that FaceMesh takes for a face: for the bake, for examples and for tests. Not for editing.

Colours are painted by place on the neutral head, so that they follow every expression and identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.raster import interpolate, rasterize, vertex_normals
from asccl.morphable.regions import (
    BROW_AXIS,
    EARS,
    EYE_CENTRE,
    EYE_LEFT,
    EYE_RIGHT,
    EYELIDS,
    IRIS_RADIUS,
    LASHES,
    LIPS,
    MOUTH_CAVITY,
    PUPIL_RADIUS,
    TEETH_LOWER,
    TEETH_UPPER,
    TONGUE,
    region_weights,
)


@dataclass(frozen=True)
class PortraitCamera:
    """A camera in front of the head. rotation: (3, 3) of the head. size: (height, width) pixels.
    scale: pixels per cm at the head. shift: (x, y) pixels. distance: cm from the camera to the head's origin."""

    rotation: np.ndarray
    size: tuple[int, int]
    scale: float
    shift: tuple[float, float] = (0.0, 0.0)
    distance: float = 70.0

    @classmethod
    def facing(cls, yaw: float, pitch: float, side: int) -> PortraitCamera:
        """Square; yaw to the image's right and pitch downward in degrees; the head fills two thirds."""
        y, p = np.deg2rad([yaw, pitch])
        turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        return cls(nod @ turn, (side, side), side / 30)

    def enlarged(self, times: int) -> PortraitCamera:
        """The same view with more pixels."""
        (height, width), (x, y) = self.size, self.shift
        return PortraitCamera(self.rotation, (times * height, times * width), times * self.scale, (times * x, times * y),
                    self.distance)  # fmt: skip

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 3) cm -> (..., 2) pixels and (...,) depth, smaller is nearer."""
        turned = vertices @ self.rotation.T
        depth = turned[..., 2] + self.distance
        height, width = self.size
        centre = np.array([(width - 1) / 2 + self.shift[0], (height - 1) / 2 + self.shift[1]])
        return turned[..., :2] * (self.distance / depth * self.scale)[..., None] + centre, depth


@dataclass(frozen=True)
class PortraitAppearance:
    """Colours, RGB 0 to 1. light: where it shines to. grain: of the skin. seed: of grain and hair."""

    skin: tuple[float, float, float] = (0.83, 0.62, 0.51)
    lips: tuple[float, float, float] = (0.67, 0.36, 0.34)
    hair: tuple[float, float, float] = (0.17, 0.12, 0.09)
    iris: tuple[float, float, float] = (0.34, 0.24, 0.15)
    background: tuple[float, float, float] = (0.50, 0.54, 0.58)
    shirt: tuple[float, float, float] = (0.20, 0.24, 0.32)
    light: tuple[float, float, float] = (0.35, 0.45, 0.82)
    grain: float = 0.03
    seed: int = 0


def render(
    head: AnnyHead,
    coefficients: np.ndarray,
    identity: np.ndarray | None,
    view: PortraitCamera,
    look: PortraitAppearance | None = None,
) -> np.ndarray:
    """The head with an expression (52,), as a person (K,) or None for the average -> (H, W, 3) uint8 RGB.

    The landmarks it shows are `view.project(head.on_mesh(head.deform(coefficients, identity)))[0]`, but FaceMesh puts
    lids, brows and jaw line elsewhere by some 2 % of the distance between the eyes.
    """
    vertices = head.deform(coefficients, identity)
    return shade(vertices, head.vertices, head.triangles, head.region, view, look or PortraitAppearance())


def shade(
    vertices: np.ndarray,
    neutral: np.ndarray,
    triangles: np.ndarray,
    region: np.ndarray,
    view: PortraitCamera,
    look: PortraitAppearance,
    oversample: int = 2,
) -> np.ndarray:
    """vertices: (V, 3) cm as posed by the expression. neutral: (V, 3) the average head, which carries the paint.
    oversample: drawn so many times larger, then shrunk. -> (H, W, 3) uint8 RGB."""
    fine = view.enlarged(oversample)
    solid = triangles[~(region[triangles] == LASHES).any(1)]
    pixels, depth = fine.project(vertices)
    image, barycentric = rasterize(pixels, depth, solid, fine.size)
    seen = image >= 0
    normal = interpolate(vertex_normals(vertices @ view.rotation.T, solid), solid, image, barycentric)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    where = interpolate(neutral, solid, image, barycentric)
    parts = interpolate(region_weights(region, solid), solid, image, barycentric)
    z = np.where(seen, interpolate(depth[:, None], solid, image, barycentric)[..., 0], np.nan)
    lit = _lit(_paint(where, parts, look), normal, parts, _sheltered(z, fine.scale), look)
    picture = np.where(seen[..., None], lit, _background(fine, look))
    small = cv2.resize(picture.astype(np.float32), view.size[::-1], interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _paint(where: np.ndarray, parts: np.ndarray, look: PortraitAppearance) -> np.ndarray:
    """Albedo (H, W, 3) from the place on the neutral head (H, W, 3) and the regions' shares (H, W, 12)."""
    x, y, z = np.abs(where[..., 0]), where[..., 1], where[..., 2]
    front = z < 4
    colour = np.broadcast_to(np.array(look.skin), where.shape) * _grain(where, look)[..., None]
    flush = np.exp(-(((x - 4.0) / 1.8) ** 2 + ((y - 0.6) / 1.4) ** 2)) + np.exp(-((x / 1.1) ** 2 + (y / 1.2) ** 2))
    colour *= 1 - (0.12 * flush * front)[..., None] * np.array([0.1, 1.0, 0.8])
    _blend(colour, look.lips, np.clip(parts[..., LIPS] * 2 - 0.6, 0, 1) * 0.85)
    strands = _noise(np.stack([7 * where[..., 0] + 3 * y, 2 * y], -1), look.seed + 1)
    height = np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, 1])
    half = np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, 2], left=0, right=0) * (1 + 0.25 * strands)
    _blend(colour, look.hair, np.clip((half - np.abs(y - height)) / 0.16 + 0.3, 0, 1) * (half > 0) * front * 0.85)
    hairline = -9.0 + 0.05 * x**2 + np.clip(x - 5.2, 0, None) * 3.0
    covered = np.clip((hairline - y + 0.25 * strands) / 0.5, 0, 1) * (parts[..., EARS] < 0.3) * (y < 1.5)
    covered = np.maximum(covered, np.clip((z - 10.5) / 1.0, 0, 1) * (y < 2.5) * (parts[..., EARS] < 0.3))
    _blend(colour, np.array(look.hair) * (1 + 0.5 * strands[..., None]), covered)
    _blend(colour, (0.30, 0.18, 0.15), np.clip(parts[..., EYELIDS] - 0.2, 0, 1) * 0.5)
    colour[parts[..., MOUTH_CAVITY] > 0.4] = (0.20, 0.07, 0.07)
    colour[parts[..., TONGUE] > 0.5] = (0.62, 0.30, 0.29)
    colour[parts[..., [TEETH_UPPER, TEETH_LOWER]].max(-1) > 0.5] = (0.84, 0.81, 0.74)
    for eye, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
        inside = parts[..., eye] > 0.5
        colour[inside] = _eye(where[inside] - [side * EYE_CENTRE[0], EYE_CENTRE[1], 0], look)
    return colour


def _eye(place: np.ndarray, look: PortraitAppearance) -> np.ndarray:
    """(n, 3) cm from the axis of the eyeball -> (n, 3) colours of sclera, iris, limbus and pupil."""
    radius = np.hypot(place[:, 0], place[:, 1])
    rays = 1 + 0.15 * np.sin(23 * np.arctan2(place[:, 1], place[:, 0]))
    colour = np.ones((len(radius), 3)) * (0.86, 0.83, 0.81)
    _blend(colour, np.array(look.iris) * rays[:, None], np.clip((IRIS_RADIUS - radius) / 0.05 + 0.5, 0, 1))
    _blend(colour, (0.07, 0.05, 0.04), 0.6 * np.exp(-(((radius - IRIS_RADIUS) / 0.06) ** 2)))
    _blend(colour, (0.02, 0.02, 0.02), np.clip((PUPIL_RADIUS - radius) / 0.04 + 0.5, 0, 1))
    glint = np.hypot(place[:, 0] + 0.18, place[:, 1] + 0.20)
    _blend(colour, (1.0, 1.0, 1.0), np.clip((0.09 - glint) / 0.04 + 0.5, 0, 1))
    return colour


def _lit(
    colour: np.ndarray, normal: np.ndarray, parts: np.ndarray, shelter: np.ndarray, look: PortraitAppearance
) -> np.ndarray:
    """Soft key light that wraps round in red as in skin, a fill from the sky, a faint gloss."""
    light = -np.array(look.light) / np.linalg.norm(look.light)
    facing = (normal @ light)[..., None]
    wrap = np.array([0.38, 0.22, 0.16])
    key = np.clip((facing + wrap) / (1 + wrap), 0, 1)
    sky = 0.5 - 0.5 * normal[..., 1:2]
    half = light - np.array([0.0, 0.0, 1.0])
    gloss = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1)[..., None] ** 18
    moist = 0.08 + 0.14 * parts[..., LIPS, None] + 0.10 * parts[..., [EYE_RIGHT, EYE_LEFT]].sum(-1, keepdims=True)
    return (colour * (0.86 * key + 0.16 + 0.16 * sky) + moist * gloss) * shelter[..., None]


def _sheltered(depth: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) in (0, 1]: darker where the surroundings stand nearer to the camera (mouth, sockets, under the chin)."""
    near = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    known = np.isfinite(depth).astype(np.float32)
    small = (depth.shape[1] // 4, depth.shape[0] // 4)
    coarse = [cv2.resize(known * near, small, interpolation=cv2.INTER_AREA),
              cv2.resize(known, small, interpolation=cv2.INTER_AREA)]  # fmt: skip
    shade = np.ones_like(near)
    for radius, strength, reach in ((0.5, 0.40, 0.6), (1.4, 0.22, 2.0)):
        total, weight = (cv2.GaussianBlur(part, (0, 0), radius * scale / 4) for part in coarse)
        around = cv2.resize(total / np.maximum(weight, 1e-6), depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
        shade *= 1 - strength * np.clip((near - around) * known / reach, 0, 1.6)
    return np.clip(shade, 0.1, 1)


def _background(view: PortraitCamera, look: PortraitAppearance) -> np.ndarray:
    """A wall that is lighter at the top left, and shoulders."""
    height, width = view.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    wall = np.array(look.background) * (1.12 - 0.22 * (x / width + y / height))[..., None]
    x = (x - width / 2 - view.shift[0]) / view.scale
    y = (y - height / 2 - view.shift[1]) / view.scale
    shoulders = 9.2 + 0.5 * np.clip(np.abs(x) - 4.5, 0, None) ** 0.8 + np.clip(np.abs(x) - 15, 0, None) ** 2 * 0.15
    shade = (1.0 - 0.02 * np.abs(x + 6))[..., None]
    _blend(wall, np.array(look.shirt) * shade, np.clip((y - shoulders) * view.scale / 2 + 0.5, 0, 1))
    return wall


def _blend(colour: np.ndarray, other: object, share: np.ndarray) -> None:
    """colour moves towards other in place, by share in [0, 1]."""
    colour += share[..., None] * (np.asarray(other) - colour)


def _grain(where: np.ndarray, look: PortraitAppearance) -> np.ndarray:
    """(H, W) around 1: pores and blotches that stick to the skin."""
    planes = where[..., :2]
    return 1 + look.grain * (0.5 * _noise(planes * 9, look.seed) + 0.7 * _noise(planes * 1.3, look.seed + 2))


def _noise(place: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise in [-1, 1] at (..., 2) places; lattice of spacing 1."""
    lattice = np.random.default_rng(seed).uniform(-1, 1, (256, 256)).astype(np.float32)
    x, y = (np.mod(place[..., k], 255).astype(np.float32) for k in (0, 1))
    return cv2.remap(lattice, np.atleast_2d(x), np.atleast_2d(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)

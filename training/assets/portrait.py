"""A rendered portrait of the head that FaceMesh detects as a face: for the bake, the examples and tests, not for edits.

Colours depend on the position on the neutral head, so that they follow every expression and identity.
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

LIGHT_WRAP = np.array([0.38, 0.22, 0.16])  # R, G, B: how far light wraps around skin


@dataclass(frozen=True)
class PortraitCamera:
    """A camera in front of the head.

    Attributes:
        rotation: of the head, (3, 3).
        size: height and width of the image, pixels.
        scale: pixels per cm at the head.
        shift: of the head in the image, (x, y) pixels.
        distance: from the camera to the origin of the head, cm.
    """

    rotation: np.ndarray
    size: tuple[int, int]
    scale: float
    shift: tuple[float, float] = (0.0, 0.0)
    distance: float = 70.0

    @classmethod
    def facing(cls, yaw: float, pitch: float, side: int) -> PortraitCamera:
        """Build a camera with a square image, two thirds of which the head fills.

        Args:
            yaw: to the right of the image, degrees.
            pitch: downwards, degrees.
            side: of the image, pixels.
        """
        y, p = np.deg2rad([yaw, pitch])
        turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
        nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        return cls(nod @ turn, (side, side), side / 30)

    def magnified(self, factor: int) -> PortraitCamera:
        """Return the same view with more pixels."""
        (height, width), (x, y) = self.size, self.shift
        size, shift = (factor * height, factor * width), (factor * x, factor * y)
        return PortraitCamera(self.rotation, size, factor * self.scale, shift, self.distance)

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project (..., 3) cm to (..., 2) pixels and (...,) depth, smaller is nearer."""
        turned = vertices @ self.rotation.T
        depth = turned[..., 2] + self.distance
        height, width = self.size
        centre = np.array([(width - 1) / 2 + self.shift[0], (height - 1) / 2 + self.shift[1]])
        return turned[..., :2] * (self.distance / depth * self.scale)[..., None] + centre, depth


@dataclass(frozen=True)
class PortraitAppearance:
    """Colours, RGB in [0, 1], and light.

    Attributes:
        skin: of the face.
        lips: of the lips.
        hair: of hair and brows.
        iris: of the irises.
        background: of the wall.
        shirt: of the shoulders.
        light: direction in which the light travels.
        grain: strength of the skin's texture.
        seed: of texture and hair.
    """

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
    camera: PortraitCamera,
    appearance: PortraitAppearance | None = None,
) -> np.ndarray:
    """Render a head with an expression.

    The landmarks of the image are `camera.project(head.landmarks_on(head.deform(coefficients, identity)))[0]`, but
    FaceMesh detects lids, brows and the line of the jaw some 2 % of the eye distance away from them.

    Args:
        head: the bundled head.
        coefficients: (52,).
        identity: (K,), or None for the average.
        camera: of the image.
        appearance: colours and light; None takes the defaults.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    vertices = head.deform(coefficients, identity)
    appearance = appearance or PortraitAppearance()
    return shade(vertices, head.vertices, head.triangles, head.region, camera, appearance)


def shade(
    vertices: np.ndarray,
    neutral: np.ndarray,
    triangles: np.ndarray,
    region: np.ndarray,
    camera: PortraitCamera,
    appearance: PortraitAppearance,
    oversample: int = 2,
) -> np.ndarray:
    """Render a mesh.

    Args:
        vertices: with expression and identity, (V, 3) cm.
        neutral: the average head, whose positions give the colours, (V, 3) cm.
        triangles: (F, 3) int.
        region: of each vertex, (V,).
        camera: of the image.
        appearance: colours and light.
        oversample: the image is drawn larger by this factor and reduced.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    fine = camera.magnified(oversample)
    solid = triangles[~(region[triangles] == LASHES).any(1)]
    pixels, depth = fine.project(vertices)
    index, barycentric = rasterize(pixels, depth, solid, fine.size)
    covered = index >= 0
    normal = interpolate(vertex_normals(vertices @ camera.rotation.T, solid), solid, index, barycentric)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    position = interpolate(neutral, solid, index, barycentric)
    weights = interpolate(region_weights(region, solid), solid, index, barycentric)
    z = np.where(covered, interpolate(depth[:, None], solid, index, barycentric)[..., 0], np.nan)
    albedo, occlusion = _albedo(position, weights, appearance), _ambient_occlusion(z, fine.scale)
    colour = _light(albedo, normal, weights, occlusion, appearance)
    image = np.where(covered[..., None], colour, _background(fine, appearance))
    small = cv2.resize(image.astype(np.float32), camera.size[::-1], interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _albedo(position: np.ndarray, weights: np.ndarray, appearance: PortraitAppearance) -> np.ndarray:
    """Albedo (H, W, 3) from the position on the neutral head (H, W, 3) and the region weights (H, W, 12)."""
    x, y, z = np.abs(position[..., 0]), position[..., 1], position[..., 2]
    front = z < 4
    colour = np.broadcast_to(np.array(appearance.skin), position.shape) * _texture(position, appearance)[..., None]
    flush = np.exp(-(((x - 4.0) / 1.8) ** 2 + ((y - 0.6) / 1.4) ** 2)) + np.exp(-((x / 1.1) ** 2 + (y / 1.2) ** 2))
    colour *= 1 - (0.12 * flush * front)[..., None] * np.array([0.1, 1.0, 0.8])
    _blend(colour, appearance.lips, np.clip(weights[..., LIPS] * 2 - 0.6, 0, 1) * 0.85)
    strands = _noise(np.stack([7 * position[..., 0] + 3 * y, 2 * y], -1), appearance.seed + 1)
    brow = np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, 1])
    half = np.interp(x, BROW_AXIS[:, 0], BROW_AXIS[:, 2], left=0, right=0) * (1 + 0.25 * strands)
    _blend(colour, appearance.hair, np.clip((half - np.abs(y - brow)) / 0.16 + 0.3, 0, 1) * (half > 0) * front * 0.85)
    no_ears = weights[..., EARS] < 0.3
    hairline = -9.0 + 0.05 * x**2 + np.clip(x - 5.2, 0, None) * 3.0
    hair = np.clip((hairline - y + 0.25 * strands) / 0.5, 0, 1) * no_ears * (y < 1.5)
    hair = np.maximum(hair, np.clip((z - 10.5) / 1.0, 0, 1) * (y < 2.5) * no_ears)
    _blend(colour, np.array(appearance.hair) * (1 + 0.5 * strands[..., None]), hair)
    _blend(colour, (0.30, 0.18, 0.15), np.clip(weights[..., EYELIDS] - 0.2, 0, 1) * 0.5)
    colour[weights[..., MOUTH_CAVITY] > 0.4] = (0.20, 0.07, 0.07)
    colour[weights[..., TONGUE] > 0.5] = (0.62, 0.30, 0.29)
    colour[weights[..., [TEETH_UPPER, TEETH_LOWER]].max(-1) > 0.5] = (0.84, 0.81, 0.74)
    for eye, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
        inside = weights[..., eye] > 0.5
        colour[inside] = _eye_colour(position[inside] - [side * EYE_CENTRE[0], EYE_CENTRE[1], 0], appearance)
    return colour


def _eye_colour(position: np.ndarray, appearance: PortraitAppearance) -> np.ndarray:
    """Position relative to the axis of the eyeball (n, 3) cm -> colours (n, 3) of sclera, iris, limbus and pupil."""
    radius = np.hypot(position[:, 0], position[:, 1])
    rays = 1 + 0.15 * np.sin(23 * np.arctan2(position[:, 1], position[:, 0]))
    colour = np.ones((len(radius), 3)) * (0.86, 0.83, 0.81)
    _blend(colour, np.array(appearance.iris) * rays[:, None], np.clip((IRIS_RADIUS - radius) / 0.05 + 0.5, 0, 1))
    _blend(colour, (0.07, 0.05, 0.04), 0.6 * np.exp(-(((radius - IRIS_RADIUS) / 0.06) ** 2)))
    _blend(colour, (0.02, 0.02, 0.02), np.clip((PUPIL_RADIUS - radius) / 0.04 + 0.5, 0, 1))
    catch_light = np.hypot(position[:, 0] + 0.18, position[:, 1] + 0.20)
    _blend(colour, (1.0, 1.0, 1.0), np.clip((0.09 - catch_light) / 0.04 + 0.5, 0, 1))
    return colour


def _light(
    albedo: np.ndarray,
    normal: np.ndarray,
    weights: np.ndarray,
    occlusion: np.ndarray,
    appearance: PortraitAppearance,
) -> np.ndarray:
    """Light the surface: a soft key light that wraps around skin, furthest in red; fill light; specular reflection."""
    direction = -np.array(appearance.light) / np.linalg.norm(appearance.light)
    cosine = (normal @ direction)[..., None]
    key = np.clip((cosine + LIGHT_WRAP) / (1 + LIGHT_WRAP), 0, 1)
    sky = 0.5 - 0.5 * normal[..., 1:2]
    half = direction - np.array([0.0, 0.0, 1.0])
    specular = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1)[..., None] ** 18
    eyes = weights[..., [EYE_RIGHT, EYE_LEFT]].sum(-1, keepdims=True)
    reflectance = 0.08 + 0.14 * weights[..., LIPS, None] + 0.10 * eyes
    return (albedo * (0.86 * key + 0.16 + 0.16 * sky) + reflectance * specular) * occlusion[..., None]


def _ambient_occlusion(depth: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) in (0, 1]: darker where the surroundings are nearer to the camera (mouth, eye sockets, under the chin)."""
    z = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    known = np.isfinite(depth).astype(np.float32)
    small = (depth.shape[1] // 4, depth.shape[0] // 4)
    coarse = [cv2.resize(values, small, interpolation=cv2.INTER_AREA) for values in (known * z, known)]
    light = np.ones_like(z)
    for radius, strength, reach in ((0.5, 0.40, 0.6), (1.4, 0.22, 2.0)):
        total, weight = (cv2.GaussianBlur(values, (0, 0), radius * scale / 4) for values in coarse)
        mean = cv2.resize(total / np.maximum(weight, 1e-6), depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
        light *= 1 - strength * np.clip((z - mean) * known / reach, 0, 1.6)
    return np.clip(light, 0.1, 1)


def _background(camera: PortraitCamera, appearance: PortraitAppearance) -> np.ndarray:
    """A wall that is lighter at the top left, and shoulders."""
    height, width = camera.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    wall = np.array(appearance.background) * (1.12 - 0.22 * (x / width + y / height))[..., None]
    x = (x - width / 2 - camera.shift[0]) / camera.scale
    y = (y - height / 2 - camera.shift[1]) / camera.scale
    shoulders = 9.2 + 0.5 * np.clip(np.abs(x) - 4.5, 0, None) ** 0.8 + np.clip(np.abs(x) - 15, 0, None) ** 2 * 0.15
    brightness = (1.0 - 0.02 * np.abs(x + 6))[..., None]
    _blend(wall, np.array(appearance.shirt) * brightness, np.clip((y - shoulders) * camera.scale / 2 + 0.5, 0, 1))
    return wall


def _blend(colour: np.ndarray, other: object, alpha: np.ndarray) -> None:
    """Blend another colour into `colour`, in place, by alpha in [0, 1]."""
    colour += alpha[..., None] * (np.asarray(other) - colour)


def _texture(position: np.ndarray, appearance: PortraitAppearance) -> np.ndarray:
    """(H, W) factor around 1: pores and blotches that are fixed to the skin."""
    plane = position[..., :2]
    pores, blotches = _noise(plane * 9, appearance.seed), _noise(plane * 1.3, appearance.seed + 2)
    return 1 + appearance.grain * (0.5 * pores + 0.7 * blotches)


def _noise(position: np.ndarray, seed: int) -> np.ndarray:
    """Smooth noise in [-1, 1] at (..., 2) positions, on a lattice of spacing 1."""
    lattice = np.random.default_rng(seed).uniform(-1, 1, (256, 256)).astype(np.float32)
    x, y = (np.mod(position[..., k], 255).astype(np.float32) for k in (0, 1))
    return cv2.remap(lattice, np.atleast_2d(x), np.atleast_2d(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)

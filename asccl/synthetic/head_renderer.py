"""Render a synthetic person: a z-buffer of the front of the head, skin texture, light and background."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.raster import rasterize, vertex_normals
from asccl.morphable.regions import (
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
    REGION_COUNT,
    SKIN,
    TEETH_LOWER,
    TEETH_UPPER,
    TONGUE,
    region_weights,
)
from asccl.synthetic.camera import Camera
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.skin_texture import cylindrical_uv, hair_coverage, paint_skin
from asccl.types import Image

SUPERSAMPLING = 1.5  # rendered pixels per pixel of the image, per side
TEXEL_DENSITY_RANGE = (8, 28)  # texels per cm
LIGHT_WRAP = np.array(
    [0.38, 0.22, 0.16], np.float32
)  # how far R, G and B reach around the skin (subsurface scattering)
WET_REGIONS = (EYE_LEFT, EYE_RIGHT, TEETH_UPPER, TEETH_LOWER, TONGUE)
IS_WET = np.isin(np.arange(REGION_COUNT), WET_REGIONS).astype(np.float32)  # by region
OCCLUSION = ((0.5, 0.40, 0.6), (1.4, 0.22, 2.0))  # radius in cm, darkening, depth difference in cm of full darkening
BACKGROUND_SCALE = 4  # pixels of the rendered image per pixel of the background
MAX_REMAP_SIDE = 1024  # cv2.remap takes no side above 32767
# columns of the interpolated vertex attributes
NORMAL, DEPTH, UV, LIP, LID, POSITION = slice(0, 3), 3, slice(4, 6), 6, 7, slice(8, 10)


class HeadRenderer:
    """Renders one person. Everything that does not depend on the expression is computed once.

    Args:
        person: who is rendered.
        head: head model.
        pixels_per_cm: of the images; determines the resolution of the skin texture.
    """

    def __init__(self, person: SyntheticPerson, head: AnnyHead, pixels_per_cm: float):
        self.person, self.head = person, head
        density = float(np.clip(np.ceil(SUPERSAMPLING * pixels_per_cm / 4) * 4, *TEXEL_DENSITY_RANGE))
        self._skin = paint_skin(person, head, density)
        self._rest = self._rest_shape()
        self._triangles = head.triangles[~(head.region[head.triangles] == LASHES).any(1)]
        self._triangle_region = head.region[self._triangles].max(1)
        weights = region_weights(head.region, self._triangles)[:, [LIPS, EYELIDS]]
        attributes = [cylindrical_uv(head.vertices, density), weights, head.vertices[:, :2]]
        self._attributes = np.column_stack(attributes).astype(np.float32)
        self._has_long_hair = person.hair.long and person.hair.volume > 0
        self._wall_noise = np.random.default_rng(person.seed + 1).standard_normal((5, 5, 1)).astype(np.float32)

    def _rest_shape(self) -> np.ndarray:
        """Return the vertices at rest (V, 3) with the volume of the hair."""
        head, person = self.head, self.person
        rest = head.vertices + np.tensordot(person.identity, head.vertex_identity, 1)
        x, y, z = head.vertices.T
        on_skull = (head.region == SKIN) * np.clip((-7.5 - y) / 3 + np.clip(z - 9, 0, 1), 0, 1)
        coverage = hair_coverage(person, np.abs(x), y, z, 0.0) * on_skull
        normals = vertex_normals(rest, head.triangles)
        return (rest + (person.hair.volume * coverage)[:, None] * normals).astype(np.float32)

    def vertices(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the mesh of an expression: (52,) -> (V, 3) cm."""
        return self._rest + np.tensordot(coefficients.astype(np.float32), self.head.vertex_expression, 1)

    def landmarks(self, coefficients: np.ndarray, camera: Camera) -> np.ndarray:
        """Return the true landmarks of an expression: (52,) -> (468, 2) pixels."""
        return camera.project(self.head.landmarks_on(self.vertices(coefficients)))[0]

    def render(self, coefficients: np.ndarray, camera: Camera) -> Image:
        """Render an expression: (52,) -> (H, W, 3) uint8 RGB."""
        fine = camera.with_resolution(SUPERSAMPLING)
        vertices = self.vertices(coefficients)
        pixels, depth = fine.project(vertices)
        front = np.flatnonzero(_faces_camera(pixels, self._triangles))
        image, barycentric = rasterize(pixels, depth, self._triangles[front], fine.size)
        covered = np.flatnonzero(image.ravel() >= 0)
        triangle = front[image.ravel()[covered]]
        normals = vertex_normals(vertices @ camera.rotation.T, self._triangles)
        table = np.column_stack([normals, depth, self._attributes]).astype(np.float32)
        values = np.einsum("nk,nkc->nc", barycentric.reshape(-1, 3)[covered], table[self._triangles[triangle]])
        region = self._triangle_region[triangle]
        occlusion = _ambient_occlusion(covered, np.ascontiguousarray(values[:, DEPTH]), fine)
        canvas = self._background(fine).reshape(-1, 3)
        canvas[covered] = self._shade(self._albedo(values, region), values, region) * occlusion[:, None]
        small = cv2.resize(canvas.reshape(*fine.size, 3), camera.size[::-1], interpolation=cv2.INTER_AREA)
        return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)

    def _albedo(self, values: np.ndarray, region: np.ndarray) -> np.ndarray:
        """Return the colours (n, 3) without light of pixels with attributes (n, 10) and regions (n,)."""
        person = self.person
        colour = _sample_texture(self._skin, *values[:, UV].T)
        ear_colour = person.hair.colour if self._has_long_hair else person.skin
        colour[region == EARS] = np.array(ear_colour) * (0.97, 0.90, 0.90)
        lip, lid = np.clip(values[:, LIP] * 2 - 0.6, 0, 1) * 0.85, np.clip(values[:, LID] - 0.2, 0, 1) * 0.5
        for alpha, other in ((lip, np.array(person.lips)), (lid, np.array(person.skin) * 0.35)):
            some = np.flatnonzero(alpha > 0)
            colour[some] += alpha[some, None] * (other.astype(np.float32) - colour[some])
        colour[region == MOUTH_CAVITY] = (0.16, 0.05, 0.05)
        colour[region == TONGUE] = (0.58, 0.28, 0.27)
        colour[(region == TEETH_UPPER) | (region == TEETH_LOWER)] = (0.84, 0.81, 0.74)
        for eye, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
            inside = region == eye
            colour[inside] = _eye_colour(values[inside, POSITION] - (side * EYE_CENTRE[0], EYE_CENTRE[1]), person)
        return colour

    def _shade(self, albedo: np.ndarray, values: np.ndarray, region: np.ndarray) -> np.ndarray:
        """Light colours (n, 3) by a soft key light, ambient light from above, and highlights."""
        light = self.person.light
        normal = values[:, NORMAL]
        normal = normal / (np.sqrt(np.einsum("nk,nk->n", normal, normal))[:, None] + 1e-9)
        to_light = (-np.array(light.direction) / np.linalg.norm(light.direction)).astype(np.float32)
        half_way = to_light - np.array([0.0, 0.0, 1.0], np.float32)
        facing = normal @ to_light
        mirrored = np.clip(normal @ (half_way / np.linalg.norm(half_way)), 0, 1)
        ambient = light.fill + 0.08 - 0.08 * normal[:, 1]
        highlight = mirrored**18 * (light.gloss * (0.07 + 0.10 * values[:, LIP]) + 0.10 * IS_WET[region])
        shaded = np.empty_like(albedo)
        for k, wrap in enumerate(LIGHT_WRAP):
            key = np.clip((facing + wrap) * np.float32(light.colour[k] / (1 + wrap)), 0, None)
            shaded[:, k] = albedo[:, k] * (key + ambient) + highlight
        return shaded

    def _background(self, camera: Camera) -> np.ndarray:
        """Draw soft blobs between two colours, shoulders and long hair, (H, W, 3) float32."""
        height, width = camera.size
        step = BACKGROUND_SCALE
        first, second = (np.array(colour, np.float32) for colour in self.person.background)
        y, x = np.mgrid[0:height:step, 0:width:step].astype(np.float32)
        blobs = cv2.resize(self._wall_noise, x.shape[::-1], interpolation=cv2.INTER_CUBIC)[..., None]
        wall = np.clip(first + (0.5 + 0.5 * blobs) * (second - first), 0, 1)
        inverse = np.linalg.inv(camera.matrix[:, :2])
        x, y = x - camera.matrix[0, 2], y - camera.matrix[1, 2]
        x, y = inverse[0, 0] * x + inverse[0, 1] * y, inverse[1, 0] * x + inverse[1, 1] * y
        shoulders = 9.6 + 0.5 * np.clip(np.abs(x) - 4.5, 0, None) ** 0.8
        _blend(wall, self.person.shirt, np.clip((y - shoulders) * camera.pixels_per_cm / step + 0.5, 0, 1))
        if self._has_long_hair:
            _blend(wall, self.person.hair.colour, self._long_hair(x, y, camera))
        return cv2.resize(wall, (width, height), interpolation=cv2.INTER_LINEAR)

    def _long_hair(self, x: np.ndarray, y: np.ndarray, camera: Camera) -> np.ndarray:
        """Return how much long hair covers points behind the head; x, y: cm at the head along the image's axes."""
        centre = camera.rotation @ (0.0, -2.0, 8.0)
        x, y = np.abs(x - centre[0]), y - centre[1]
        half_width = 6.2 + 0.6 * self.person.hair.volume + 0.10 * np.clip(y, 0, None)
        half_width = half_width * np.sqrt(np.clip(1 - (np.clip(-y, 0, None) / 9) ** 2, 0, 1))
        edge = np.clip((half_width - x) * camera.pixels_per_cm / BACKGROUND_SCALE + 0.5, 0, 1)
        return edge * np.clip(13 - y, 0, 1)


def _faces_camera(pixels: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Mark the triangles (F,) bool whose front is visible; pixels: projected vertices (V, 2)."""
    a, b, c = pixels[triangles].transpose(1, 0, 2)
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0


def _sample_texture(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Interpolate a texture at columns u and rows v, both (n,): (n, 3)."""
    columns, rows = (np.pad(part, (0, -len(part) % MAX_REMAP_SIDE)).reshape(-1, MAX_REMAP_SIDE) for part in (u, v))
    colours = cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colours.reshape(-1, 3)[: len(u)]


def _eye_colour(position: np.ndarray, person: SyntheticPerson) -> np.ndarray:
    """Return the colours (n, 3) of sclera, iris, limbus, pupil and glint at positions (n, 2) cm from the eye's axis."""
    radius = np.hypot(position[:, 0], position[:, 1])
    rays = 1 + 0.15 * np.sin(23 * np.arctan2(position[:, 1], position[:, 0]))
    colour = np.ones((len(radius), 3), np.float32) * np.array((0.84, 0.81, 0.79), np.float32)
    _blend(colour, np.array(person.iris) * rays[:, None], np.clip((IRIS_RADIUS - radius) / 0.05 + 0.5, 0, 1))
    _blend(colour, (0.07, 0.05, 0.04), 0.6 * np.exp(-(((radius - IRIS_RADIUS) / 0.06) ** 2)))
    _blend(colour, (0.02, 0.02, 0.02), np.clip((PUPIL_RADIUS - radius) / 0.04 + 0.5, 0, 1))
    glint = np.hypot(position[:, 0] + 0.18, position[:, 1] + 0.20)
    _blend(colour, (1.0, 1.0, 1.0), np.clip((0.09 - glint) / 0.04 + 0.5, 0, 1))
    return colour


def _ambient_occlusion(pixel: np.ndarray, depth: np.ndarray, camera: Camera) -> np.ndarray:
    """Darken pixels whose surroundings are nearer to the camera (mouth, eye sockets, under the chin).

    Args:
        pixel: flat indices of the covered pixels, (n,).
        depth: their depth in cm, (n,).
        camera: the camera of the image.

    Returns:
        Factors of the light, (n,) in (0, 1].
    """
    height, width = camera.size
    depth_map, coverage = np.zeros(height * width, np.float32), np.zeros(height * width, np.float32)
    depth_map[pixel], coverage[pixel] = depth, 1
    small = (width // 4, height // 4)
    coarse = [
        cv2.resize(part.reshape(height, width), small, interpolation=cv2.INTER_AREA) for part in (depth_map, coverage)
    ]
    light = np.ones(len(pixel), np.float32)
    for radius, strength, full_depth in OCCLUSION:
        total, weight = (cv2.GaussianBlur(part, (0, 0), radius * camera.pixels_per_cm / 4) for part in coarse)
        mean = cv2.resize(total / np.maximum(weight, 1e-6), (width, height), interpolation=cv2.INTER_LINEAR)
        light *= 1 - strength * np.clip((depth - mean.ravel()[pixel]) / full_depth, 0, 1.6)
    return np.clip(light, 0.1, 1)


def _blend(colour: np.ndarray, other: object, alpha: np.ndarray) -> None:
    """Move `colour` towards `other` in place, by alpha in [0, 1]."""
    colour += alpha[..., None].astype(np.float32) * (np.asarray(other, np.float32) - colour)

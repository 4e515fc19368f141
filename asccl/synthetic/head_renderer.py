"""Photographs a made-up person: a z-buffer of the front of the head, paint from the sheet, light, background."""

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
    SKIN,
    TEETH_LOWER,
    TEETH_UPPER,
    TONGUE,
    region_weights,
)
from asccl.synthetic.camera import Camera
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.skin_texture import cylindrical_uv, hair_cover, paint
from asccl.types import Image

FINE = 1.5  # pixels are drawn so many times smaller, then averaged
WRAP = np.array([0.38, 0.22, 0.16], np.float32)  # light wraps round skin, in red the furthest
WET = np.isin(np.arange(12), (EYE_LEFT, EYE_RIGHT, TEETH_UPPER, TEETH_LOWER, TONGUE)).astype(np.float32)  # by region


class HeadRenderer:
    """One person before a camera: what does not change with the expression is made once."""

    def __init__(self, person: SyntheticPerson, head: AnnyHead, scale: float):
        """scale: pixels per cm of the pictures that will be taken; decides how finely the skin is painted."""
        self.person, self.head = person, head
        self.density = float(np.clip(np.ceil(FINE * scale / 4) * 4, 8, 28))
        self.skin = paint(person, head, self.density)
        self.rest = self._with_hair()
        self.triangles = head.triangles[~(head.region[head.triangles] == LASHES).any(1)]
        self.shares = region_weights(head.region, self.triangles)
        self.fixed = np.column_stack([cylindrical_uv(head.vertices, self.density), self.shares[:, [LIPS, EYELIDS]],
                                      head.vertices[:, :2]]).astype(np.float32)  # fmt: skip
        self.kind = self._kinds()
        self.long = person.hair.long and person.hair.volume > 0
        self.wall = np.random.default_rng(person.seed + 1).standard_normal((5, 5, 1)).astype(np.float32)

    def _with_hair(self) -> np.ndarray:
        """(V, 3) this person at rest; hair stands off the skull."""
        head, person = self.head, self.person
        rest = head.vertices + np.tensordot(person.identity, head.vertex_identity, 1)
        x, y, z = head.vertices.T
        on_skull = (head.region == SKIN) * np.clip((-7.5 - y) / 3 + np.clip(z - 9, 0, 1), 0, 1)
        cover = hair_cover(person, np.abs(x), y, z, 0.0) * on_skull
        normals = vertex_normals(rest, head.triangles)
        return (rest + (person.hair.volume * cover)[:, None] * normals).astype(np.float32)

    def _kinds(self) -> np.ndarray:
        """(F,) the region of each triangle's corners, the greatest number of them where they differ."""
        return self.head.region[self.triangles].max(1)

    def shape(self, coefficients: np.ndarray) -> np.ndarray:
        """(52,) -> (V, 3) cm."""
        return self.rest + np.tensordot(coefficients.astype(np.float32), self.head.vertex_expression, 1)

    def landmarks(self, coefficients: np.ndarray, camera: Camera) -> np.ndarray:
        """(52,) -> (468, 2) pixels, where the points lie on the mesh."""
        return camera.project(self.head.landmarks_on(self.shape(coefficients)))[0]

    def render(self, coefficients: np.ndarray, camera: Camera) -> Image:
        """(52,) -> (H, W, 3) uint8 RGB."""
        fine = camera.with_resolution(FINE)
        vertices = self.shape(coefficients)
        pixels, depth = fine.project(vertices)
        a, b, c = pixels[self.triangles].transpose(1, 0, 2)
        towards = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0
        front = np.flatnonzero(towards)
        image, barycentric = rasterize(pixels, depth, self.triangles[front], fine.size)
        seen = np.flatnonzero(image.ravel() >= 0)
        face = front[image.ravel()[seen]]
        normals = vertex_normals(vertices @ camera.rotation.T, self.triangles)
        table = np.column_stack([normals, depth, self.fixed]).astype(np.float32)
        values = np.einsum("nk,nkc->nc", barycentric.reshape(-1, 3)[seen], table[self.triangles[face]])
        shelter = _sheltered(seen, np.ascontiguousarray(values[:, 3]), fine)
        colour = self._lit(self._albedo(values, self.kind[face]), values, self.kind[face]) * shelter[:, None]
        canvas = self._background(fine).reshape(-1, 3)
        canvas[seen] = colour
        small = cv2.resize(canvas.reshape(*fine.size, 3), camera.size[::-1], interpolation=cv2.INTER_AREA)
        return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)

    def _albedo(self, values: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """(n, 3) colours without light."""
        person = self.person
        u, v, lip, lid = values[:, 4:8].T
        colour = _looked_up(self.skin, u, v)
        ear = kind == EARS
        colour[ear] = np.array(person.hair.colour if self.long else person.skin) * (0.97, 0.90, 0.90)
        for share, other in ((np.clip(lip * 2 - 0.6, 0, 1) * 0.85, np.array(person.lips)),
                             (np.clip(lid - 0.2, 0, 1) * 0.5, np.array(person.skin) * 0.35)):  # fmt: skip
            some = np.flatnonzero(share > 0)
            colour[some] += share[some, None] * (other.astype(np.float32) - colour[some])
        colour[kind == MOUTH_CAVITY] = (0.16, 0.05, 0.05)
        colour[kind == TONGUE] = (0.58, 0.28, 0.27)
        colour[(kind == TEETH_UPPER) | (kind == TEETH_LOWER)] = (0.84, 0.81, 0.74)
        for eye, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
            inside = kind == eye
            colour[inside] = _eye(values[inside, 8:10] - (side * EYE_CENTRE[0], EYE_CENTRE[1]), person)
        return colour

    def _lit(self, colour: np.ndarray, values: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Soft key light that wraps round, a fill from the sky, a gloss."""
        lamp = self.person.light
        normal = values[:, :3] / (np.sqrt(np.einsum("nk,nk->n", values[:, :3], values[:, :3]))[:, None] + 1e-9)
        light = (-np.array(lamp.towards) / np.linalg.norm(lamp.towards)).astype(np.float32)
        half = light - np.array([0.0, 0.0, 1.0], np.float32)
        facing, mirrored = normal @ light, np.clip(normal @ (half / np.linalg.norm(half)), 0, 1)
        sky = lamp.fill + 0.08 - 0.08 * normal[:, 1]
        gloss = mirrored**18 * (lamp.gloss * (0.07 + 0.10 * values[:, 6]) + 0.10 * WET[kind])
        out = np.empty_like(colour)
        for k in range(3):
            key = np.clip((facing + WRAP[k]) * np.float32(lamp.colour[k] / (1 + WRAP[k])), 0, None)
            out[:, k] = colour[:, k] * (key + sky) + gloss
        return out

    def _background(self, camera: Camera) -> np.ndarray:
        """Soft patches between two colours, and shoulders. (H, W, 3) float32."""
        height, width = camera.size
        first, second = (np.array(c, np.float32) for c in self.person.background)
        y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
        patches = cv2.resize(self.wall, x.shape[::-1], interpolation=cv2.INTER_CUBIC)[..., None]
        wall = np.clip(first + (0.5 + 0.5 * patches) * (second - first), 0, 1)
        back = np.linalg.inv(camera.matrix[:, :2])
        x, y = x - camera.matrix[0, 2], y - camera.matrix[1, 2]
        x, y = back[0, 0] * x + back[0, 1] * y, back[1, 0] * x + back[1, 1] * y
        shoulders = 9.6 + 0.5 * np.clip(np.abs(x) - 4.5, 0, None) ** 0.8
        _blend(wall, self.person.shirt, np.clip((y - shoulders) * camera.pixels_per_cm / 4 + 0.5, 0, 1))
        if self.long:
            _blend(wall, self.person.hair.colour, self._locks(x, y, camera))
        return cv2.resize(wall, (width, height), interpolation=cv2.INTER_LINEAR)

    def _locks(self, x: np.ndarray, y: np.ndarray, camera: Camera) -> np.ndarray:
        """How far long hair covers the places (cm at the head, level with the picture) behind the head."""
        back = camera.rotation @ (0.0, -2.0, 8.0)
        x, y = np.abs(x - back[0]), y - back[1]
        half = 6.2 + 0.6 * self.person.hair.volume + 0.10 * np.clip(y, 0, None)
        half = half * np.sqrt(np.clip(1 - (np.clip(-y, 0, None) / 9) ** 2, 0, 1))
        return np.clip((half - x) * camera.pixels_per_cm / 4 + 0.5, 0, 1) * np.clip(13 - y, 0, 1)


def _looked_up(skin: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(n, 3) what the sheet shows at columns u and rows v, both (n,)."""
    row = 1024  # cv2 takes no side beyond 32767
    columns, rows = (np.pad(part, (0, -len(part) % row)).reshape(-1, row) for part in (u, v))
    found = cv2.remap(skin, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, 3)[: len(u)]


def _eye(place: np.ndarray, person: SyntheticPerson) -> np.ndarray:
    """(n, 2) cm from the axis of the eyeball -> (n, 3) colours of sclera, iris, limbus and pupil."""
    radius = np.hypot(place[:, 0], place[:, 1])
    rays = 1 + 0.15 * np.sin(23 * np.arctan2(place[:, 1], place[:, 0]))
    colour = np.ones((len(radius), 3), np.float32) * np.array((0.84, 0.81, 0.79), np.float32)
    _blend(colour, np.array(person.iris) * rays[:, None], np.clip((IRIS_RADIUS - radius) / 0.05 + 0.5, 0, 1))
    _blend(colour, (0.07, 0.05, 0.04), 0.6 * np.exp(-(((radius - IRIS_RADIUS) / 0.06) ** 2)))
    _blend(colour, (0.02, 0.02, 0.02), np.clip((PUPIL_RADIUS - radius) / 0.04 + 0.5, 0, 1))
    glint = np.hypot(place[:, 0] + 0.18, place[:, 1] + 0.20)
    _blend(colour, (1.0, 1.0, 1.0), np.clip((0.09 - glint) / 0.04 + 0.5, 0, 1))
    return colour


def _sheltered(seen: np.ndarray, depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(n,) in (0, 1]: darker where the surroundings stand nearer to the camera (mouth, sockets, under the chin)."""
    height, width = camera.size
    near, known = np.zeros(height * width, np.float32), np.zeros(height * width, np.float32)
    near[seen], known[seen] = depth, 1
    near, known = near.reshape(height, width), known.reshape(height, width)
    small = (width // 4, height // 4)
    coarse = [cv2.resize(part, small, interpolation=cv2.INTER_AREA) for part in (near, known)]
    shade = np.ones(len(seen), np.float32)
    for radius, strength, reach in ((0.5, 0.40, 0.6), (1.4, 0.22, 2.0)):
        total, weight = (cv2.GaussianBlur(part, (0, 0), radius * camera.pixels_per_cm / 4) for part in coarse)
        around = cv2.resize(total / np.maximum(weight, 1e-6), (width, height), interpolation=cv2.INTER_LINEAR)
        shade *= 1 - strength * np.clip((depth - around.ravel()[seen]) / reach, 0, 1.6)
    return np.clip(shade, 0.1, 1)


def _blend(colour: np.ndarray, other: object, share: np.ndarray) -> None:
    """colour moves towards other in place, by share in [0, 1]."""
    colour += share[..., None].astype(np.float32) * (np.asarray(other, np.float32) - colour)

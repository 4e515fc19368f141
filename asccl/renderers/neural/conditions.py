"""What NED's renderer paints from: pictures of the bare head as it should move, four of each frame from one raster.

NED's names: NMFC (each point of the face coloured by its place on the mean face), shape (the turned and lit surface
without skin), eyes (lids, eyeballs, irises) and the mask of what the renderer paints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.raster import rasterize, vertex_normals
from asccl.renderers.neural.head_crop import HeadView, WeakPerspectiveView, head_crops, pixels_per_cm
from asccl.types import Motion

CHANNELS = 10  # of a frame: NMFC 3, shape 3, eyes 3, mask 1
EYEBALL_REGIONS = ("eyeball right", "eyeball left")
IRIS = 0.60  # cm
LIT = {"mouth cavity": 0.25, "tongue": 0.6, "teeth upper": 1.0, "teeth lower": 1.0}  # brightness of the shape
SAME = 2.5  # pixels, on the surface at rest, within which two points count as the same
TORN = 1.0  # pixels that neighbours may move apart, likewise
FACING = np.array([[0.5], [0.5], [-0.5]], np.float32)  # of a normal, turned to the camera
PRIOR = 1.0  # cm^2 that a standard deviation of identity costs when a mesh is fitted to landmarks
FOREHEAD = ((0.0, -1.0), (7.5, 7.3))  # centre and radii (x, y) of the ellipse that ends the face above, cm
DEEPEST = 6.2  # cm behind the origin that the face reaches: to the cheekbones before the ears, to the throat
THROAT = 0.35  # cm that it reaches less deep for each cm below the origin
ROUND = 0.5  # cm, likewise, of the corner between forehead and cheek
MARGIN = 1.5  # cm beyond the edge of the face that are still rastered


@dataclass(frozen=True)
class Conditions:
    """Of T frames, float32 in [0, 1], black where no head is. nmfc, shape, eyes: (T, 3, S, S); eyes has lids, white
    and iris as its channels. mask: (T, 1, S, S), 0 or 1, where the renderer paints."""

    nmfc: np.ndarray
    shape: np.ndarray
    eyes: np.ndarray
    mask: np.ndarray

    @classmethod
    def split(cls, channels: np.ndarray) -> Conditions:
        """Of (T, 10, S, S)."""
        return cls(*np.split(channels, (3, 6, 9), axis=1))

    @property
    def channels(self) -> np.ndarray:
        """(T, 10, S, S), in the order in which the renderer's network wants them."""
        return np.concatenate([self.nmfc, self.shape, self.eyes, self.mask], 1)


class Fragments(NamedTuple):
    """The n pixels of a square that show a face. at: (n,) place in the flattened square. share: (n, 3) float32 of the
    three corners (n, 3), numbers of vertices. kind: (n,) region. size: side of the square."""

    pixel: np.ndarray
    barycentric: np.ndarray
    corners: np.ndarray
    region: np.ndarray
    size: int

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Of vertices (V, C) -> (C, n) float32 as the pixels see them."""
        columns = np.ascontiguousarray(values.T, np.float32)
        return sum(self.barycentric[:, k] * columns[:, self.corners[:, k]] for k in range(3))


class FaceSurface:
    """The part of the head that the pictures show: from the forehead to the throat, with eyes and the mouth's inside,
    without ears and lashes. Build once."""

    def __init__(self, head: AnnyHead):
        self.head = head
        region = head.region[head.triangles]
        edge = _inside(head)
        drawn = ~np.isin(region, [head.regions.index(name) for name in ("ears", "lashes")]).any(1)
        self.mouth_regions = [head.regions.index(name) for name in LIT]
        drawn &= np.isin(region, self.mouth_regions).any(1) | (edge[head.triangles].max(1) > -MARGIN)
        self.vertex_index, triangles = np.unique(head.triangles[drawn], return_inverse=True)
        self.triangles = triangles.reshape(-1, 3)
        self.rest = head.vertices[self.vertex_index]
        self.units = self._units(head)
        self._kind = head.region[self.vertex_index][self.triangles].max(1)  # where corners differ, of the innermost
        self._balls = np.isin(head.regions, EYEBALL_REGIONS)  # by region
        self._mouth = np.isin(head.regions, list(LIT))
        self._fixed = self._painted(head, edge)

    def _units(self, head: AnnyHead) -> np.ndarray:
        """(52, 3 V). Gaze moves the eyeballs alone: what it does to the lids of a tracked face, others tell."""
        units = head.vertex_expression[:, self.vertex_index]
        gaze = np.array([name.startswith("eyeLook") for name in head.names])
        ball = np.isin(head.region[self.vertex_index], [head.regions.index(name) for name in EYEBALL_REGIONS])
        return (units * np.where(gaze[:, None], ball, True)[..., None]).reshape(len(head.names), -1)

    def _painted(self, head: AnnyHead, edge: np.ndarray) -> np.ndarray:
        """(V, 9): NMFC, how lit, lid, eyeball, place beside the eye's axis (x, y), how far inside the face."""
        low, high = self.rest.min(0), self.rest.max(0)
        region = head.region[self.vertex_index]
        lit = np.array([LIT.get(name, 0.85) for name in head.regions])[region]
        lid = region == head.regions.index("eyelids")
        balls = [region == head.regions.index(name) for name in EYEBALL_REGIONS]
        place = np.full((len(region), 2), 9.0)
        for ball in balls:
            place[ball] = self.rest[ball, :2] - self.rest[iris_vertices(ball, self.rest), :2].mean(0)
        nmfc = (self.rest - low) / (high - low)
        return np.column_stack([nmfc, lit, lid, balls[0] | balls[1], place, edge[self.vertex_index]]).astype(np.float32)

    def rest_vertices(self, identity: np.ndarray | None) -> np.ndarray:
        """Somebody at rest, (V, 3) cm. identity: coefficients (K,), or landmarks (468, 3) as in `Motion`."""
        if identity is None:
            return self.rest
        basis = self.head.vertex_identity[:, self.vertex_index]
        if identity.ndim == 1:
            return (self.rest + np.tensordot(identity, basis, 1)).astype(np.float32)
        flat = self.head.identity.reshape(len(self.head.identity), -1).astype(np.float64)
        offset = identity.astype(np.float64) - self.head.neutral
        own = np.linalg.solve(flat @ flat.T + PRIOR * np.eye(len(flat)), flat @ offset.ravel())
        left = offset - np.tensordot(own, self.head.identity, 1)  # what the basis does not have: spread smoothly
        spread = RBFInterpolator(self.head.neutral, left, kernel="linear", smoothing=0.5, degree=0)
        return (self.rest + np.tensordot(own, basis, 1) + spread(self.rest)).astype(np.float32)

    def deform(self, rest: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """A person at rest (V, 3) and coefficients (52,) -> (V, 3) cm."""
        return rest + (coefficients.astype(np.float32) @ self.units).reshape(-1, 3)

    def rasterize(self, vertices: np.ndarray, view: HeadView, crop: np.ndarray, size: int) -> Fragments:
        """The raster of a face (V, 3) in the square of `size` pixels that a crop (2, 3) shows of the frame."""
        pixels, depth = view.project(vertices)
        pixels = pixels @ crop[:, :2].T + crop[:, 2]
        a, b, c = pixels[self.triangles].transpose(1, 0, 2)
        front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0
        image, barycentric = rasterize(pixels, depth, self.triangles[front], (size, size))
        at = np.flatnonzero(image.ravel() >= 0)
        triangle = np.flatnonzero(front)[image.ravel()[at]]
        return Fragments(at, barycentric.reshape(-1, 3)[at], self.triangles[triangle], self._kind[triangle], size)

    def condition_channels(self, vertices: np.ndarray, seen: Fragments, view: HeadView, crop: np.ndarray) -> np.ndarray:
        """(10, S, S) float32, all that `Conditions` has of one frame."""
        turn = np.eye(3)
        turn[:2, :2] = crop[:, :2] / np.sqrt(abs(np.linalg.det(crop[:, :2])))
        normals = vertex_normals(vertices @ (turn @ view.rotation).T, self.triangles)
        values = seen.interpolate(np.column_stack([normals, self._fixed]))
        out = np.zeros((CHANNELS, seen.size * seen.size), np.float32)
        out[:, seen.pixel] = self._coloured(values, seen.region, 1 / pixels_per_cm(view, crop))
        return out.reshape(CHANNELS, seen.size, seen.size)

    def visibility_mask(self, now: Fragments, before: Fragments, moved: np.ndarray) -> np.ndarray:
        """(S, S) bool: where `before` showed the same point of the surface as `now` does, `moved` (S, S, 2) float32
        pixels of the square away."""
        maps = []
        for seen in (now, before):
            places = np.full((seen.size * seen.size, 3), np.nan, np.float32)
            places[seen.pixel] = seen.interpolate(self.rest).T
            maps.append(places.reshape(seen.size, seen.size, 3))
        y, x = np.mgrid[: now.size, : now.size].astype(np.float32)
        x, y = x - moved[..., 0], y - moved[..., 1]
        was = cv2.remap(maps[1], x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        pixel = self.rest[:, 1].ptp() / now.size  # about, cm; nan compares false
        around = np.ones((3, 3), np.uint8)
        torn = cv2.dilate(moved, around) - cv2.erode(moved, around) > TORN  # a lid passes over its eyeball
        same = (((maps[0] - was) ** 2).sum(-1) < (SAME * pixel) ** 2) & ~torn.any(-1)
        return cv2.morphologyEx(same.astype(np.uint8), cv2.MORPH_CLOSE, around) > 0  # specks are the raster's

    def _coloured(self, values: np.ndarray, kind: np.ndarray, pixel: float) -> np.ndarray:
        """(12, n) as interpolated -> (10, n) channels. kind: (n,) regions. pixel: its side in cm."""
        normal, nmfc, (lit, lid, ball, x, y, edge) = values[:3], values[3:6], values[6:]
        eye = self._balls[kind] & (ball > 0.99)
        mask = (edge > 0) | eye | self._mouth[kind]
        iris = np.clip((IRIS - np.hypot(x, y)) / max(pixel, 0.05) + 0.5, 0, 1) * eye
        normal *= FACING / np.maximum(np.sqrt(np.einsum("cn,cn->n", normal, normal)), 1e-6)
        shape = (0.5 + normal) * lit
        out = np.concatenate([nmfc, shape, [lid * ~eye, eye - iris, iris, mask]]) * mask
        return np.clip(out, 0, 1).astype(np.float32, copy=False)


def iris_vertices(ball: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Numbers of the foremost vertices of an eyeball. ball: (V,) bool. rest: (V, 3)."""
    own = np.flatnonzero(ball)
    return own[np.argsort(rest[own, 2], kind="stable")[:8]]


def _inside(head: AnnyHead) -> np.ndarray:
    """(V,) cm, about: how far inside the edge of the face each vertex lies."""
    x, y, z = head.vertices.T
    (cx, cy), (rx, ry) = FOREHEAD
    above = (1 - np.hypot((x - cx) / rx, np.minimum(y - cy, 0) / ry)) * ry
    behind = DEEPEST - THROAT * np.maximum(y, 0) - z
    return -ROUND * np.logaddexp(-above / ROUND, -behind / ROUND)


@dataclass(frozen=True)
class Scene:
    """A person before the camera in T frames, whatever the face does. rest: (V, 3) cm. crops: (T, 2, 3) frame ->
    square of `size` pixels."""

    surface: FaceSurface
    rest: np.ndarray
    views: Sequence[HeadView]
    crops: np.ndarray
    size: int

    @classmethod
    def tracked(cls, surface: FaceSurface, motion: Motion, size: int) -> Scene:
        """A tracked and fitted face."""
        views = [
            WeakPerspectiveView(float(s), r, t)
            for s, r, t in zip(motion.scale, motion.rotation, motion.translation, strict=True)
        ]
        return cls(surface, surface.rest_vertices(motion.identity), views, head_crops(views, size, motion.shot), size)

    @classmethod
    def synthetic(
        cls, surface: FaceSurface, identity: np.ndarray | None, views: Sequence[HeadView], size: int,
        shot: np.ndarray | None = None,
    ) -> Scene:  # fmt: skip
        """A synthetic head. identity: coefficients (K,). views: a `data.camera.Camera` for each frame."""
        return cls(surface, surface.rest_vertices(identity), views, head_crops(views, size, shot), size)

    def conditions(self, coefficients: np.ndarray, first: int = 0) -> Conditions:
        """(n, 52) of the frames from `first` on -> their conditions; the same bits in chunks as at once."""
        frames = [self.frame_channels(w, first + i) for i, w in enumerate(coefficients)]
        return Conditions.split(
            np.stack(frames) if frames else np.zeros((0, CHANNELS, self.size, self.size), np.float32)
        )

    def frame_channels(self, coefficients: np.ndarray, t: int) -> np.ndarray:
        """(52,) -> (10, S, S) of frame t."""
        vertices = self.surface.deform(self.rest, coefficients)
        view, crop = self.views[t], self.crops[t]
        return self.surface.condition_channels(
            vertices, self.surface.rasterize(vertices, view, crop, self.size), view, crop
        )

"""The surface of the face that NED's renderer draws, with its raster and the condition images of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.raster import rasterize, vertex_normals
from asccl.morphable.regions import IRIS_RADIUS
from asccl.renderers.neural.head_crop import HeadView, pixels_per_cm

NUM_CHANNELS = 10  # of a frame: NMFC 3, shape 3, eyes 3, mask 1
EYEBALL_REGIONS = ("eyeball right", "eyeball left")
HIDDEN_REGIONS = ("ears", "lashes")
MOUTH_BRIGHTNESS = {"mouth cavity": 0.25, "tongue": 0.6, "teeth upper": 1.0, "teeth lower": 1.0}  # of the shape image
SURFACE_BRIGHTNESS = 0.85  # of all other regions
NORMAL_SCALE = np.array([[0.5], [0.5], [-0.5]], np.float32)  # from a normal to colours around 0.5; z to the camera
MAX_POINT_DISTANCE = 2.5  # pixels on the surface at rest: two closer points count as the same
MAX_DISPLACEMENT_STEP = 1.0  # pixels: neighbours whose displacements differ more belong to different surfaces
IDENTITY_PRIOR = 1.0  # cm^2 per squared standard deviation of identity, when a mesh is fitted to landmarks
FOREHEAD_CENTRE, FOREHEAD_RADII = (0.0, -1.0), (7.5, 7.3)  # ellipse (x, y) that ends the face at the top, cm
MAX_DEPTH = 6.2  # cm behind the origin to which the face extends: the cheekbones in front of the ears
THROAT_SLOPE = 0.35  # cm by which that depth shrinks for each cm below the origin
CORNER_RADIUS = 0.5  # cm: rounds the corner between forehead and cheek
RASTER_MARGIN = 1.5  # cm beyond the edge of the face that are still rasterized
OUTSIDE_EYE = 9.0  # cm: position beside the axis of an eye, for vertices that belong to none


class Fragments(NamedTuple):
    """The n pixels of a square image that show a face.

    Attributes:
        pixel: (n,) index in the flattened square.
        barycentric: (n, 3) float32 coordinates in the triangle.
        corners: (n, 3) vertices of the triangle.
        region: (n,) region of the triangle.
        size: side of the square, pixels.
    """

    pixel: np.ndarray
    barycentric: np.ndarray
    corners: np.ndarray
    region: np.ndarray
    size: int

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Interpolate vertex values (V, C) at the pixels: (C, n) float32."""
        columns = np.ascontiguousarray(values.T, np.float32)
        return sum(self.barycentric[:, k] * columns[:, self.corners[:, k]] for k in range(3))


class FaceSurface:
    """The part of the head that the condition images show. Build once.

    It extends from the forehead to the throat, with eyes and the inside of the mouth, without ears and lashes.

    Attributes:
        head: the full head.
        vertex_index: (V,) vertices of the head that belong to the surface.
        triangles: (F, 3) over these.
        rest: (V, 3) cm, average and neutral.
        units: (52, 3 V) cm, expression basis; gaze moves the eyeballs alone.
        mouth_regions: regions inside the mouth.
    """

    def __init__(self, head: AnnyHead):
        self.head = head
        corner_regions = head.region[head.triangles]
        depth_inside = _depth_inside_face(head)
        self.mouth_regions = _region_indices(head, MOUTH_BRIGHTNESS)
        used = ~np.isin(corner_regions, _region_indices(head, HIDDEN_REGIONS)).any(1)
        in_mouth = np.isin(corner_regions, self.mouth_regions).any(1)
        used &= in_mouth | (depth_inside[head.triangles].max(1) > -RASTER_MARGIN)
        self.vertex_index, triangles = np.unique(head.triangles[used], return_inverse=True)
        self.triangles = triangles.reshape(-1, 3)
        self.rest = head.vertices[self.vertex_index]
        self.units = self._expression_basis()
        region = head.region[self.vertex_index]
        self._triangle_region = region[self.triangles].max(1)  # where corners differ, the innermost
        self._is_eyeball = np.isin(head.regions, EYEBALL_REGIONS)  # by region
        self._is_mouth = np.isin(head.regions, list(MOUTH_BRIGHTNESS))
        self._vertex_values = self._static_values(depth_inside[self.vertex_index])

    def _expression_basis(self) -> np.ndarray:
        """(52, 3 V). Gaze moves the eyeballs alone: its effect on the lids is part of the fitted lid units."""
        head = self.head
        units = head.vertex_expression[:, self.vertex_index]
        gaze = np.array([name.startswith("eyeLook") for name in head.names])
        eyeball = np.isin(head.region[self.vertex_index], _region_indices(head, EYEBALL_REGIONS))
        return (units * np.where(gaze[:, None], eyeball, True)[..., None]).reshape(len(head.names), -1)

    def _static_values(self, depth_inside: np.ndarray) -> np.ndarray:
        """(V, 9): NMFC (3), brightness, lid, eyeball, position beside the eye's axis (x, y), depth inside the face."""
        head, region = self.head, self.head.region[self.vertex_index]
        low, high = self.rest.min(0), self.rest.max(0)
        nmfc = (self.rest - low) / (high - low)
        brightness = np.array([MOUTH_BRIGHTNESS.get(name, SURFACE_BRIGHTNESS) for name in head.regions])[region]
        lid = region == head.regions.index("eyelids")
        eyeballs = [region == index for index in _region_indices(head, EYEBALL_REGIONS)]
        position = np.full((len(region), 2), OUTSIDE_EYE)
        for eyeball in eyeballs:
            position[eyeball] = self.rest[eyeball, :2] - self.rest[iris_vertices(eyeball, self.rest), :2].mean(0)
        columns = [nmfc, brightness, lid, eyeballs[0] | eyeballs[1], position, depth_inside]
        return np.column_stack(columns).astype(np.float32)

    def rest_vertices(self, identity: np.ndarray | None) -> np.ndarray:
        """Compute the surface of a person at rest.

        Args:
            identity: coefficients (K,); or neutral landmarks (468, 3) cm, as in `Motion`: the identity basis is fitted
                to them by ridge regression, and the remainder interpolated over the surface. None is the average.

        Returns:
            (V, 3) float32 cm.
        """
        if identity is None:
            return self.rest
        basis = self.head.vertex_identity[:, self.vertex_index]
        if identity.ndim == 1:
            return (self.rest + np.tensordot(identity, basis, 1)).astype(np.float32)
        flat = self.head.identity.reshape(len(self.head.identity), -1).astype(np.float64)
        offset = identity.astype(np.float64) - self.head.neutral
        coefficients = np.linalg.solve(flat @ flat.T + IDENTITY_PRIOR * np.eye(len(flat)), flat @ offset.ravel())
        remainder = offset - np.tensordot(coefficients, self.head.identity, 1)
        interpolator = RBFInterpolator(self.head.neutral, remainder, kernel="linear", smoothing=0.5, degree=0)
        return (self.rest + np.tensordot(coefficients, basis, 1) + interpolator(self.rest)).astype(np.float32)

    def deform(self, rest: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """Apply an expression: a person at rest (V, 3) and coefficients (52,) -> (V, 3) cm."""
        return rest + (coefficients.astype(np.float32) @ self.units).reshape(-1, 3)

    def rasterize(self, vertices: np.ndarray, view: HeadView, crop_matrix: np.ndarray, size: int) -> Fragments:
        """Rasterize the front faces of a surface.

        Args:
            vertices: (V, 3) cm.
            view: the camera.
            crop_matrix: similarity from the frame to the square, (2, 3).
            size: side of the square, pixels.
        """
        pixels, depth = view.project(vertices)
        pixels = pixels @ crop_matrix[:, :2].T + crop_matrix[:, 2]
        a, b, c = pixels[self.triangles].transpose(1, 0, 2)
        front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) < 0
        index, barycentric = rasterize(pixels, depth, self.triangles[front], (size, size))
        pixel = np.flatnonzero(index.ravel() >= 0)
        triangle = np.flatnonzero(front)[index.ravel()[pixel]]
        region = self._triangle_region[triangle]
        return Fragments(pixel, barycentric.reshape(-1, 3)[pixel], self.triangles[triangle], region, size)

    def condition_channels(
        self, vertices: np.ndarray, fragments: Fragments, view: HeadView, crop_matrix: np.ndarray
    ) -> np.ndarray:
        """Compute the condition images of one frame.

        Args:
            vertices: (V, 3) cm.
            fragments: their raster.
            view: the camera.
            crop_matrix: similarity from the frame to the square, (2, 3).

        Returns:
            (10, S, S) float32, the channels of `Conditions`.
        """
        rotation = np.eye(3)
        rotation[:2, :2] = crop_matrix[:, :2] / np.sqrt(abs(np.linalg.det(crop_matrix[:, :2])))
        normals = vertex_normals(vertices @ (rotation @ view.rotation).T, self.triangles)
        values = fragments.interpolate(np.column_stack([normals, self._vertex_values]))
        size = fragments.size
        out = np.zeros((NUM_CHANNELS, size * size), np.float32)
        out[:, fragments.pixel] = self._fragment_channels(
            values, fragments.region, 1 / pixels_per_cm(view, crop_matrix)
        )
        return out.reshape(NUM_CHANNELS, size, size)

    def _fragment_channels(self, values: np.ndarray, region: np.ndarray, pixel_size: float) -> np.ndarray:
        """Interpolated values (12, n) and regions (n,) -> (10, n) channels. pixel_size: cm."""
        normal, nmfc, (brightness, lid, eyeball, x, y, depth_inside) = values[:3], values[3:6], values[6:]
        eye = self._is_eyeball[region] & (eyeball > 0.99)
        mask = (depth_inside > 0) | eye | self._is_mouth[region]
        iris = np.clip((IRIS_RADIUS - np.hypot(x, y)) / max(pixel_size, 0.05) + 0.5, 0, 1) * eye
        normal *= NORMAL_SCALE / np.maximum(np.sqrt(np.einsum("cn,cn->n", normal, normal)), 1e-6)
        shape = (0.5 + normal) * brightness
        out = np.concatenate([nmfc, shape, [lid * ~eye, eye - iris, iris, mask]]) * mask
        return np.clip(out, 0, 1).astype(np.float32, copy=False)

    def visibility_mask(self, edited: Fragments, source: Fragments, displacement: np.ndarray) -> np.ndarray:
        """Find the pixels whose point of the surface is also visible in the source.

        Args:
            edited: raster of the edit.
            source: raster of the source.
            displacement: of each pixel from the source to the edit, (S, S, 2) float32 pixels of the square.

        Returns:
            (S, S) bool.
        """
        edited_points, source_points = self._surface_points(edited), self._surface_points(source)
        y, x = np.mgrid[: edited.size, : edited.size].astype(np.float32)
        x, y = x - displacement[..., 0], y - displacement[..., 1]
        source_points = cv2.remap(source_points, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        pixel_size = np.ptp(self.rest[:, 1]) / edited.size  # approximate, cm
        neighbours = np.ones((3, 3), np.uint8)
        torn = (
            cv2.dilate(displacement, neighbours) - cv2.erode(displacement, neighbours) > MAX_DISPLACEMENT_STEP
        )  # lid over eyeball
        distance = ((edited_points - source_points) ** 2).sum(-1)  # squared; nan compares false
        same = (distance < (MAX_POINT_DISTANCE * pixel_size) ** 2) & ~torn.any(-1)
        return cv2.morphologyEx(same.astype(np.uint8), cv2.MORPH_CLOSE, neighbours) > 0  # fills gaps of the raster

    def _surface_points(self, fragments: Fragments) -> np.ndarray:
        """(S, S, 3) position on the surface at rest that each pixel shows, cm; NaN for none."""
        points = np.full((fragments.size * fragments.size, 3), np.nan, np.float32)
        points[fragments.pixel] = fragments.interpolate(self.rest).T
        return points.reshape(fragments.size, fragments.size, 3)


def iris_vertices(eyeball: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Find the foremost vertices of an eyeball, which carry the iris. eyeball: (V,) bool. rest: (V, 3). -> (8,)."""
    index = np.flatnonzero(eyeball)
    return index[np.argsort(rest[index, 2], kind="stable")[:8]]


def _region_indices(head: AnnyHead, names: Sequence[str] | dict[str, float]) -> list[int]:
    return [head.regions.index(name) for name in names]


def _depth_inside_face(head: AnnyHead) -> np.ndarray:
    """(V,) approximate distance in cm from the edge of the face, positive inside."""
    x, y, z = head.vertices.T
    (cx, cy), (rx, ry) = FOREHEAD_CENTRE, FOREHEAD_RADII
    below_forehead = (1 - np.hypot((x - cx) / rx, np.minimum(y - cy, 0) / ry)) * ry
    before_ears = MAX_DEPTH - THROAT_SLOPE * np.maximum(y, 0) - z
    # a smooth minimum of both
    return -CORNER_RADIUS * np.logaddexp(-below_forehead / CORNER_RADIUS, -before_ears / CORNER_RADIUS)

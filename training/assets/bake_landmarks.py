"""Place FaceMesh's 468 landmarks on the head: render it, detect the landmarks, find their triangles and barycentrics.

Lip landmarks come from open-mouth views, because a closed mouth hides the inner lips: they lie on the rim that is
visible when the mouth opens, and move with it. At rest each upper landmark meets the lower one under it half way, so
that a closed mouth has no gap. Everything is made symmetric.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import mediapipe as mp
import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

from asccl.face import mesh
from asccl.morphable.raster import rasterize, vertex_normals
from training.assets.bake_source import REGIONS, AnnySource
from training.assets.portrait import PortraitAppearance, PortraitCamera, shade

# (yaw, pitch, jawOpen, weight) of views of the average head; they add the sides to the frontal views of random heads
VIEWS = tuple((yaw, pitch, jaw, 0.15) for jaw in (0.0, 0.35) for yaw in (-20, 20) for pitch in (0, 12))
FRONTAL_VIEWS = ((0, 0, 0.0, 1.0), (0, 0, 0.35, 1.0))
RANDOM_HEADS = 24  # rendered besides the average head
SURFACE_REGIONS = tuple(REGIONS.index(name) for name in ("skin", "lips", "eyelids", "ears"))
IMAGE_SIZE = 768
BARYCENTRIC_STEP = 1 / 1024  # barycentrics are rounded to this: exact in half precision, and the same on every run
# weights of the detected landmarks, (x, y) and z, against the places on the mesh in the neutral landmarks
DETECTED_WEIGHT, DETECTED_DEPTH_WEIGHT = 0.5, 0.3


@dataclass(frozen=True)
class LandmarkPlacement:
    """The landmarks on the mesh of the head.

    Attributes:
        triangle: (468,) index of the triangle.
        barycentric: (468, 3) place in the triangle.
        mirror: (468,) landmark on the other side of the face.
        detected: (468, 3) cm, mean detected landmarks of neutral heads seen from the front; z by FaceMesh's estimate.
        frontality: (468, 1) in [0, 1], how much the skin there faces the camera; a silhouette has no depth in an image.
    """

    triangle: np.ndarray
    barycentric: np.ndarray
    mirror: np.ndarray
    detected: np.ndarray
    frontality: np.ndarray

    def interpolate(self, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        """Interpolate values of vertices at the landmarks: (..., V, 3) -> (..., 468, 3)."""
        return np.einsum("nk,...nkc->...nc", self.barycentric, vertices[..., triangles[self.triangle], :])


def detect(images: Iterable[np.ndarray]) -> list[np.ndarray | None]:
    """Detect landmarks on unrelated RGB images: (468, 3) pixels each, None where FaceMesh detects no face."""
    landmarks: list[np.ndarray | None] = []
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as net:
        for image in images:
            faces = net.process(image).multi_face_landmarks
            size = np.array([image.shape[1], image.shape[0], image.shape[1]])
            points = [(p.x, p.y, p.z) for p in faces[0].landmark[: mesh.NUM_FACE_LANDMARKS]] if faces else None
            landmarks.append(np.array(points) * size - 0.5 if points else None)
    return landmarks


def place_landmarks(source: AnnySource, heads: np.ndarray) -> LandmarkPlacement:
    """Place the landmarks on the average head.

    Args:
        source: the average head and its units.
        heads: (N, V, 3) random heads, aligned to the average one.

    Raises:
        RuntimeError: FaceMesh detects too few of the rendered heads.
    """
    jaw_open = source.expression[source.names.index("jawOpen")]
    renders = [(source.vertices, *view) for view in FRONTAL_VIEWS + VIEWS]
    renders += [(head, *view) for head in heads[:RANDOM_HEADS] for view in FRONTAL_VIEWS]
    posed = [
        (PortraitCamera.facing(yaw, pitch, IMAGE_SIZE), head + jaw * jaw_open) for head, yaw, pitch, jaw, _ in renders
    ]
    detections = detect(
        shade(vertices, source.vertices, source.triangles, source.region, camera, PortraitAppearance(), 1)
        for camera, vertices in posed
    )
    if sum(points is None for points in detections) > len(detections) // 4:
        raise RuntimeError("FaceMesh does not detect the rendered head; check the images of training.assets.portrait")
    near_mouth = np.isin(np.arange(mesh.NUM_FACE_LANDMARKS), list(_landmarks_near_mouth()))
    surface_points, weights, frontal_points, frontal_facing = [], [], [], []
    for (camera, vertices), (_, yaw, _, jaw, weight), points in zip(posed, renders, detections, strict=True):
        if points is None:
            continue
        on_surface, facing = _surface_points(source, camera, vertices, points[:, :2])
        surface_points.append(on_surface)
        weights.append(weight * facing**2 * ((jaw > 0) | ~near_mouth))
        if yaw == 0 and jaw == 0:
            frontal_points.append((points - [(IMAGE_SIZE - 1) / 2, (IMAGE_SIZE - 1) / 2, 0]) / camera.scale)
            frontal_facing.append(facing)
    flat = np.median(frontal_points, 0)
    mirror = mirror_landmarks(flat)
    on_mesh, flat = (
        (x + x[mirror] * [-1, 1, 1]) / 2 for x in (_geometric_median(np.array(surface_points), np.array(weights)), flat)
    )
    frontality = np.clip(1.5 * np.median(frontal_facing, 0) - 0.3, 0, 1)
    frontality = (frontality + frontality[mirror])[:, None] / 2
    detected = _undo_perspective(flat, on_mesh, frontality)
    triangle, barycentric = _snap_to_mesh(source, frontality * on_mesh + (1 - frontality) * detected)
    return LandmarkPlacement(triangle, barycentric, mirror, detected, frontality)


def _undo_perspective(flat: np.ndarray, on_mesh: np.ndarray, frontality: np.ndarray) -> np.ndarray:
    """Undo the perspective of landmarks detected from the front (468, 3) and move their depth to that of the mesh."""
    z = flat[:, 2:] + np.average(on_mesh[:, 2] - flat[:, 2], weights=frontality[:, 0])
    depth = frontality * on_mesh[:, 2:] + (1 - frontality) * z
    return np.concatenate([flat[:, :2] * (depth + PortraitCamera.distance) / PortraitCamera.distance, z], 1)


def _landmarks_near_mouth() -> set[int]:
    """Return the lips and two rings of landmarks around them."""
    edges = mp.solutions.face_mesh.FACEMESH_TESSELATION
    near = set(mesh.LIPS)
    for _ in range(2):
        near |= {b for a, b in edges if a in near}
    return near


def _surface_points(
    source: AnnySource, camera: PortraitCamera, vertices: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the surface point of the average head under each landmark (468, 2), or at the nearest skin pixel.

    Returns (468, 3) points and (468,) how much the skin there faces the camera: 1 straight, near 0 at the silhouette.
    """
    pixels, depth = camera.project(vertices)
    image, barycentric = rasterize(pixels, depth, source.triangles, (IMAGE_SIZE, IMAGE_SIZE))
    skin = (image >= 0) & np.isin(source.region[source.triangles[image]], SURFACE_REGIONS).all(-1)
    rows, columns = distance_transform_edt(~skin, return_distances=False, return_indices=True)
    x, y = np.clip(np.rint(points), 0, IMAGE_SIZE - 1).astype(int).T
    y, x = rows[y, x], columns[y, x]
    corners, weights = source.triangles[image[y, x]], barycentric[y, x]
    normal = vertex_normals(vertices @ camera.rotation.T, source.triangles)
    facing = np.einsum("nk,nk->n", weights, -normal[corners, 2])
    return np.einsum("nk,nkc->nc", weights, source.vertices[corners]), np.clip(facing, 0.02, 1)


def _geometric_median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted geometric medians, robust against failed views: (T, 468, 3) and (T, 468) -> (468, 3)."""
    inverse = np.ones_like(weights)
    for _ in range(20):
        share = weights * inverse
        centre = np.einsum("tn,tnc->nc", share / share.sum(0), points)
        inverse = 1 / (np.linalg.norm(points - centre, axis=-1) + 0.05)
    return centre


def mirror_landmarks(neutral: np.ndarray) -> np.ndarray:
    """Find the landmark on the other side of each: (468, 3) -> (468,). Raises RuntimeError unless partners agree."""
    gap = np.linalg.norm(neutral[:, None] * [-1, 1, 1] - neutral, axis=-1)
    partner = linear_sum_assignment((gap + gap.T) ** 2)[1]
    if (partner[partner] != np.arange(len(partner))).any():
        raise RuntimeError("the landmarks are not symmetric enough to pair them")
    return partner


def _snap_to_mesh(source: AnnySource, neutral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest triangle and barycentrics of each landmark; inner lips stay on their side of the mouth."""
    usable = np.isin(source.region[source.triangles], SURFACE_REGIONS).all(1)
    drop = source.expression[source.names.index("jawOpen"), :, 1][source.triangles].mean(1)
    lower = drop > 0.4 * drop[usable].max()
    sides = dict.fromkeys(mesh.UPPER_INNER_LIP, usable & ~lower) | dict.fromkeys(mesh.LOWER_INNER_LIP, usable & lower)
    places = [
        nearest_triangle(point, source.vertices, source.triangles, np.flatnonzero(sides.get(i, usable)))
        for i, point in enumerate(neutral)
    ]
    barycentric = np.rint(np.array([weights for _, weights in places]) / BARYCENTRIC_STEP) * BARYCENTRIC_STEP
    barycentric[:, 2] = 1 - barycentric[:, 0] - barycentric[:, 1]
    return np.array([triangle for triangle, _ in places]), barycentric


def nearest_triangle(
    point: np.ndarray, vertices: np.ndarray, triangles: np.ndarray, allowed: np.ndarray
) -> tuple[int, np.ndarray]:
    """Find the triangle nearest to a point.

    Args:
        point: (3,).
        vertices: (V, 3).
        triangles: (F, 3).
        allowed: indices of the triangles to choose from.

    Returns:
        The index of the triangle, and the barycentrics (3,) of the nearest place in it.
    """
    corners = vertices[triangles[allowed]]
    close = np.argsort(np.linalg.norm(corners.mean(1) - point, axis=1), kind="stable")[:40]
    a, b, c = corners[close].transpose(1, 0, 2)
    candidates = [_project_on_plane(point, a, b, c)]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        p, q = corners[close][:, i], corners[close][:, j]
        t = np.clip(((point - p) * (q - p)).sum(1) / np.maximum(((q - p) ** 2).sum(1), 1e-12), 0, 1)
        weights = np.zeros((len(close), 3))
        weights[:, i], weights[:, j] = 1 - t, t
        candidates.append(weights)
    weights = np.concatenate(candidates)
    places = np.einsum("nk,nkc->nc", weights, np.tile(corners[close], (4, 1, 1)))
    distance = np.where((weights >= 0).all(1), np.linalg.norm(places - point, axis=1), np.inf)
    best = int(distance.argmin())
    return allowed[close[best % len(close)]], weights[best]


def _project_on_plane(point: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the barycentrics (n, 3) of the perpendicular's foot on each triangle; negative where it lies outside."""
    u, v, w = b - a, c - a, point - a
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    wu, wv = (w * u).sum(1), (w * v).sum(1)
    scale = np.maximum(uu * vv - uv * uv, 1e-15)
    s, t = (vv * wu - uv * wv) / scale, (uu * wv - uv * wu) / scale
    return np.stack([1 - s - t, s, t], -1)


def landmark_mesh(neutral: np.ndarray) -> np.ndarray:
    """Build the mesh between the landmarks: (n, 3) int32.

    Its triangles are the 3-cliques of FaceMesh's edges, oriented like those of the head; eyes and mouth stay open.
    """
    neighbours: dict[int, set[int]] = {}
    for a, b in mp.solutions.face_mesh.FACEMESH_TESSELATION:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    cliques = sorted(
        {tuple(sorted((a, b, c))) for a in neighbours for b in neighbours[a] for c in neighbours[a] & neighbours[b]}
    )
    holes = [set(loop) for loop in (mesh.RIGHT_EYE, mesh.LEFT_EYE, mesh.INNER_LIPS)]
    faces = np.array([clique for clique in cliques if not any(set(clique) <= hole for hole in holes)], np.int32)
    a, b, c = neutral[faces].transpose(1, 0, 2)
    outward = np.cross(b - a, c - a)[:, 2] < 0
    return np.where(outward[:, None], faces, faces[:, [0, 2, 1]])


def neutral_landmarks(source: AnnySource, placement: LandmarkPlacement) -> np.ndarray:
    """Average the places on the mesh and the detected landmarks: (468, 3), symmetric, with closed lips."""
    on_mesh = placement.interpolate(source.vertices, source.triangles)
    weights = [DETECTED_WEIGHT, DETECTED_WEIGHT, DETECTED_DEPTH_WEIGHT]
    neutral = on_mesh + placement.frontality * weights * (placement.detected - on_mesh)
    lips = list(mesh.LIPS)
    neutral[lips, :2] = on_mesh[lips, :2]  # lips are painted on the mesh, so FaceMesh detects them where they are
    neutral = (neutral + neutral[placement.mirror] * [-1, 1, 1]) / 2
    return close_lips(neutral)


def close_lips(points: np.ndarray) -> np.ndarray:
    """Move each inner upper lip landmark and the lower one under it to their middle: (..., 468, 3)."""
    closed = points.copy()
    upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    closed[..., upper, :] = closed[..., lower, :] = (points[..., upper, :] + points[..., lower, :]) / 2
    return closed

"""Where FaceMesh's 468 points lie on the head: render it, let FaceMesh find it, read off triangle and place in it.

Lips come from open-mouth views, for a closed mouth hides the inner lips: there they sit on the rim that shows when the
mouth opens and moves with it. At rest each upper point and the lower one under it meet half way, so that a closed mouth
has no gap. Everything is made symmetric.
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
from training.assets.bake_source import REGIONS, Source
from training.assets.portrait import PortraitAppearance, PortraitCamera, shade

# of the average head: yaw, pitch, jawOpen, weight. Frontal views of drawn heads decide; these steady the sides.
VIEWS = tuple((yaw, pitch, jaw, 0.15) for jaw in (0.0, 0.35) for yaw in (-20, 20) for pitch in (0, 12))
FRONTAL = ((0, 0, 0.0, 1.0), (0, 0, 0.35, 1.0))
DRAWN = 24  # heads looked at besides the average one
SURFACE = tuple(REGIONS.index(name) for name in ("skin", "lips", "eyelids", "ears"))
SIZE = 768
ROUND = 1 / 1024  # barycentrics are rounded to this: exact in half precision, and the same on every run
SEEN, SEEN_DEPTH = 0.5, 0.3  # how far `neutral` goes from the places on the mesh to where FaceMesh sees them


@dataclass(frozen=True)
class Places:
    """triangle: (468,) int. barycentric: (468, 3). mirror: (468,) the point on the other side of the face.
    seen: (468, 3) cm, where FaceMesh on average sees the points of neutral heads from the front, z by its reckoning.
    front: (468, 1) in [0, 1], how far the skin there faces the camera; at the silhouette a picture tells no depth."""

    triangle: np.ndarray
    barycentric: np.ndarray
    mirror: np.ndarray
    seen: np.ndarray
    front: np.ndarray

    def of(self, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        """(..., V, 3) -> (..., 468, 3)"""
        return np.einsum("nk,...nkc->...nc", self.barycentric, vertices[..., triangles[self.triangle], :])


def detect(images: Iterable[np.ndarray]) -> list[np.ndarray | None]:
    """FaceMesh on unrelated RGB images -> (468, 3) pixels each, None where it finds no face."""
    found: list[np.ndarray | None] = []
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as net:
        for image in images:
            faces = net.process(image).multi_face_landmarks
            size = np.array([image.shape[1], image.shape[0], image.shape[1]])
            points = [(p.x, p.y, p.z) for p in faces[0].landmark[: mesh.NUM_FACE_LANDMARKS]] if faces else None
            found.append(np.array(points) * size - 0.5 if points else None)
    return found


def place(source: Source, heads: np.ndarray) -> Places:
    """heads: (N, V, 3) drawn heads, aligned to the average one. Raises RuntimeError where FaceMesh misses too many."""
    jaw_open = source.expression[source.names.index("jawOpen")]
    shots = [(source.vertices, *view) for view in FRONTAL + VIEWS]
    shots += [(head, *view) for head in heads[:DRAWN] for view in FRONTAL]
    posed = [(PortraitCamera.facing(yaw, pitch, SIZE), head + jaw * jaw_open) for head, yaw, pitch, jaw, _ in shots]
    found = detect(
        shade(vertices, source.vertices, source.triangles, source.region, view, PortraitAppearance(), 1)
        for view, vertices in posed
    )
    if sum(points is None for points in found) > len(found) // 4:
        raise RuntimeError("FaceMesh does not find the rendered head; look at the images of training.assets.portrait")
    near_mouth = np.isin(np.arange(mesh.NUM_FACE_LANDMARKS), list(_near_mouth()))
    hits, weights, seen, straight = [], [], [], []
    for (view, vertices), (_, yaw, _, jaw, weight), points in zip(posed, shots, found, strict=True):
        if points is None:
            continue
        place, facing = _surface(source, view, vertices, points[:, :2])
        hits.append(place)
        weights.append(weight * facing**2 * ((jaw > 0) | ~near_mouth))
        if yaw == 0 and jaw == 0:
            seen.append((points - [(SIZE - 1) / 2, (SIZE - 1) / 2, 0]) / view.scale)
            straight.append(facing)
    flat = np.median(seen, 0)
    mirror = mirror_of(flat)
    flip = np.array([-1, 1, 1])
    neutral, flat = ((x + x[mirror] * flip) / 2 for x in (_centre(np.array(hits), np.array(weights)), flat))
    front = np.clip(1.5 * np.median(straight, 0) - 0.3, 0, 1)
    front = (front + front[mirror])[:, None] / 2
    where = _lifted(flat, neutral, front)
    triangle, barycentric = _snap(source, front * neutral + (1 - front) * where)
    return Places(triangle, barycentric, mirror, where, front)


def _lifted(flat: np.ndarray, surface: np.ndarray, front: np.ndarray) -> np.ndarray:
    """What FaceMesh sees from the front (468, 3), perspective undone, its depth's origin as the surface's."""
    z = flat[:, 2:] + np.average(surface[:, 2] - flat[:, 2], weights=front[:, 0])
    depth = front * surface[:, 2:] + (1 - front) * z
    return np.concatenate([flat[:, :2] * (depth + PortraitCamera.distance) / PortraitCamera.distance, z], 1)


def _near_mouth() -> set[int]:
    """The lips and two rings around them."""
    edges = mp.solutions.face_mesh.FACEMESH_TESSELATION
    near = set(mesh.LIPS)
    for _ in range(2):
        near |= {b for a, b in edges if a in near}
    return near


def _surface(source: Source, view: PortraitCamera, vertices: np.ndarray, points: np.ndarray):
    """(468, 2) pixels -> (468, 3) the place on the average head that is seen there, or at the nearest skin pixel;
    and (468,) how far the skin there faces the camera, 1 straight, near 0 at the silhouette."""
    pixels, depth = view.project(vertices)
    image, barycentric = rasterize(pixels, depth, source.triangles, (SIZE, SIZE))
    skin = (image >= 0) & np.isin(source.region[source.triangles[image]], SURFACE).all(-1)
    rows, columns = distance_transform_edt(~skin, return_distances=False, return_indices=True)
    x, y = np.clip(np.rint(points), 0, SIZE - 1).astype(int).T
    y, x = rows[y, x], columns[y, x]
    corners, weights = source.triangles[image[y, x]], barycentric[y, x]
    normal = vertex_normals(vertices @ view.rotation.T, source.triangles)
    facing = np.einsum("nk,nk->n", weights, -normal[corners, 2])
    return np.einsum("nk,nkc->nc", weights, source.vertices[corners]), np.clip(facing, 0.02, 1)


def _centre(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(T, 468, 3) and (T, 468) -> (468, 3) weighted geometric medians, so that a view that fails does not pull."""
    inverse = np.ones_like(weights)
    for _ in range(20):
        share = weights * inverse
        centre = np.einsum("tn,tnc->nc", share / share.sum(0), points)
        inverse = 1 / (np.linalg.norm(points - centre, axis=-1) + 0.05)
    return centre


def mirror_of(neutral: np.ndarray) -> np.ndarray:
    """(468, 3) -> (468,) each point's partner. Raises RuntimeError unless partners agree."""
    gap = np.linalg.norm(neutral[:, None] * [-1, 1, 1] - neutral, axis=-1)
    partner = linear_sum_assignment((gap + gap.T) ** 2)[1]
    if (partner[partner] != np.arange(len(partner))).any():
        raise RuntimeError("the landmarks are not symmetric enough to pair them")
    return partner


def _snap(source: Source, neutral: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangle and barycentrics per landmark: the nearest, for inner lips on their own side of the mouth."""
    usable = np.isin(source.region[source.triangles], SURFACE).all(1)
    drop = source.expression[source.names.index("jawOpen"), :, 1][source.triangles].mean(1)
    lower = drop > 0.4 * drop[usable].max()
    sides = dict.fromkeys(mesh.UPPER_INNER_LIP, usable & ~lower) | dict.fromkeys(mesh.LOWER_INNER_LIP, usable & lower)
    found = [
        nearest(point, source.vertices, source.triangles, np.flatnonzero(sides.get(i, usable)))
        for i, point in enumerate(neutral)
    ]
    barycentric = np.rint(np.array([weights for _, weights in found]) / ROUND) * ROUND
    barycentric[:, 2] = 1 - barycentric[:, 0] - barycentric[:, 1]
    return np.array([triangle for triangle, _ in found]), barycentric


def nearest(point: np.ndarray, vertices: np.ndarray, triangles: np.ndarray, allowed: np.ndarray):
    """The allowed triangle nearest to a point, and the barycentrics of the nearest place in it."""
    corners = vertices[triangles[allowed]]
    close = np.argsort(np.linalg.norm(corners.mean(1) - point, axis=1), kind="stable")[:40]
    a, b, c = corners[close].transpose(1, 0, 2)
    candidates = [_on_triangle(point, a, b, c)]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        p, q = corners[close][:, i], corners[close][:, j]
        t = np.clip(((point - p) * (q - p)).sum(1) / np.maximum(((q - p) ** 2).sum(1), 1e-12), 0, 1)
        weights = np.zeros((len(close), 3))
        weights[:, i], weights[:, j] = 1 - t, t
        candidates.append(weights)
    weights = np.concatenate(candidates)
    reached = np.einsum("nk,nkc->nc", weights, np.tile(corners[close], (4, 1, 1)))
    distance = np.where((weights >= 0).all(1), np.linalg.norm(reached - point, axis=1), np.inf)
    best = int(distance.argmin())
    return allowed[close[best % len(close)]], weights[best]


def _on_triangle(point: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """(n, 3) barycentrics of the foot of the perpendicular; negative where it falls outside."""
    u, v, w = b - a, c - a, point - a
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    wu, wv = (w * u).sum(1), (w * v).sum(1)
    scale = np.maximum(uu * vv - uv * uv, 1e-15)
    s, t = (vv * wu - uv * wv) / scale, (uu * wv - uv * wu) / scale
    return np.stack([1 - s - t, s, t], -1)


def landmark_mesh(neutral: np.ndarray) -> np.ndarray:
    """(n, 3) int32: the 3-cliques of FaceMesh's edges, turned as the head's triangles; eyes and mouth stay open."""
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


def neutral_landmarks(source: Source, places: Places) -> np.ndarray:
    """(468, 3): between the places on the mesh and where FaceMesh sees them; symmetric; closed lips touch."""
    on_mesh = places.of(source.vertices, source.triangles)
    neutral = on_mesh + places.front * [SEEN, SEEN, SEEN_DEPTH] * (places.seen - on_mesh)
    lips = list(mesh.LIPS)
    neutral[lips, :2] = on_mesh[lips, :2]  # painted, and so seen, where they are
    neutral = (neutral + neutral[places.mirror] * [-1, 1, 1]) / 2
    return together(neutral)


def together(points: np.ndarray) -> np.ndarray:
    """(..., 468, 3) with each inner upper lip point and the lower one under it moved to their middle."""
    joined = points.copy()
    upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    joined[..., upper, :] = joined[..., lower, :] = (points[..., upper, :] + points[..., lower, :]) / 2
    return joined

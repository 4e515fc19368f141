"""A z-buffer in plain numpy: which triangle does each pixel see, and where in it. No gradient, no GPU."""

from __future__ import annotations

import numpy as np


def rasterise(
    points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest triangle per pixel centre.

    points: (V, 2) pixels, x right, y down, pixel centres at whole numbers. depth: (V,), smaller is nearer.
    triangles: (F, 3), either orientation. size: (height, width).
    Returns triangle (H, W) int32, -1 where none, and barycentric (H, W, 3) float32, 0 where none.
    Equal depths go to the triangle with the lower number, so the result is the same on every machine.
    """
    height, width = size
    corners = np.asarray(points, np.float64)[triangles]  # (F, 3, 2)
    low = np.maximum(np.ceil(corners.min(1)), 0).astype(np.int64)
    high = np.minimum(np.floor(corners.max(1)), [width - 1, height - 1]).astype(np.int64)
    extent = (high - low + 1).max(1)
    seen = (high >= low).all(1)
    found = [_covered(corners, depth[triangles], low, high, np.flatnonzero(seen & mask), width, side)
             for side, mask in _size_classes(extent)]  # fmt: skip
    pixel, triangle, z, weights = (np.concatenate(part) for part in zip(*found, strict=True))
    far_to_near = np.lexsort((-triangle, -z))  # of what is written to a pixel the last stays
    pixel = pixel[far_to_near]
    image = np.full(height * width, -1, np.int32)
    image[pixel] = triangle[far_to_near]
    barycentric = np.zeros((height * width, 3), np.float32)
    barycentric[pixel] = weights[far_to_near]
    return image.reshape(height, width), barycentric.reshape(height, width, 3)


def _size_classes(extent: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Triangles by the side of their box, doubling, so that a batch wastes at most a factor of four."""
    classes, below, side = [], 0, 2
    top = max(int(extent.max(initial=1)), 1)
    while below < top:
        classes.append((side, (extent > below) & (extent <= side)))
        below, side = side, side * 2
    return classes


def _covered(corners, depth, low, high, chosen, width, side):
    """All (pixel, triangle, depth, weights) of the chosen triangles, whose boxes fit in side x side pixels."""
    batch = max(1, 4_000_000 // (side * side))
    parts = [_covered_batch(corners, depth, low, high, chosen[i : i + batch], width, side)
             for i in range(0, max(len(chosen), 1), batch)]  # fmt: skip
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _covered_batch(corners, depth, low, high, chosen, width, side):
    a, b, c = corners[chosen].transpose(1, 0, 2)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    step = np.arange(side)
    x = low[chosen, 0, None, None] + step[None, None, :]
    y = low[chosen, 1, None, None] + step[None, :, None]
    inverse = np.where(np.abs(area) > 1e-12, 1.0 / np.where(area == 0, 1.0, area), np.nan)[:, None, None]
    ax, ay, bx, by, cx, cy = (v[:, None, None] for v in (a[:, 0], a[:, 1], b[:, 0], b[:, 1], c[:, 0], c[:, 1]))
    w1 = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) * inverse
    w2 = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * inverse
    w0 = 1.0 - w1 - w2
    inside = (w0 >= -1e-9) & (w1 >= -1e-9) & (w2 >= -1e-9)
    inside &= (x <= high[chosen, 0, None, None]) & (y <= high[chosen, 1, None, None])
    t, j, i = np.nonzero(inside)
    weights = np.stack([w0[t, j, i], w1[t, j, i], w2[t, j, i]], -1)
    pixel = y[t, j, 0] * width + x[t, 0, i]
    return pixel, chosen[t], np.einsum("nk,nk->n", weights, depth[chosen[t]]), weights


def interpolate(values: np.ndarray, triangles: np.ndarray, image: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """Vertex values (V, C) seen by each pixel -> (H, W, C); 0 where no triangle is."""
    out = np.zeros((*image.shape, values.shape[1]), np.float32)
    seen = image >= 0
    corners = triangles[image[seen]]
    for k in range(3):
        out[seen] += barycentric[seen][:, k, None] * values[corners[:, k]].astype(np.float32)
    return out


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, area-weighted, along (b - a) x (c - a): out of the head, so z < 0 faces the camera."""
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    faces = np.cross(b - a, c - a)
    normals = np.stack(
        [sum(np.bincount(triangles[:, k], faces[:, axis], len(vertices)) for k in range(3)) for axis in range(3)], -1
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

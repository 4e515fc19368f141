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
    plane = _planes(corners, np.asarray(depth, np.float64)[triangles])
    low = np.maximum(np.ceil(corners.min(1)), 0).astype(np.int64)
    high = np.minimum(np.floor(corners.max(1)), [width - 1, height - 1]).astype(np.int64)
    extent = (high - low + 1).max(1)
    seen = (high >= low).all(1) & np.isfinite(plane).all((1, 2))
    found = [_covered(plane, low, high, np.flatnonzero(seen & mask), width, side)
             for side, mask in _size_classes(extent)]  # fmt: skip
    pixel, triangle, z = (np.concatenate(part) for part in zip(*found, strict=True))
    image = _nearest(pixel, triangle, z, height * width)
    barycentric = np.zeros((height * width, 3), np.float32)
    filled = np.flatnonzero(image >= 0)
    y, x = np.divmod(filled, width)
    w = np.einsum("nkc,nc->nk", plane[image[filled], :2], np.stack([x, y, np.ones(len(filled))], -1))
    barycentric[filled, 0], barycentric[filled, 1:] = 1 - w.sum(1), w
    return image.reshape(height, width), barycentric.reshape(height, width, 3)


def _planes(corners: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(F, 3, 2) and (F, 3) -> (F, 3, 3): factors of x, y and 1 that give the second and third barycentric coordinate
    and the depth; not finite where a triangle has no area."""
    a, (bx, by), (cx, cy) = corners[:, 0], (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    area = bx * cy - by * cx
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(np.abs(area) > 1e-12, 1.0 / area, np.nan)
    second, third = np.stack([cy, -cx], -1) * inverse[:, None], np.stack([-by, bx], -1) * inverse[:, None]
    slope = (depth[:, 1:2] - depth[:, :1]) * second + (depth[:, 2:] - depth[:, :1]) * third
    linear = np.stack([second, third, slope], 1)
    base = np.stack([np.zeros(len(a)), np.zeros(len(a)), depth[:, 0]], -1) - np.einsum("fkc,fc->fk", linear, a)
    return np.concatenate([linear, base[..., None]], -1)


def _nearest(pixel: np.ndarray, triangle: np.ndarray, z: np.ndarray, pixels: int) -> np.ndarray:
    """(pixels,) int32, for each pixel the triangle of the least depth, then of the lowest number; -1 for none."""
    beyond = (z - z.min(initial=0.0)).astype(np.float32)  # the bits of numbers from 0 sort as they do
    key = (beyond.view(np.uint32).astype(np.uint64) << np.uint64(32)) | triangle.astype(np.uint64)
    none = np.iinfo(np.uint64).max
    best = np.full(pixels, none)
    np.minimum.at(best, pixel, key)
    return np.where(best == none, -1, (best & np.uint64(0xFFFFFFFF)).astype(np.int64)).astype(np.int32)


def _size_classes(extent: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Triangles by the side of their box, doubling, so that a batch wastes at most a factor of four."""
    classes, below, side = [], 0, 2
    top = max(int(extent.max(initial=1)), 1)
    while below < top:
        classes.append((side, (extent > below) & (extent <= side)))
        below, side = side, side * 2
    return classes


def _covered(plane, low, high, chosen, width, side):
    """All (pixel, triangle, depth) of the chosen triangles, whose boxes fit in side x side pixels."""
    batch = max(1, 1_000_000 // (side * side))
    parts = [_covered_batch(plane, low, high, chosen[i : i + batch], width, side)
             for i in range(0, max(len(chosen), 1), batch)]  # fmt: skip
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _covered_batch(plane, low, high, chosen, width, side):
    step = np.arange(side)
    x, y = low[chosen, 0, None] + step, low[chosen, 1, None] + step
    on_x, on_y = plane[chosen, :, 0, None] * x[:, None], plane[chosen, :, 1, None] * y[:, None] + plane[chosen, :, 2:]
    w1, w2 = (on_y[:, k, :, None] + on_x[:, k, None, :] for k in (0, 1))
    inside = (w1 >= -1e-9) & (w2 >= -1e-9) & (w1 + w2 <= 1 + 1e-9)
    inside &= (x <= high[chosen, 0, None])[:, None, :] & (y <= high[chosen, 1, None])[:, :, None]
    t, j, i = np.nonzero(inside)
    return y[t, j] * width + x[t, i], chosen[t], on_y[t, 2, j] + on_x[t, 2, i]


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

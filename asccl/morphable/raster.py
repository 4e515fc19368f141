"""A z-buffer in plain numpy: which triangle does each pixel see, and where in it. No gradient, no GPU."""

from __future__ import annotations

import numpy as np


def rasterize(
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
    pixel, triangle, z = _covered(corners, plane, size)
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


def _covered(corners: np.ndarray, plane: np.ndarray, size: tuple[int, int]):
    """All (pixel, triangle, depth): every triangle cut into rows, every row into the pixels between its edges."""
    height, width = size
    whole = np.isfinite(plane).all((1, 2))
    low = np.where(whole, np.maximum(np.ceil(corners[..., 1].min(1)), 0), 0).astype(np.int64)
    high = np.where(whole, np.minimum(np.floor(corners[..., 1].max(1)), height - 1), -1).astype(np.int64)
    triangle, y = _ranges(low, high)
    along, base = plane[triangle, :, 0], plane[triangle, :, 1] * y[:, None] + plane[triangle, :, 2]
    start, stop = np.zeros(len(y)), np.full(len(y), width - 1.0)
    edges = ((along[:, 0], base[:, 0]), (along[:, 1], base[:, 1]),
             (-along[:, 0] - along[:, 1], 1 - base[:, 0] - base[:, 1]))  # fmt: skip
    for slope, value in edges:  # inside is where slope * x + value >= 0
        level = np.abs(slope) < 1e-12
        edge = -(value + 1e-9) / np.where(level, 1.0, slope)
        start = np.where(~level & (slope > 0), np.maximum(start, edge), start)
        stop = np.where(~level & (slope < 0), np.minimum(stop, edge), stop)
        stop = np.where(level & (value < -1e-9), -1.0, stop)
    row, x = _ranges(np.ceil(start).astype(np.int64), np.floor(np.maximum(stop, -1)).astype(np.int64))
    return y[row] * width + x, triangle[row], base[row, 2] + along[row, 2] * x


def _ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All whole numbers from first to last (n,), inclusive: which range each belongs to, and the number."""
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) + np.repeat(first - (np.cumsum(count) - count), count)


def _nearest(pixel: np.ndarray, triangle: np.ndarray, z: np.ndarray, pixels: int) -> np.ndarray:
    """(pixels,) int32, for each pixel the triangle of the least depth, then of the lowest number; -1 for none."""
    beyond = (z - z.min(initial=0.0)).astype(np.float32)  # the bits of numbers from 0 sort as they do
    key = (beyond.view(np.uint32).astype(np.uint64) << np.uint64(32)) | triangle.astype(np.uint64)
    none = np.iinfo(np.uint64).max
    best = np.full(pixels, none)
    while len(pixel):  # whoever was written last stays; those that are nearer try again
        best[pixel] = key
        nearer = key < best[pixel]
        pixel, key = pixel[nearer], key[nearer]
    return np.where(best == none, -1, (best & np.uint64(0xFFFFFFFF)).astype(np.int64)).astype(np.int32)


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
    a, b, c = vertices[triangles].transpose(1, 2, 0)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    corners = triangles.T.ravel()
    faces = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    normals = np.stack([np.bincount(corners, np.tile(face, 3), len(vertices)) for face in faces], -1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

"""A z-buffer rasterizer in numpy. It runs on the CPU and has no gradient.

In a triangle a, b, c with signed area A = (b - a) x (c - a), the barycentric coordinates of a pixel p are affine in p
(edge functions, Pineda 1988):

    l_b = (p - a) x (c - a) / A,    l_c = (b - a) x (p - a) / A,    l_a = 1 - l_b - l_c

and so is the depth z = l_a z_a + l_b z_b + l_c z_c. A pixel belongs to the triangle where all three are at least 0;
of several triangles the one with the smallest depth is visible (z-buffer, Catmull 1974).
"""

from __future__ import annotations

import numpy as np

EPS = 1e-12  # triangles of a smaller doubled area (pixels^2), and flatter edges, are treated as degenerate
EDGE_TOLERANCE = 1e-9  # barycentric coordinate: pixel centres on an edge belong to the triangle


def rasterize(
    points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest triangle at each pixel centre.

    Equal depths go to the triangle with the lower index, so the result is the same on every machine.

    Args:
        points: projected vertices, (V, 2) pixels, x right, y down, pixel centres at whole numbers.
        depth: (V,), smaller is nearer.
        triangles: (F, 3) int, either orientation.
        size: height and width of the image.

    Returns:
        Index of the triangle, (H, W) int32, -1 for none; barycentric coordinates in it, (H, W, 3) float32, 0 for none.
    """
    height, width = size
    corners = np.asarray(points, np.float64)[triangles]  # (F, 3, 2)
    plane = _plane_equations(corners, np.asarray(depth, np.float64)[triangles])
    pixel, triangle, z = _covered_pixels(corners, plane, size)
    index = _nearest_triangle(pixel, triangle, z, height * width)
    barycentric = np.zeros((height * width, 3), np.float32)
    filled = np.flatnonzero(index >= 0)
    y, x = np.divmod(filled, width)
    second_third = np.einsum("nkc,nc->nk", plane[index[filled], :2], np.stack([x, y, np.ones(len(filled))], -1))
    barycentric[filled, 0], barycentric[filled, 1:] = 1 - second_third.sum(1), second_third
    return index.reshape(height, width), barycentric.reshape(height, width, 3)


def _plane_equations(corners: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Coefficients (F, 3, 3) of x, y and 1 that give the second and third barycentric coordinate and the depth.

    They are not finite where a triangle has no area.
    """
    a, (bx, by), (cx, cy) = corners[:, 0], (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    area = bx * cy - by * cx
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(np.abs(area) > EPS, 1.0 / area, np.nan)
    second, third = np.stack([cy, -cx], -1) * inverse[:, None], np.stack([-by, bx], -1) * inverse[:, None]
    slope = (depth[:, 1:2] - depth[:, :1]) * second + (depth[:, 2:] - depth[:, :1]) * third
    linear = np.stack([second, third, slope], 1)
    at_first = np.stack([np.zeros(len(a)), np.zeros(len(a)), depth[:, 0]], -1)  # values at the first corner
    constant = at_first - np.einsum("fkc,fc->fk", linear, a)
    return np.concatenate([linear, constant[..., None]], -1)


def _covered_pixels(
    corners: np.ndarray, plane: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List every covered (pixel, triangle, depth), each (n,): cut each triangle into rows and each row into pixels."""
    height, width = size
    finite = np.isfinite(plane).all((1, 2))
    top = np.where(finite, np.maximum(np.ceil(corners[..., 1].min(1)), 0), 0).astype(np.int64)
    bottom = np.where(finite, np.minimum(np.floor(corners[..., 1].max(1)), height - 1), -1).astype(np.int64)
    triangle, y = _expand_ranges(top, bottom)
    # along a row each coordinate is slope * x + value
    slopes, values = plane[triangle, :, 0], plane[triangle, :, 1] * y[:, None] + plane[triangle, :, 2]
    edges = (
        (slopes[:, 0], values[:, 0]),
        (slopes[:, 1], values[:, 1]),
        (-slopes[:, 0] - slopes[:, 1], 1 - values[:, 0] - values[:, 1]),
    )
    left, right = np.zeros(len(y)), np.full(len(y), width - 1.0)
    for slope, value in edges:  # inside is where slope * x + value >= 0
        level = np.abs(slope) < EPS
        zero = -(value + EDGE_TOLERANCE) / np.where(level, 1.0, slope)
        left = np.where(~level & (slope > 0), np.maximum(left, zero), left)
        right = np.where(~level & (slope < 0), np.minimum(right, zero), right)
        right = np.where(level & (value < -EDGE_TOLERANCE), -1.0, right)
    row, x = _expand_ranges(np.ceil(left).astype(np.int64), np.floor(np.maximum(right, -1)).astype(np.int64))
    return y[row] * width + x, triangle[row], values[row, 2] + slopes[row, 2] * x


def _expand_ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List all integers from first to last (n,), inclusive: the index of the range of each, and the integer."""
    count = np.maximum(last - first + 1, 0)
    index = np.repeat(np.arange(len(count)), count)
    return index, np.arange(len(index)) + np.repeat(first - (np.cumsum(count) - count), count)


def _nearest_triangle(pixel: np.ndarray, triangle: np.ndarray, z: np.ndarray, pixels: int) -> np.ndarray:
    """(pixels,) int32: for each pixel the triangle of the smallest depth, then of the lowest index; -1 for none."""
    offset = (z - z.min(initial=0.0)).astype(np.float32)  # the bits of non-negative floats sort as their values do
    key = (offset.view(np.uint32).astype(np.uint64) << np.uint64(32)) | triangle.astype(np.uint64)
    empty = np.iinfo(np.uint64).max
    smallest = np.full(pixels, empty)
    while len(pixel):  # of several writes to a pixel the last one stays; smaller keys are written again
        smallest[pixel] = key
        nearer = key < smallest[pixel]
        pixel, key = pixel[nearer], key[nearer]
    return np.where(smallest == empty, -1, (smallest & np.uint64(0xFFFFFFFF)).astype(np.int64)).astype(np.int32)


def interpolate(values: np.ndarray, triangles: np.ndarray, index: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """Interpolate vertex values at each pixel.

    Args:
        values: (V, C).
        triangles: (F, 3) int.
        index: triangle of each pixel, (H, W), -1 for none, from `rasterize`.
        barycentric: (H, W, 3), from `rasterize`.

    Returns:
        (H, W, C) float32, 0 where no triangle is.
    """
    out = np.zeros((*index.shape, values.shape[1]), np.float32)
    covered = index >= 0
    corners = triangles[index[covered]]
    for k in range(3):
        out[covered] += barycentric[covered][:, k, None] * values[corners[:, k]].astype(np.float32)
    return out


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, area-weighted, along (b - a) x (c - a): out of the head, so z < 0 faces the camera."""
    a, b, c = vertices[triangles].transpose(1, 2, 0)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    corners = triangles.T.ravel()
    faces = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    normals = np.stack([np.bincount(corners, np.tile(face, 3), len(vertices)) for face in faces], -1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

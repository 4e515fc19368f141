"""Differentiable rendering of the head: the gradient of an image reaches the expression coefficients.

Which triangle a pixel shows is computed without gradient by `raster.py`. The position inside that triangle and the
value there are computed again from the moving corners, with gradient. Changes of the outline (which triangle a pixel
shows) are not part of that gradient; `outline.py` adds them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, normalize

from asccl.face.crop import CROP_SIZE, arcface_matrix
from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.outline import add_outline_gradient
from asccl.morphable.raster import rasterize

LIGHT_DIRECTION = (0.35, -0.5, -1.0)  # towards the light: right, above, on the camera's side
AMBIENT = 0.45
SKIN_COLOUR = (0.72, 0.55, 0.47)
REGION_COLOURS = {  # by a part of the region's name
    "lips": (0.62, 0.33, 0.32),
    "mouth cavity": (0.18, 0.06, 0.06),
    "eyeball": (0.85, 0.85, 0.85),
    "teeth": (0.80, 0.78, 0.72),
    "tongue": (0.55, 0.25, 0.25),
    "lashes": (0.15, 0.10, 0.08),
}
BACKGROUND = 0.35


def visible_triangles(
    points: torch.Tensor, depth: torch.Tensor, triangles: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """Find the triangle that each pixel shows, without gradient.

    Args:
        points: (B, V, 2) pixels, centres at whole numbers.
        depth: (B, V), smaller is nearer.
        triangles: (F, 3) int.
        size: height and width of the image.

    Returns:
        (B, H, W) int64, -1 for none.
    """
    p, z, t = (x.detach().cpu().numpy() for x in (points, depth, triangles))
    index = np.stack([rasterize(p[b], z[b], t, size)[0] for b in range(len(p))])
    return torch.from_numpy(index).long().to(points.device)


def interpolate(
    points: torch.Tensor, values: torch.Tensor, triangles: torch.Tensor, index: torch.Tensor, background: float = 0.0
) -> torch.Tensor:
    """Interpolate vertex values at each pixel, with gradient to the values and to the positions of the vertices.

    Args:
        points: (B, V, 2) pixels, centres at whole numbers.
        values: (B, V, C).
        triangles: (F, 3) int.
        index: triangle of each pixel, (B, H, W), from `visible_triangles`.
        background: value where no triangle is.

    Returns:
        (B, C, H, W).
    """
    item, y, x = torch.nonzero(index >= 0, as_tuple=True)
    corners = triangles[index[item, y, x]]
    a, b, c = points[item[:, None], corners].unbind(1)
    p = torch.stack([x, y], -1).to(points.dtype)
    second, third = _cross(p - a, c - a), _cross(b - a, p - a)
    area = _cross(b - a, c - a)
    barycentric = torch.stack([area - second - third, second, third], -1) / area[:, None]
    pixels = (barycentric[..., None] * values[item[:, None], corners]).sum(1)
    out = values.new_full((*index.shape, values.shape[-1]), background)
    return out.index_put((item, y, x), pixels).permute(0, 3, 1, 2)


def _cross(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def vertex_normals(vertices: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Compute area-weighted unit normals, out of the head: (B, V, 3) -> (B, V, 3)."""
    a, b, c = vertices[:, triangles].unbind(2)
    faces = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(1, triangles[:, k], faces)
    return normalize(total, dim=-1)


class FrontalHeadRenderer(nn.Module):
    """The average head from the front, coloured by regions, lit from above, in the crop that ArcFace expects.

    Args:
        head: the head model.
        size: side of the image, pixels.
        outlines: add the movement of outlines to the gradient; the images are the same.
        samples: points per pixel and axis whose mean is the pixel; more of them give smoother images and gradients.
    """

    def __init__(self, head: AnnyHead, size: int = CROP_SIZE, outlines: bool = False, samples: int = 1):
        super().__init__()
        self.size, self.outlines, self.samples = size, outlines, samples
        matrix = arcface_matrix(head.neutral[:, :2], size)
        colours = np.array([_region_colour(name) for name in head.regions], np.float32)
        arrays = {
            "rest": head.vertices,
            "units": head.vertex_expression,
            "albedo": colours[head.region],
            "light": np.array(LIGHT_DIRECTION, np.float32),
            "linear": matrix[:, :2].astype(np.float32) * samples,
            "shift": matrix[:, 2].astype(np.float32) * samples + (samples - 1) / 2,
        }
        for name, value in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value)), persistent=False)
        self.register_buffer("triangles", torch.from_numpy(head.triangles).long(), persistent=False)

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """(B, 52) -> (B, 3, S, S) RGB in [-1, 1], with gradient to the coefficients."""
        vertices = self.rest + torch.einsum("be,evc->bvc", coefficients, self.units)
        points = vertices[..., :2] @ self.linear.T + self.shift
        light = (vertex_normals(vertices, self.triangles) @ normalize(self.light, dim=0)).clamp(min=0)
        colours = self.albedo * (AMBIENT + (1 - AMBIENT) * light[..., None])
        side = self.size * self.samples
        index = visible_triangles(points, vertices[..., 2], self.triangles, (side, side))
        image = interpolate(points, colours, self.triangles, index, BACKGROUND)
        if self.outlines:
            scale = torch.linalg.det(self.linear).abs().sqrt()  # pixels per cm
            image = add_outline_gradient(image, points, vertices[..., 2].detach() * scale, self.triangles, index)
        return avg_pool2d(image, self.samples) * 2 - 1


def _region_colour(region: str) -> tuple[float, float, float]:
    return next((colour for part, colour in REGION_COLOURS.items() if part in region), SKIN_COLOUR)

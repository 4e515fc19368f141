"""The picture of the head and its gradient, against finite differences."""

import numpy as np
import pytest
import torch

from asccl.morphable import raster
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.render import FrontalHeadRenderer, interpolate, vertex_normals, visible_triangles

HEAD = load_anny_head()
SIDE = 48


@pytest.fixture(scope="module")
def picture() -> FrontalHeadRenderer:
    return FrontalHeadRenderer(HEAD, SIDE).double()


def test_it_shows_what_the_plain_raster_shows():
    points = HEAD.neutral[:, :2].astype(np.float64) * 2 + 20
    triangle, barycentric = raster.rasterize(points, HEAD.neutral[:, 2], HEAD.mesh, (SIDE, SIDE))
    expected = raster.interpolate(HEAD.neutral, HEAD.mesh, triangle, barycentric)
    p, mesh = torch.tensor(points)[None], torch.tensor(HEAD.mesh).long()
    seen = visible_triangles(p, torch.tensor(HEAD.neutral[None, :, 2]), mesh, (SIDE, SIDE))
    assert (seen[0].numpy() == triangle).all()
    found = interpolate(p, torch.tensor(HEAD.neutral)[None].double(), mesh, seen)[0].permute(1, 2, 0)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_normals_are_those_of_the_raster():
    found = vertex_normals(torch.tensor(HEAD.vertices)[None], torch.tensor(HEAD.triangles).long())[0]
    np.testing.assert_allclose(found.numpy(), raster.vertex_normals(HEAD.vertices, HEAD.triangles), atol=1e-3)


def test_gradient_to_corners_and_values_by_finite_differences():
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(2, 6, 2, generator=rng, dtype=torch.float64) * 12
    depth = torch.rand(2, 6, generator=rng, dtype=torch.float64)
    triangles = torch.tensor([[0, 1, 2], [1, 2, 3], [3, 4, 5]])
    values = torch.rand(2, 6, 3, generator=rng, dtype=torch.float64)
    seen = visible_triangles(points, depth, triangles, (12, 12))
    assert (seen >= 0).sum() > 20
    inputs = (points.requires_grad_(), values.requires_grad_())
    assert torch.autograd.gradcheck(lambda p, v: interpolate(p, v, triangles, seen), inputs, atol=1e-6)


def test_gradient_to_the_coefficients_by_finite_differences(picture):
    """Over pixels that see the same triangle before and after: the rest is what an outline uncovers."""
    w = torch.zeros(1, 52, dtype=torch.float64)
    for name, value in (("jawOpen", 0.3), ("mouthSmileLeft", 0.3), ("browInnerUp", 0.4)):
        w[0, HEAD.index[name]] = value
    weight = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def seen_at(x: torch.Tensor) -> torch.Tensor:
        vertices = picture.rest + torch.einsum("be,evc->bvc", x, picture.units)
        points = vertices[..., :2] @ picture.linear.T + picture.shift
        return visible_triangles(points, vertices[..., 2], picture.triangles, (SIDE, SIDE))

    step = 1e-6
    for name in ("jawOpen", "mouthSmileLeft", "browDownRight", "mouthFrownRight"):
        move = torch.zeros_like(w)
        move[0, HEAD.index[name]] = step
        same = ((seen_at(w + move) == seen_at(w)) & (seen_at(w - move) == seen_at(w)))[:, None]
        assert same.double().mean() > 0.99
        x = w.clone().requires_grad_()
        (picture(x) * weight * same).sum().backward()
        numeric = ((picture(w + move) - picture(w - move)) * weight * same).sum() / (2 * step)
        assert x.grad[0, HEAD.index[name]].item() == pytest.approx(numeric.item(), rel=1e-3, abs=1e-4), name
        assert abs(numeric) > 1e-3


def test_descending_the_gradient_finds_a_smile_again(picture):
    unit = torch.zeros(52, dtype=torch.float64)
    unit[[HEAD.index["mouthSmileLeft"], HEAD.index["mouthSmileRight"]]] = 1
    wanted = picture(0.6 * unit[None])
    assert wanted.min() >= -1 and wanted.max() <= 1 and wanted.shape == (1, 3, SIDE, SIDE)
    much = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([much], 0.03)
    for _ in range(25):
        optimizer.zero_grad()
        (picture(much * unit[None]) - wanted).square().mean().backward()
        optimizer.step()
    assert much.item() == pytest.approx(0.6, abs=0.15)

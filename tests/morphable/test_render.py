"""The rendered head and its gradient, compared with finite differences."""

import numpy as np
import pytest
import torch

from asccl.morphable import raster
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.render import FrontalHeadRenderer, interpolate, vertex_normals, visible_triangles

HEAD = load_anny_head()
SIDE = 48


@pytest.fixture(scope="module")
def renderer() -> FrontalHeadRenderer:
    return FrontalHeadRenderer(HEAD, SIDE).double()


def test_it_shows_what_the_numpy_rasterizer_shows():
    points = HEAD.neutral[:, :2].astype(np.float64) * 2 + 20
    triangle, barycentric = raster.rasterize(points, HEAD.neutral[:, 2], HEAD.mesh, (SIDE, SIDE))
    expected = raster.interpolate(HEAD.neutral, HEAD.mesh, triangle, barycentric)
    p, mesh = torch.tensor(points)[None], torch.tensor(HEAD.mesh).long()
    index = visible_triangles(p, torch.tensor(HEAD.neutral[None, :, 2]), mesh, (SIDE, SIDE))
    assert (index[0].numpy() == triangle).all()
    image = interpolate(p, torch.tensor(HEAD.neutral)[None].double(), mesh, index)[0].permute(1, 2, 0)
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-4)


def test_normals_are_those_of_the_raster():
    normals = vertex_normals(torch.tensor(HEAD.vertices)[None], torch.tensor(HEAD.triangles).long())[0]
    np.testing.assert_allclose(normals.numpy(), raster.vertex_normals(HEAD.vertices, HEAD.triangles), atol=1e-3)


def test_gradient_to_corners_and_values_by_finite_differences():
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(2, 6, 2, generator=rng, dtype=torch.float64) * 12
    depth = torch.rand(2, 6, generator=rng, dtype=torch.float64)
    triangles = torch.tensor([[0, 1, 2], [1, 2, 3], [3, 4, 5]])
    values = torch.rand(2, 6, 3, generator=rng, dtype=torch.float64)
    index = visible_triangles(points, depth, triangles, (12, 12))
    assert (index >= 0).sum() > 20
    inputs = (points.requires_grad_(), values.requires_grad_())
    assert torch.autograd.gradcheck(lambda p, v: interpolate(p, v, triangles, index), inputs, atol=1e-6)


def test_gradient_to_the_coefficients_by_finite_differences(renderer):
    """Over pixels that show the same triangle before and after, which excludes moving outlines."""
    w = torch.zeros(1, 52, dtype=torch.float64)
    for name, value in (("jawOpen", 0.3), ("mouthSmileLeft", 0.3), ("browInnerUp", 0.4)):
        w[0, HEAD.index[name]] = value
    weight = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def visible_at(x: torch.Tensor) -> torch.Tensor:
        vertices = renderer.rest + torch.einsum("be,evc->bvc", x, renderer.units)
        points = vertices[..., :2] @ renderer.linear.T + renderer.shift
        return visible_triangles(points, vertices[..., 2], renderer.triangles, (SIDE, SIDE))

    step = 1e-6
    for name in ("jawOpen", "mouthSmileLeft", "browDownRight", "mouthFrownRight"):
        move = torch.zeros_like(w)
        move[0, HEAD.index[name]] = step
        same = ((visible_at(w + move) == visible_at(w)) & (visible_at(w - move) == visible_at(w)))[:, None]
        assert same.double().mean() > 0.99
        x = w.clone().requires_grad_()
        (renderer(x) * weight * same).sum().backward()
        numeric = ((renderer(w + move) - renderer(w - move)) * weight * same).sum() / (2 * step)
        assert x.grad[0, HEAD.index[name]].item() == pytest.approx(numeric.item(), rel=1e-3, abs=1e-4), name
        assert abs(numeric) > 1e-3


def test_gradient_descent_recovers_a_smile(renderer):
    unit = torch.zeros(52, dtype=torch.float64)
    unit[[HEAD.index["mouthSmileLeft"], HEAD.index["mouthSmileRight"]]] = 1
    target = renderer(0.6 * unit[None])
    assert target.min() >= -1
    assert target.max() <= 1
    assert target.shape == (1, 3, SIDE, SIDE)
    smile = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([smile], 0.03)
    for _ in range(25):
        optimizer.zero_grad()
        (renderer(smile * unit[None]) - target).square().mean().backward()
        optimizer.step()
    assert smile.item() == pytest.approx(0.6, abs=0.15)


def test_an_image_of_many_samples_is_aligned_with_one_of_one_sample():
    coefficients = torch.zeros(1, 52)
    one, many = (FrontalHeadRenderer(HEAD, 32, samples=n)(coefficients) for n in (1, 3))
    assert one.shape == many.shape
    distances = [(one - many.roll(shift, -1)).abs()[..., 4:-4].mean() for shift in (-1, 0, 1)]
    assert np.argmin(distances) == 1

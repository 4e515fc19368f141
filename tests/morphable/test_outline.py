"""The gradient of moving outlines, compared with the exact change of an area."""

import numpy as np
import pytest
import torch

from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.outline import add_outline_gradient
from asccl.morphable.render import FrontalHeadRenderer, interpolate, visible_triangles

SIDE = 32
SQUARE = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64)
TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
NEAR, FAR = 2.0, 40.0  # depths in pixels


def render(points: torch.Tensor, colours: tuple[float, float], depths: tuple[float, float] = (NEAR, FAR)):
    """Render two squares of one colour each, in front of black."""
    depth = torch.tensor(depths, dtype=torch.float64).repeat_interleave(4)[None]
    values = torch.tensor(colours, dtype=torch.float64).repeat_interleave(4)[None, :, None]
    index = visible_triangles(points, depth, TRIANGLES, (SIDE, SIDE))
    image = interpolate(points, values, TRIANGLES, index)
    return image, add_outline_gradient(image, points, depth, TRIANGLES, index)


def squares(angle: float) -> torch.Tensor:
    """Corners of a small square, turned by an angle, in front of a large one, (1, 8, 2)."""
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return torch.cat([7.3 * SQUARE @ turn.T + 15.6, 12.2 * SQUARE + 15.6])[None]


def ramp() -> torch.Tensor:
    """A weight that grows by 1 for each pixel to the right and by 0.5 for each pixel down."""
    y, x = torch.meshgrid(*[torch.arange(SIDE, dtype=torch.float64)] * 2, indexing="ij")
    return x + 0.5 * y


@pytest.mark.parametrize("angle", [0.2, 0.35, 0.7])
def test_a_moving_square_changes_the_image_by_the_area_that_it_covers(angle):
    """The sum of ramp x jump over the square grows by jump x area for each pixel to the right."""
    points = squares(angle).requires_grad_()
    (render(points, (1.0, 0.4))[1] * ramp()).sum().backward()
    area, jump = (2 * 7.3) ** 2, 1.0 - 0.4
    moved = points.grad[0, :4].sum(0)
    np.testing.assert_allclose(moved, [jump * area, 0.5 * jump * area], rtol=0.08)


def test_the_surface_behind_an_outline_does_not_move_it():
    points = squares(0.35).requires_grad_()
    (render(points, (1.0, 0.4))[1] * ramp())[..., 5:27, 5:27].sum().backward()
    assert points.grad[0, 4:].abs().max() < 1e-12


def test_a_growing_square_adds_its_border():
    """The velocity is that of the pixel in front, which is half a pixel inside of the outline on average."""
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    centre = 15.6
    points = torch.cat([(squares(0.35)[:, :4] - centre) * scale + centre, squares(0.35)[:, 4:]], 1)
    render(points, (1.0, 0.0))[1].sum().backward()
    assert scale.grad.item() == pytest.approx(2 * (2 * 7.3) ** 2 * (7.3 - 0.5) / 7.3, rel=0.05)


def test_the_image_stays_the_same():
    plain, with_outlines = render(squares(0.35), (1.0, 0.4))
    assert torch.equal(plain, with_outlines)


def test_triangles_of_one_surface_have_no_outline_between_them():
    points = squares(0.35).requires_grad_()
    image, with_outlines = render(points, (1.0, 0.4), (FAR, NEAR))
    inside = [(x * ramp())[..., 8:24, 8:24].sum() for x in (image, with_outlines)]
    gradients = [torch.autograd.grad(x, points, retain_graph=True)[0] for x in inside]
    assert torch.equal(*gradients)


def test_the_head_with_outlines_shows_the_same_image_with_another_gradient():
    head = load_anny_head()
    coefficients, gradients, images = torch.zeros(1, 52), [], []
    coefficients[0, head.index["jawOpen"]] = 0.5
    for outlines in (False, True):
        variable = coefficients.clone().requires_grad_()
        image = FrontalHeadRenderer(head, 48, outlines)(variable)
        (image[..., 28:44, 14:34]).sum().backward()
        images.append(image.detach())
        gradients.append(variable.grad[0, head.index["jawOpen"]].item())
    assert torch.equal(*images)
    assert gradients[1] < gradients[0]  # more of the dark mouth cavity is visible

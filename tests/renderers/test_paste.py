"""A painted face in its frame: no seam, no old outline, the source's own grain."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.renderers.neural.compositing import RenderedFace, compose_layers, composite, spread_motion

SIZE, SIDE = 64, 200  # of the square and of the frame
CROP = np.array([[SIZE / 160, 0, -20 * SIZE / 160], [0, SIZE / 160, -20 * SIZE / 160]])  # frame -> square
BLUE, SKIN = np.array([40, 60, 160]), np.array([200, 150, 120])
Y, X = np.mgrid[:SIDE, :SIDE]
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]


def disk(size: int, x: float, y: float, rx: float, ry: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return ((columns - x) / rx) ** 2 + ((rows - y) / ry) ** 2 < 1


def frame(grain: float = 0.0, ry: float = 60.0) -> np.ndarray:
    """A face of skin on blue, 100 wide, its middle at (100, 100)."""
    image = np.where(disk(SIDE, 100, 100, 50, ry)[..., None], SKIN, BLUE).astype(np.float32)
    image += grain * np.random.default_rng(0).standard_normal(image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def painted(ry: float = 60.0, colour=SKIN, motion: np.ndarray | None = None, before=None) -> RenderedFace:
    """A face in one colour; the network painted the source in the same, or in another."""

    def oval(ry: float) -> np.ndarray:
        return disk(SIZE, *((np.array([100, 100]) @ CROP[:, :2].T) + CROP[:, 2]), 50 * CROP[0, 0], ry * CROP[0, 0])

    def sheet(colour) -> np.ndarray:
        return np.broadcast_to(np.asarray(colour, np.uint8), (SIZE, SIZE, 3)).copy()

    still = np.zeros((SIZE, SIZE, 2), np.float32) if motion is None else motion
    source = oval(ry if motion is None else 60.0)
    return RenderedFace(sheet(colour), sheet(colour if before is None else before), oval(ry), source, still, oval(ry))


def test_the_old_chin_does_not_show_below_a_smaller_one():
    """The new face ends 12 pixels above the old one; around it the frame has come along."""
    ry = 48.0
    motion = np.zeros((SIZE, SIZE, 2), np.float32)
    motion[..., 1] = -(ROWS - CROP[1, 2] - 100 * CROP[1, 1]) / CROP[1, 1] * (60 - ry) / ry  # of the skin, in pixels
    image = frame()
    out = composite(image, painted(ry, motion=motion), CROP).astype(int)
    red = (out[..., 0] > 150).nonzero()[0]
    assert red.max() <= 100 + ry + 5
    assert (image[..., 0] > 150).nonzero()[0].max() >= 158
    column = out[100 + int(ry) + 6 :, 100]
    assert np.abs(column - BLUE).max() < 25
    assert (out[185:] == image[185:]).all()  # far below nothing has moved


@pytest.mark.parametrize("seen", [True, False])
def test_a_tone_that_is_off_leaves_no_seam(seen):
    """The network paints 25 levels too dark, in a cast of its own; the rim has no more contrast than the source."""
    new = painted(colour=SKIN - (25, 15, 5))
    new = new if seen else new._replace(visible=np.zeros_like(new.mask))
    out = composite(frame(), new, CROP).astype(float)
    inside = disk(SIDE, 100, 100, 46, 56)
    assert np.abs(out[inside] - SKIN).max() < 8
    steps = np.abs(np.diff(out, axis=0))[inside[1:]]
    assert steps.max() < 3


def test_grain_is_the_sources_where_it_shows_the_same():
    image, smooth = frame(grain=10.0), painted()
    inside = disk(SIDE, 100, 100, 40, 50)
    assert np.abs(composite(image, smooth, CROP).astype(int) - image)[inside].max() <= 1
    hidden = composite(image, smooth._replace(visible=np.zeros_like(smooth.mask)), CROP).astype(float)
    assert (hidden - SKIN)[inside].std() < 0.4 * (image.astype(float) - SKIN)[inside].std()


def test_light_that_the_network_changes_is_taken_over():
    """A crease 18 levels dark; but no change of 80: on skin that is none."""
    image, inside = frame(grain=10.0), disk(SIDE, 100, 100, 40, 50)
    for dark, left in ((18, 18), (80, 0)):
        out = composite(image, painted(colour=SKIN - dark, before=SKIN), CROP).astype(float)
        assert np.abs((image - out)[inside] - left).mean() < 2
    behind = painted(colour=SKIN - 80, before=SKIN)  # but of what the source did not show everything is believed
    out = composite(frame(), behind._replace(visible=np.zeros_like(behind.mask)), CROP).astype(float)
    assert np.abs((SKIN - 80 - out)[inside]).mean() < 2


def test_strength_goes_from_the_source_to_all():
    image, new = frame(), painted(colour=SKIN - 20, before=SKIN)
    full = composite(image, new, CROP).astype(float) - image
    half = composite(image, new, CROP, 0.5).astype(float) - image
    assert np.abs(full).max() > 15 and np.abs(half - 0.5 * full).max() <= 1


def test_what_does_not_move_keeps_its_pixels():
    image = frame(grain=10.0)
    out = composite(image, painted(ry=30), CROP)
    assert out is not image
    outside = ~disk(SIDE, 100, 100, 53, 33)
    assert (out[outside] == image[outside]).all()


def test_motion_fades_without_folding():
    mask = disk(SIZE, 32, 32, 20, 22)
    motion = np.full((SIZE, SIZE, 2), (0.0, -4.0), np.float32)
    out = spread_motion(motion, mask, np.eye(2, 3))
    assert np.allclose(out[32, 32], (0, -4), atol=1e-3)
    assert (out[[0, -1]] == 0).all() and (out[:, [0, -1]] == 0).all()
    below = out[32:, 32, 1]
    assert (np.diff(below) >= -1e-3).all() and np.diff(below).max() < 0.9  # from 1 on rows would change places


@pytest.mark.parametrize("shift", [(-100.0, 0.0), (90.0, 70.0)])
def test_a_face_that_is_cut_off_by_the_frame(shift):
    """Half of the square lies outside; nothing breaks, and what is inside is painted."""
    crop = CROP.copy()
    crop[:, 2] -= crop[:, :2] @ shift
    out = composite(frame(), painted(colour=(90, 150, 90)), crop)
    assert out.shape == (SIDE, SIDE, 3)
    assert compose_layers(frame(), painted(), crop).alpha.max() == 1


def test_a_square_outside_of_the_frame_changes_nothing():
    crop = CROP.copy()
    crop[:, 2] -= crop[:, :2] @ (500.0, 0.0)
    image = frame()
    assert composite(image, painted(), crop) is image


def test_a_turned_square_is_pasted_where_it_belongs():
    turn = cv2.getRotationMatrix2D((100, 100), 20, 1.0)
    crop = np.column_stack([CROP[:, :2] @ turn[:, :2], CROP[:, :2] @ turn[:, 2] + CROP[:, 2]])
    new = painted(colour=SKIN)
    alpha = compose_layers(frame(), new, crop).alpha[..., 0]
    box = compose_layers(frame(), new, crop).box
    ys, xs = np.nonzero(alpha > 0.5)
    assert abs(xs.mean() + box.x0 - 100) < 1 and abs(ys.mean() + box.y0 - 100) < 1
    spread = np.cov(xs, ys)
    assert abs(spread[0, 1]) > 20  # the ellipse leans

"""A composite has no seam and no old outline, and keeps the grain of the source."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.renderers.neural.compositing import RenderedFace, compose_layers, composite, spread_displacement

SIZE, SIDE = 64, 200  # pixels, of the square and of the frame
CROP = np.array([[SIZE / 160, 0, -20 * SIZE / 160], [0, SIZE / 160, -20 * SIZE / 160]])  # frame -> square
BLUE, SKIN = np.array([40, 60, 160]), np.array([200, 150, 120])
Y, X = np.mgrid[:SIDE, :SIDE]
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]


def disk(size: int, x: float, y: float, rx: float, ry: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return ((columns - x) / rx) ** 2 + ((rows - y) / ry) ** 2 < 1


def frame(grain: float = 0.0, ry: float = 60.0) -> np.ndarray:
    """A skin-coloured face on blue, 100 pixels wide, its centre at (100, 100)."""
    image = np.where(disk(SIDE, 100, 100, 50, ry)[..., None], SKIN, BLUE).astype(np.float32)
    image += grain * np.random.default_rng(0).standard_normal(image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def rendered_face(
    ry: float = 60.0, colour=SKIN, displacement: np.ndarray | None = None, reconstructed_colour=None
) -> RenderedFace:
    """A face in one colour, and its reconstruction in the same or in another. ry: half of its height, pixels."""

    def oval(ry: float) -> np.ndarray:
        return disk(SIZE, *((np.array([100, 100]) @ CROP[:, :2].T) + CROP[:, 2]), 50 * CROP[0, 0], ry * CROP[0, 0])

    def uniform(colour) -> np.ndarray:
        return np.broadcast_to(np.asarray(colour, np.uint8), (SIZE, SIZE, 3)).copy()

    return RenderedFace(
        generated=uniform(colour),
        reconstruction=uniform(colour if reconstructed_colour is None else reconstructed_colour),
        mask=oval(ry),
        reconstruction_mask=oval(ry if displacement is None else 60.0),
        displacement=np.zeros((SIZE, SIZE, 2), np.float32) if displacement is None else displacement,
        visible=oval(ry),
    )


def test_the_old_chin_does_not_show_below_a_smaller_one():
    """The new face ends 12 pixels above the old one, and the frame around it has moved along."""
    ry = 48.0
    displacement = np.zeros((SIZE, SIZE, 2), np.float32)
    displacement[..., 1] = (
        -(ROWS - CROP[1, 2] - 100 * CROP[1, 1]) / CROP[1, 1] * (60 - ry) / ry
    )  # of the skin, in pixels
    image = frame()
    out = composite(image, rendered_face(ry, displacement=displacement), CROP).astype(int)
    red = (out[..., 0] > 150).nonzero()[0]
    assert red.max() <= 100 + ry + 5
    assert (image[..., 0] > 150).nonzero()[0].max() >= 158
    column = out[100 + int(ry) + 6 :, 100]
    assert np.abs(column - BLUE).max() < 25
    assert (out[185:] == image[185:]).all()  # far below nothing has moved


@pytest.mark.parametrize("visible", [True, False])
def test_a_wrong_tone_leaves_no_seam(visible):
    """The network draws 25 levels too dark and with a tint."""
    face = rendered_face(colour=SKIN - (25, 15, 5))
    face = face if visible else face._replace(visible=np.zeros_like(face.mask))
    out = composite(frame(), face, CROP).astype(float)
    inside = disk(SIDE, 100, 100, 46, 56)
    assert np.abs(out[inside] - SKIN).max() < 8
    steps = np.abs(np.diff(out, axis=0))[inside[1:]]
    assert steps.max() < 3


def test_visible_skin_keeps_the_grain_of_the_source():
    image, smooth = frame(grain=10.0), rendered_face()
    inside = disk(SIDE, 100, 100, 40, 50)
    assert np.abs(composite(image, smooth, CROP).astype(int) - image)[inside].max() <= 1
    hidden = composite(image, smooth._replace(visible=np.zeros_like(smooth.mask)), CROP).astype(float)
    assert (hidden - SKIN)[inside].std() < 0.4 * (image.astype(float) - SKIN)[inside].std()


@pytest.mark.parametrize(("darkening", "kept"), [(18, 18), (80, 0)], ids=["wrinkle", "artefact"])
def test_small_changes_of_skin_are_kept_and_large_ones_rejected(darkening, kept):
    image, inside = frame(grain=10.0), disk(SIDE, 100, 100, 40, 50)
    out = composite(image, rendered_face(colour=SKIN - darkening, reconstructed_colour=SKIN), CROP).astype(float)
    assert np.abs((image - out)[inside] - kept).mean() < 2


def test_large_changes_are_kept_where_the_source_shows_nothing():
    inside = disk(SIDE, 100, 100, 40, 50)
    face = rendered_face(colour=SKIN - 80, reconstructed_colour=SKIN)
    out = composite(frame(), face._replace(visible=np.zeros_like(face.mask)), CROP).astype(float)
    assert np.abs((SKIN - 80 - out)[inside]).mean() < 2


def test_opacity_scales_the_change():
    image, face = frame(), rendered_face(colour=SKIN - 20, reconstructed_colour=SKIN)
    full = composite(image, face, CROP).astype(float) - image
    half = composite(image, face, CROP, 0.5).astype(float) - image
    assert np.abs(full).max() > 15
    assert np.abs(half - 0.5 * full).max() <= 1


def test_pixels_without_displacement_stay_exact():
    image = frame(grain=10.0)
    out = composite(image, rendered_face(ry=30), CROP)
    assert out is not image
    outside = ~disk(SIDE, 100, 100, 53, 33)
    assert (out[outside] == image[outside]).all()


def test_the_displacement_fades_without_folding():
    mask = disk(SIZE, 32, 32, 20, 22)
    displacement = np.full((SIZE, SIZE, 2), (0.0, -4.0), np.float32)
    out = spread_displacement(displacement, mask, np.eye(2, 3))
    assert np.allclose(out[32, 32], (0, -4), atol=1e-3)
    assert (out[[0, -1]] == 0).all()
    assert (out[:, [0, -1]] == 0).all()
    below = out[32:, 32, 1]
    assert (np.diff(below) >= -1e-3).all()
    assert np.diff(below).max() < 0.9  # from 1 on, rows would change places


@pytest.mark.parametrize("shift", [(-100.0, 0.0), (90.0, 70.0)])
def test_a_face_that_is_cut_off_by_the_frame(shift):
    """Half of the square lies outside of the frame."""
    crop_matrix = CROP.copy()
    crop_matrix[:, 2] -= crop_matrix[:, :2] @ shift
    out = composite(frame(), rendered_face(colour=(90, 150, 90)), crop_matrix)
    assert out.shape == (SIDE, SIDE, 3)
    assert compose_layers(frame(), rendered_face(), crop_matrix).alpha.max() == 1


def test_a_square_outside_of_the_frame_changes_nothing():
    crop_matrix = CROP.copy()
    crop_matrix[:, 2] -= crop_matrix[:, :2] @ (500.0, 0.0)
    image = frame()
    assert composite(image, rendered_face(), crop_matrix) is image


def test_a_rotated_square_is_composited_in_place():
    turn = cv2.getRotationMatrix2D((100, 100), 20, 1.0)
    crop_matrix = np.column_stack([CROP[:, :2] @ turn[:, :2], CROP[:, :2] @ turn[:, 2] + CROP[:, 2]])
    layers = compose_layers(frame(), rendered_face(colour=SKIN), crop_matrix)
    alpha, box = layers.alpha[..., 0], layers.box
    ys, xs = np.nonzero(alpha > 0.5)
    assert abs(xs.mean() + box.x0 - 100) < 1
    assert abs(ys.mean() + box.y0 - 100) < 1
    spread = np.cov(xs, ys)
    assert abs(spread[0, 1]) > 20  # the ellipse leans

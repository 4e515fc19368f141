"""What is held in place shows the source's own pixels."""

from __future__ import annotations

import numpy as np

from asccl.renderers.warp.field import Box
from asccl.renderers.warp.hold import fade_to_source

BOX = Box(0, 0, 60, 40, 2.0)
SOURCE, EDITED = np.full((40, 60, 3), 50, np.uint8), np.full((40, 60, 3), 200, np.uint8)


def weights(left: float) -> np.ndarray:
    """Weights of the cells of the box: one value in its left third, 1 elsewhere."""
    cells = np.ones(BOX.grid_shape)
    cells[:, :10] = left
    return cells


def test_pixels_that_are_held_are_those_of_the_source():
    np.testing.assert_array_equal(fade_to_source(SOURCE, EDITED, weights(0), BOX)[:, :18], SOURCE[:, :18])


def test_pixels_far_from_what_is_held_are_those_of_the_edit():
    np.testing.assert_array_equal(fade_to_source(SOURCE, EDITED, weights(0), BOX)[:, 22:], EDITED[:, 22:])


def test_an_edit_that_is_held_nowhere_is_shown_as_it_is():
    assert fade_to_source(SOURCE, EDITED, weights(0.5), BOX) is EDITED


def test_the_edit_itself_is_not_written_to():
    fade_to_source(SOURCE, EDITED, weights(0), BOX)
    assert (EDITED == 200).all()


def test_a_part_of_a_box_keeps_the_cells_of_its_field():
    cells = np.zeros(BOX.grid_shape, bool)
    cells[10, 12] = True
    part = BOX.around(cells)
    assert (part.x0 - part.offset[0], part.y0 - part.offset[1]) == (BOX.x0, BOX.y0)

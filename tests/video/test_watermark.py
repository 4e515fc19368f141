"""The visible mark."""

import numpy as np
import pytest

from asccl.video import draw_badge


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 40), (17, 301), (240, 320), (720, 1280), (1280, 720)])
def test_mark_is_small_and_in_the_corner(size):
    image = np.full((*size, 3), 120, np.uint8)
    marked = draw_badge(image)
    assert marked.shape == image.shape
    assert marked.dtype == np.uint8
    assert (image == 120).all()
    changed = (marked != image).any(2)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert np.ptp(columns) + 1 <= max(1, 0.62 * size[1])
    assert np.ptp(rows) + 1 <= size[0]
    if min(size) >= 240:
        assert rows.min() > size[0] // 2
        assert columns.min() > size[1] * 0.3
        assert changed.mean() < 0.03


@pytest.mark.parametrize("ground", [0, 120, 255])
def test_mark_is_legible_on_any_ground(ground):
    marked = draw_badge(np.full((720, 1280, 3), ground, np.uint8)).astype(int)
    inside = marked[690:705, 1100:1260]
    assert np.ptp(inside) > 90
    assert not np.array_equal(inside, draw_badge(np.full((720, 1280, 3), ground, np.uint8), "else")[690:705, 1100:1260])

"""The learning rate over the steps of a training."""

import pytest

from training.engine.networks import linear_decay


def test_the_rate_falls_linearly_to_zero_in_the_second_half():
    assert [linear_decay(8)(step) for step in (0, 4, 6, 8)] == [1, 1, 0.5, 0]


def test_a_warm_up_raises_it_linearly_to_its_full():
    factor = linear_decay(100, 4)
    assert [factor(step) for step in (0, 1, 4, 50)] == pytest.approx([0.2, 0.4, 1, 1])

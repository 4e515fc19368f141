"""The search finds the most readable edit within its bounds, the same one each time."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.editing.adaptation.directions import Direction
from asccl.editing.adaptation.measures import EditMeasures
from asccl.editing.adaptation.objective import Goal, offset_price, softmax
from asccl.editing.adaptation.search import Candidate, Search
from asccl.types import EMOTIONS

HAPPY = np.eye(len(EMOTIONS))[EMOTIONS.index("happy")]
DIRECTIONS = [Direction(name, np.eye(52)[k], -0.5, 0.8, 1.0) for k, name in enumerate(("helpful", "harmful"))]


def measure(strength: float, offsets: np.ndarray) -> EditMeasures:
    """A face on which the first unit reads as happy and costs identity, and the second reads as sad."""
    gain = 2 * offsets[0] - 2 * offsets[1] + strength
    logits = np.tile(np.log(softmax(np.zeros(7))) + gain * HAPPY, (2, 4, 1))
    costs = {"identity": 0.3 * np.array([strength, offsets[0]]), "scc": 0.2 * np.array([offsets[0]])}
    return EditMeasures(logits, (np.zeros(3), np.zeros(3)), costs)


def search(**bounds: float) -> Candidate:
    return Search(measure, DIRECTIONS, Goal(HAPPY), bounds).run(1.0, measure(1.0, np.zeros(52)))


def test_the_helpful_direction_is_taken_and_the_harmful_one_is_not():
    _, helpful, harmful = search(identity=1.0).x
    assert helpful > 0.2
    assert harmful < -0.2


def test_a_bound_holds():
    assert search(identity=0.1).measures.cost("identity") <= 0.1 * 1.01


def test_a_bound_that_is_left_out_is_exceeded():
    bound = search(identity=1.0, scc=0.001).measures.cost("scc")
    assert bound <= 0.00101
    assert search(identity=1.0).measures.cost("scc") > 0.002


def test_two_searches_give_the_same_edit():
    np.testing.assert_array_equal(search(identity=0.12).x, search(identity=0.12).x)


def test_an_edit_that_exceeds_a_bound_already_is_brought_back():
    assert search(identity=0.05).measures.cost("identity") < measure(1.0, np.zeros(52)).cost("identity")


def test_the_network_that_reads_least_counts_most():
    agreeing = np.full((2, 1, 7), -1.0)
    agreeing[:, 0, 4] = 1.0
    divided = agreeing.copy()
    divided[0, 0, 4], divided[1, 0, 4] = 3.0, -1.0
    assert Goal(HAPPY).readability(agreeing, ()) > Goal(HAPPY).readability(divided, ())


def test_likeness_to_a_reference_is_rewarded():
    goal = Goal(HAPPY, (np.array([1.0, 0.0]),), (HAPPY,))
    logits = np.zeros((1, 1, 7))
    alike, unlike = (goal.readability(logits, (np.array(f),)) for f in ([1.0, 0.0], [0.0, 1.0]))
    assert alike - unlike == pytest.approx(2.0)


def test_the_price_grows_with_the_square_of_a_move():
    one, two = (offset_price(np.array([x, 0.0]), DIRECTIONS) for x in (0.1, 0.2))
    assert two == pytest.approx(4 * one)


def test_an_offset_helps_where_more_strength_does_not():
    """Measured upwards, strength would seem worth nothing, and a step that lowers it loses what an offset gains."""

    def measure_saturated(strength: float, offsets: np.ndarray) -> EditMeasures:
        logits = np.tile((6 * min(strength, 1.0) + offsets[0]) * HAPPY, (2, 4, 1))
        return EditMeasures(logits, (np.zeros(3), np.zeros(3)), {"identity": np.array([strength])})

    start = measure_saturated(1.0, np.zeros(52))
    best = Search(measure_saturated, DIRECTIONS[:1], Goal(HAPPY), {"identity": 1.0}, {"identity": 0.3}).run(1.0, start)
    assert best.x[1] > 0.05

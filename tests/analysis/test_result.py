"""The least similar frames of a comparison."""

from __future__ import annotations

import numpy as np
import pytest
from media import astronaut

from asccl.analysis.result import MIN_WORST_DISTANCE, NUM_WORST_FRAMES, WorstFrames


@pytest.fixture(scope="module")
def worst() -> WorstFrames:
    frames = WorstFrames()
    for i in range(300):
        frames.add(1 - ((i * 37) % 100) / 100, (i / 25, i / 25), lambda: (astronaut(), astronaut()))
    return frames


def test_the_worst_frames_are_few_and_lie_apart(worst):
    times = sorted(frames.times[0] for frames in worst.worst())
    assert len(times) == NUM_WORST_FRAMES
    assert np.diff(times).min() >= MIN_WORST_DISTANCE


def test_the_least_similar_frames_come_first(worst):
    similarities = [frames.similarity for frames in worst.worst()]
    assert similarities == sorted(similarities)
    assert similarities[0] == pytest.approx(0.01)


def test_the_first_frames_are_kept(worst):
    assert worst.first().times == (0.0, 0.0)

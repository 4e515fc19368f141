from types import SimpleNamespace

import numpy as np
import pytest
from evaluated_clips import ArrayStream, face, talking

from asccl.evaluation.baselines import ShuffledStream, estimate_offset
from asccl.evaluation.measure import ClipPair
from asccl.evaluation.moment import cut_moment, find_moment

FRAMES = 24


def moving_images(first: int = 0) -> list[np.ndarray]:
    """A bright square that wanders over 96 x 96 pixels, from a frame on."""
    images = []
    for frame in range(first, first + FRAMES):
        image = np.full((96, 96, 3), 40, np.uint8)
        x, y = (int(40 + 30 * f(frame / 5)) for f in (np.sin, np.cos))
        image[y : y + 16, x : x + 16] = 220
        images.append(image)
    return images


def stream(images: list[np.ndarray], gaps: np.ndarray | None = None) -> ArrayStream:
    return ArrayStream(talking(np.full(len(images), 0.1) if gaps is None else gaps), images)


@pytest.mark.parametrize("late", [-3, 0, 2])
def test_the_offset_of_a_late_video_is_estimated(late):
    assert estimate_offset(stream(moving_images(0)), stream(moving_images(late))) == late


def test_still_pictures_have_no_offset():
    still = [np.full((96, 96, 3), 128, np.uint8)] * FRAMES
    assert estimate_offset(stream(still), stream(still)) == 0


def test_shuffled_begins_in_the_middle_and_has_every_frame_once():
    gaps = np.linspace(0.01, 0.2, FRAMES)
    source = stream(moving_images(), gaps)
    source.panel = None
    order = [float(landmarks[13, 1]) for _, landmarks in ShuffledStream(source).frames()]
    first = [float(landmarks[13, 1]) for _, landmarks in source.frames()]
    assert order == first[FRAMES // 2 :] + first[: FRAMES // 2]


def test_the_moment_is_the_frame_with_the_widest_lips():
    gaps = np.full(FRAMES, 0.05)
    gaps[7] = 0.3
    assert find_moment(ClipPair(stream(moving_images(), gaps), stream(moving_images()))) == 7


def test_source_and_generated_frame_are_cut_at_the_same_place():
    source, generated = stream(moving_images()), stream(moving_images(2))
    moment = cut_moment(ClipPair(source, generated, offset=2), 10, 64)
    assert np.array_equal(moment.source, moment.generated)


def test_a_frame_without_a_face_is_cut_in_the_middle():
    lost = np.full((FRAMES, 478, 3), np.nan, np.float32)
    lost[0] = face()
    source = ArrayStream(lost, moving_images())
    source.info = SimpleNamespace(frames=FRAMES)
    assert cut_moment(ClipPair(source, source), 5, 48).source.shape == (48, 48, 3)

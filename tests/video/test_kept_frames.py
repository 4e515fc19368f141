"""Frames that a first pass keeps for a second one: the last ones, within a budget that all edits share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from asccl.types import Frame
from asccl.video import Reader
from asccl.video.kept_frames import MAX_FRAMES, KeptFrames, MemoryBudget

FRAME_BYTES = 4 * 6 * 3


def frames(count: int, first: int = 0) -> list[Frame]:
    return [Frame(np.full((4, 6, 3), i % 256, np.uint8), i, 2 * i) for i in range(first, first + count)]


def keep(kept: KeptFrames, clip: list[Frame]) -> None:
    for frame in clip:
        kept.add(frame)


def test_the_last_frames_that_fit_are_kept_in_order():
    kept = KeptFrames(MemoryBudget(3 * FRAME_BYTES))
    keep(kept, frames(10))
    assert [(frame.index, frame.pts) for frame in kept.release()] == [(7, 14), (8, 16), (9, 18)]


def test_a_clip_of_small_frames_keeps_no_more_than_a_number_of_them():
    kept = KeptFrames(MemoryBudget(2**30))
    keep(kept, frames(MAX_FRAMES + 20))
    assert [frame.index for frame in kept.release()][:1] == [20]


def test_decoded_frames_count_with_the_memory_of_their_planes(clip: Path):
    budget = MemoryBudget(2**30)
    kept = KeptFrames(budget)
    with Reader(clip) as reader:
        first = next(iter(reader))
        kept.add(first)
    height, width, _ = first.pixels.shape
    assert 1.5 * height * width <= 2**30 - budget.free < 2 * height * width


def test_a_frame_is_kept_without_the_rgb_image_that_somebody_read_from_it(clip: Path):
    kept = KeptFrames(MemoryBudget(2**30))
    with Reader(clip) as reader:
        first = next(iter(reader))
    kept.add(first)
    assert first.image is not next(kept.release()).image


def test_two_clips_share_the_budget():
    budget = MemoryBudget(3 * FRAME_BYTES)
    first, second = KeptFrames(budget), KeptFrames(budget)
    keep(first, frames(2))
    keep(second, frames(5))
    assert [frame.index for frame in second.release()] == [4]


def test_a_clip_keeps_only_frames_without_a_gap_before_its_end():
    budget = MemoryBudget(2 * FRAME_BYTES)
    first, second = KeptFrames(budget), KeptFrames(budget)
    keep(first, frames(2))
    keep(second, frames(3))
    first.close()
    keep(second, frames(2, first=3))
    assert [frame.index for frame in second.release()] == [3, 4]


def test_frames_are_freed_one_by_one_as_they_are_released():
    budget = MemoryBudget(2 * FRAME_BYTES)
    kept = KeptFrames(budget)
    keep(kept, frames(2))
    next(kept.release())
    assert budget.free == FRAME_BYTES


def test_leaving_the_context_frees_the_frames():
    budget = MemoryBudget(2 * FRAME_BYTES)
    with KeptFrames(budget) as kept:
        keep(kept, frames(2))
    assert budget.free == 2 * FRAME_BYTES


def test_no_byte_is_lost_between_threads():
    budget = MemoryBudget(40 * FRAME_BYTES)

    def keep_some(_: int) -> None:
        with KeptFrames(budget) as kept:
            keep(kept, frames(200))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep_some, range(8)))
    assert budget.free == 40 * FRAME_BYTES

"""Keep the last frames of a first pass over a video in memory, so that a second pass does not decode them again.

The last frames and not the first ones: the second pass then decodes from the start of the file as the first did, and
stops early. It needs no seeking, and gets the same frames from any file.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import numpy as np

from asccl.types import Frame, LazyImage
from asccl.video.lazy_image import DecodedImage

MEMORY_BUDGET = 256 * 2**20  # bytes, of all edits of a process together: 194 frames of 1280 x 720
MAX_FRAMES = 250  # of one clip, 10 s: a longer clip of small frames takes no more memory


class MemoryBudget:
    """Bytes that several threads share.

    Args:
        size: bytes.

    Attributes:
        free: bytes that nobody has taken.
    """

    def __init__(self, size: int):
        self.free, self._lock = size, threading.Lock()

    def take(self, size: int) -> bool:
        """Take some bytes; return whether there were as many."""
        with self._lock:
            if size > self.free:
                return False
            self.free -= size
        return True

    def give_back(self, size: int) -> None:
        """Give back bytes that were taken."""
        with self._lock:
            self.free += size


_budget = MemoryBudget(MEMORY_BUDGET)


class KeptFrames:
    """The last frames of a clip, as many as the budget holds. Use it as a context manager, which frees them.

    Args:
        budget: of the memory; by default that of the process.
    """

    def __init__(self, budget: MemoryBudget = _budget):
        self._budget = budget
        self._frames: deque[Frame] = deque()

    def add(self, frame: Frame) -> None:
        """Keep the next frame of a clip, in place of the oldest ones where there is no room."""
        size = _count_bytes(frame.pixels)
        if len(self._frames) == MAX_FRAMES:
            self._pop()
        while not self._budget.take(size):
            if not self._frames:
                return
            self._pop()
        self._frames.append(Frame(frame.pixels, frame.index, frame.pts))  # a copy: `Frame.image` is kept by its frame

    def __len__(self) -> int:
        return len(self._frames)

    def release(self) -> Iterator[Frame]:
        """Yield the kept frames in order and free each of them."""
        while self._frames:
            yield self._pop()

    def close(self) -> None:
        """Free the frames. It is harmless to call this again."""
        for _ in self.release():
            pass

    def __enter__(self) -> KeptFrames:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _pop(self) -> Frame:
        frame = self._frames.popleft()
        self._budget.give_back(_count_bytes(frame.pixels))
        return frame


def _count_bytes(image: LazyImage) -> int:
    """Bytes of an image in memory."""
    arrays = image.planes if isinstance(image, DecodedImage) else (np.asarray(image),)
    return sum(array.shape[0] * array.strides[0] for array in arrays)

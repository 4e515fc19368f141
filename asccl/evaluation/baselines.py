"""The two trivial methods of every table, and how generated frames are assigned to source frames.

`copy` returns the source: it keeps all words and shows the wrong emotion. `shuffled` returns the source frames from the
middle on and then its first half: face and expression stay, while the words fit neither the sound nor the source.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

import cv2
import numpy as np

from asccl.evaluation.face_chunk import FaceChunk, FaceImage, make_chunk
from asccl.evaluation.face_stream import FaceStream

COPY, SHUFFLED = "copy", "shuffled"
BASELINES = (COPY, SHUFFLED)
MAX_OFFSET = 8  # frames
THUMBNAIL_SIDE = 32  # pixels


class ShuffledStream(FaceStream):
    """The frames of a stream from the middle on, then those of its first half; the sound stays as it is.

    Args:
        stream: of the source; it stays open while this one is used.
    """

    def __init__(self, stream: FaceStream):
        self.name, self.path, self.panel, self.info = stream.name, stream.path, stream.panel, stream.info
        self._stream = stream

    def frames(self) -> Generator[FaceImage, None, None]:
        """Iterate over frames and landmarks."""
        middle = self.info.frames // 2
        yield from islice(self._stream.frames(), middle, None)
        yield from islice(self._stream.frames(), middle)

    def chunk(self, start: int, rows: list[FaceImage]) -> FaceChunk:
        """Build a chunk whose features are not kept: its frames are not those of the source at these positions."""
        return make_chunk(start, rows)

    def close(self) -> None:
        """Leave landmarks and features to the stream of the source."""


def estimate_offset(source: FaceStream, generated: FaceStream) -> int:
    """Estimate which source frame belongs to a generated frame by the pictures, which an edit changes little.

    Args:
        source: the clip that was edited.
        generated: the result, in the same framing.

    Returns:
        The offset o of at most `MAX_OFFSET` frames for which frame t of `generated` is most similar to frame t + o of
        `source`, by the mean absolute difference of small grey images; the smallest one where several are equal.
    """
    a, b = _thumbnails(source), _thumbnails(generated)
    differences = {}
    for offset in sorted(range(-MAX_OFFSET, MAX_OFFSET + 1), key=abs):
        first, last = max(0, -offset), min(len(b), len(a) - offset)
        if last - first > max(len(b) // 2, 1) or offset == 0:
            part = a[first + offset : last + offset].astype(np.int16) - b[first:last]
            differences[offset] = float(np.abs(part).mean()) if part.size else np.inf
    return min(differences, key=differences.__getitem__)


def _thumbnails(stream: FaceStream) -> np.ndarray:
    """Return the frames as small grey images, (T, 32, 32) uint8."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image, _ in stream.frames()]
    return np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in small])

"""Decode a video once, with the landmarks of its face, in chunks of frames: memory does not grow with its length.

A video is named by its path; `path#2` is the third of four panels of equal width, as in the clips that the authors of
the paper publish.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from asccl.errors import InputError
from asccl.evaluation.sound import Sound, open_sound
from asccl.face.crop import arcface_crop, expression_crop
from asccl.face.store import LandmarkStore
from asccl.face.tracker import FaceMeshTracker, Tracker
from asccl.types import Image
from asccl.video import Limits, Reader, probe

PANELS = 4  # of a video whose panels are named by #0 to #3
CHUNK_SIZE = 32  # frames
BLACK_LEVEL = 8.0  # mean of a frame up to which a panel is black; panels end at different times
MAX_BLACK_FRAMES = 300  # black frames that are held back until the panel goes on or ends
FaceImage = tuple[Image, np.ndarray]  # a frame, and its landmarks (478, 3) in pixels, NaN without a face


@dataclass(frozen=True)
class FaceChunk:
    """Consecutive frames of a video with the landmarks of one face.

    Attributes:
        start: index of the first frame.
        images: n frames, each (H, W, 3) uint8 RGB.
        landmarks: (n, 478, 3) pixels, NaN in frames without a face.
    """

    start: int
    images: list[Image]
    landmarks: np.ndarray
    _results: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def valid(self) -> np.ndarray:
        """(n,) bool: which frames have a face."""
        return np.isfinite(self.landmarks[:, 0, 0])

    def compute(self, name: str, function: Callable[[FaceChunk], np.ndarray]) -> np.ndarray:
        """Return `function` of this chunk, computed once for all measures that ask for the same name."""
        if name not in self._results:
            self._results[name] = function(self)
        return self._results[name]

    def arcface_crops(self) -> np.ndarray:
        """ArcFace crops of the frames with a face, (m, 112, 112, 3) uint8 RGB."""
        return self.compute("arcface crops", lambda chunk: chunk.crop(arcface_crop, (112, 112, 3)))

    def expression_crops(self) -> np.ndarray:
        """Expression crops of the frames with a face, (m, 112, 112, 3) uint8 RGB."""
        return self.compute("expression crops", lambda chunk: chunk.crop(expression_crop, (112, 112, 3)))

    def crop(self, function: Callable[[Image, np.ndarray], Image], shape: tuple[int, int, int]) -> np.ndarray:
        """Cut a crop out of every frame with a face.

        Args:
            function: frame and landmarks (478, 3) -> crop.
            shape: of a crop.

        Returns:
            (m, *shape) uint8 RGB for the m frames with a face.
        """
        crops = [function(self.images[i], self.landmarks[i]) for i in np.flatnonzero(self.valid)]
        return np.stack(crops) if crops else np.zeros((0, *shape), np.uint8)

    def expand(self, rows: np.ndarray) -> np.ndarray:
        """Put the rows of frames with a face, (m, D), at their frames, (n, D) float64, NaN elsewhere."""
        expanded = np.full((len(self), *rows.shape[1:]), np.nan)
        expanded[self.valid] = rows
        return expanded


class TrackerPool:
    """Trackers that are not in use: two streams that are read side by side need two.

    Args:
        create: makes a tracker.
    """

    def __init__(self, create: Callable[[], Tracker] = FaceMeshTracker):
        self._create = create
        self._idle: list[Tracker] = []

    def borrow(self) -> Tracker:
        """Return a tracker that starts with the largest face."""
        tracker = self._idle.pop() if self._idle else self._create()
        tracker.start(None)
        return tracker

    def give_back(self, tracker: Tracker) -> None:
        """Keep a tracker for the next stream."""
        self._idle.append(tracker)

    def close(self) -> None:
        """Free the trackers."""
        while self._idle:
            self._idle.pop().close()


class FaceStream:
    """The frames of a video or of one of its panels, with the landmarks of the largest face.

    Landmarks are computed once and kept on disk. They are not smoothed, so that jitter can be measured.

    Args:
        name: a path, or `path#k` for the k-th of four panels.
        trackers: detect and follow the face.

    Raises:
        InputError: there is no such file or panel.
        UnreadableError: the file cannot be decoded.
        LimitError: the file is too large or too long.
    """

    def __init__(self, name: str, trackers: TrackerPool):
        self.name = name
        self.path, self.panel = parse_stream_name(name)
        if not self.path.is_file():
            raise InputError(f"there is no file {self.path}", "correct the path")
        self.info = probe(self.path)
        self._trackers = trackers
        self._landmarks = LandmarkStore()

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second."""
        return self.info.frame_rate

    @cached_property
    def sound(self) -> Sound | None:
        """The sound of the file, whose first sample belongs to the first frame; None without sound."""
        return open_sound(self.path)

    def frames(self) -> Generator[FaceImage, None, None]:
        """Iterate over frames and landmarks; several iterations may run side by side in one thread."""
        tracker: Tracker | None = None
        try:
            with closing(self.images()) as images:
                for index, image in enumerate(images):
                    if index >= len(self._landmarks):
                        tracker = tracker or self._trackers.borrow()
                        self._landmarks.append(tracker.track(image).landmarks)
                    yield image, self._landmarks.read(index, index + 1)[0]
        finally:
            if tracker is not None:
                self._trackers.give_back(tracker)

    def chunks(self, size: int = CHUNK_SIZE) -> Iterator[FaceChunk]:
        """Iterate over the frames in chunks of `size`; the last may be shorter."""
        with closing(self.frames()) as frames:
            start = 0
            while rows := list(islice(frames, size)):
                yield make_chunk(start, rows)
                start += len(rows)

    def close(self) -> None:
        """Delete the landmarks."""
        self._landmarks.close()

    def images(self) -> Generator[Image, None, None]:
        """Iterate over the frames, cut to the panel and without the black end of a panel, without landmarks."""
        black: list[Image] = []
        with Reader(self.path, Limits()) as reader:
            for frame in reader:
                if self.panel is None:
                    yield frame.image
                    continue
                width = frame.image.shape[1] // PANELS
                image = np.ascontiguousarray(frame.image[:, self.panel * width : (self.panel + 1) * width])
                if image.mean() <= BLACK_LEVEL and len(black) < MAX_BLACK_FRAMES:
                    black.append(image)
                    continue
                yield from black
                black.clear()
                yield image


class FaceStreams:
    """Open streams; a video that several clips use is tracked once.

    Args:
        create_tracker: makes the trackers, of which two are used side by side.
    """

    def __init__(self, create_tracker: Callable[[], Tracker] = FaceMeshTracker):
        self._trackers = TrackerPool(create_tracker)
        self._streams: dict[str, FaceStream] = {}

    def open(self, name: str | Path) -> FaceStream:
        """Return the stream of a path or `path#k`. Raises as `FaceStream`."""
        key = str(name)
        if key not in self._streams:
            self._streams[key] = FaceStream(key, self._trackers)
        return self._streams[key]

    def close(self) -> None:
        """Delete the landmarks of all streams and free the trackers."""
        while self._streams:
            self._streams.popitem()[1].close()
        self._trackers.close()

    def __enter__(self) -> FaceStreams:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def parse_stream_name(name: str) -> tuple[Path, int | None]:
    """Split `path#k` into the path and the number of its panel, or None for all of the frame. Raises InputError."""
    path, mark, panel = name.rpartition("#")
    if not mark or not panel.isdecimal() or "/" in panel:
        return Path(name).expanduser(), None
    if int(panel) >= PANELS:
        raise InputError(f"{name} names panel {panel}", f"give #0 to #{PANELS - 1}")
    return Path(path).expanduser(), int(panel)


def make_chunk(start: int, rows: list[FaceImage]) -> FaceChunk:
    """Build a chunk from frames and their landmarks; `start` is the index of the first."""
    return FaceChunk(start, [image for image, _ in rows], np.stack([landmarks for _, landmarks in rows]))

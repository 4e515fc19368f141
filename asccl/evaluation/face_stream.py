"""Decode a video once, with the landmarks of its face, in chunks of frames: memory does not grow with its length.

A video is named by its path; `path#2` is the third of four panels of equal width, as in the clips that the authors of
the paper publish.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from asccl.errors import InputError
from asccl.evaluation.face_chunk import CHUNK_SIZE, FaceChunk, FaceImage, make_chunk
from asccl.evaluation.feature_store import FeatureStore
from asccl.evaluation.sound import Sound, open_sound
from asccl.face.store import LandmarkStore
from asccl.face.tracker import FaceMeshTracker, Tracker
from asccl.files import file_key
from asccl.types import Image
from asccl.video import Limits, Reader, probe

PANELS = 4  # of a video whose panels are named by #0 to #3
BLACK_LEVEL = 8.0  # mean of a frame up to which a panel is black; panels end at different times
MAX_BLACK_FRAMES = 300  # black frames that are held back until the panel goes on or ends
MAX_OPEN_STREAMS = 32  # of `FaceStreams`; each has two temporary files


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

    Landmarks are computed once and kept on disk. They are not smoothed, so that jitter can be measured. They do not
    depend on how far the frames were read before.

    Args:
        name: a path, or `path#k` for the k-th of four panels.
        trackers: detect and follow the face.

    Attributes:
        features: of its frames, kept for all clips that use this video.
        states: measure -> state of all frames, of measures that read this video as a reference.

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
        self.features = FeatureStore()
        self.states: dict[str, Mapping[str, np.ndarray]] = {}
        self._trackers = trackers
        self._tracker: Tracker | None = None  # while some frames have been tracked, but not all
        self._landmarks = LandmarkStore()
        self._is_tracked = False

    @property
    def is_tracked(self) -> bool:
        """Whether the landmarks of all frames are known."""
        return self._is_tracked

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
        with closing(self.images()) as images:
            for index, image in enumerate(images):
                if index >= len(self._landmarks):
                    self._tracker = self._tracker or self._trackers.borrow()
                    self._landmarks.append(self._tracker.track(image).landmarks)
                yield image, self._landmarks.read(index, index + 1)[0]
        self._is_tracked = True
        self._return_tracker()

    def landmarks(self) -> Iterator[np.ndarray]:
        """Iterate over the landmarks (478, 3) of all frames; the video is decoded only if some are not known."""
        if not self._is_tracked:
            yield from (landmarks for _, landmarks in self.frames())
            return
        for index in range(len(self._landmarks)):
            yield self._landmarks.read(index, index + 1)[0]

    def chunks(self, size: int = CHUNK_SIZE) -> Iterator[FaceChunk]:
        """Iterate over the frames in chunks of `size`; the last may be shorter."""
        with closing(self.frames()) as frames:
            start = 0
            while rows := list(islice(frames, size)):
                yield self.chunk(start, rows)
                start += len(rows)

    def chunk(self, start: int, rows: list[FaceImage]) -> FaceChunk:
        """Build a chunk of consecutive frames of this stream; `start` is the index of the first."""
        return make_chunk(start, rows, self.features)

    def close(self) -> None:
        """Delete landmarks and features."""
        self._landmarks.close()
        self.features.close()
        self._return_tracker()

    def _return_tracker(self) -> None:
        if self._tracker is not None:
            self._trackers.give_back(self._tracker)
            self._tracker = None

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
    """Open streams: a video that several clips or methods use is tracked once, and its features are computed once.

    The streams that were used last stay open. They belong to one set of networks, since features are kept by the names
    of the networks. A file that has changed is opened anew.

    Args:
        create_tracker: makes the trackers, of which up to three are used side by side.
        capacity: largest number of open streams, at least the three of a clip.
    """

    def __init__(self, create_tracker: Callable[[], Tracker] = FaceMeshTracker, capacity: int = MAX_OPEN_STREAMS):
        self._trackers = TrackerPool(create_tracker)
        self._capacity = capacity
        self._streams: dict[tuple, FaceStream] = {}  # the one that was used last is the last

    def open(self, name: str | Path) -> FaceStream:
        """Return the stream of a path or `path#k`. Raises as `FaceStream`."""
        key = _stream_key(str(name))
        stream = self._streams.pop(key, None) or FaceStream(str(name), self._trackers)
        self._streams[key] = stream
        while len(self._streams) > self._capacity:
            self._streams.pop(next(iter(self._streams))).close()
        return stream

    def discard(self, name: str | Path) -> None:
        """Close the stream of a video that is not needed again."""
        stream = self._streams.pop(_stream_key(str(name)), None)
        if stream is not None:
            stream.close()

    def discard_unfinished(self) -> None:
        """Close the streams of which not all frames were read: each of them keeps a tracker."""
        for key, stream in list(self._streams.items()):
            if not stream.is_tracked:
                self._streams.pop(key).close()

    def close(self) -> None:
        """Close all streams and free the trackers."""
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


def _stream_key(name: str) -> tuple:
    path, panel = parse_stream_name(name)
    return *file_key(path), panel

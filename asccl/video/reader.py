"""Read a video or a still as a sequence of upright 8-bit RGB frames. Memory does not grow with the length.

8-bit 4:2:0 frames keep the decoder's pixels until they are accessed (lazy_image.py).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import av

from asccl.errors import LimitError
from asccl.files import file_key
from asccl.types import Frame, MediaInfo
from asccl.video.limits import Limits
from asccl.video.source import VideoSource
from asccl.video.stills import is_still, read_still, still_info

PROBED_FILES = 256  # descriptions of files that are kept


def probe(path: Path | str, limits: Limits | None = None) -> MediaInfo:
    """Describe a file by its content, not by its name. Decodes one frame.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the file is too large or too long.
    """
    path, limits = Path(path), limits or Limits()
    limits.check_file(path)
    return _probe(path, file_key(path), limits)


@lru_cache(maxsize=PROBED_FILES)
def _probe(path: Path, _key: tuple, limits: Limits) -> MediaInfo:
    """Describe a file; the result is kept until the file changes. An edit asks for it several times."""
    if is_still(path, limits):
        return still_info(path, limits)
    with VideoSource(path, limits) as source:
        return source.info(source.first(source.frames())[1])


class Reader:
    """Iterates over the frames of a video, or the one frame of a still; each `iter()` starts at the first frame.

    Frames are upright, of one size, 8-bit RGB, with alpha over black. A damaged packet is skipped.

    Args:
        path: a video or a still.
        limits: what is accepted.
        stride: yield every `stride`-th frame only, starting with the first; the others are not converted.

    Attributes:
        info: properties of the file.
        skipped: after the last frame, the number of damaged packets, or of frames after the place where a file breaks
            off, whichever is larger.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the file is too large or too long; raised in mid-iteration where a file misstates its length.
    """

    def __init__(self, path: Path | str, limits: Limits | None = None, stride: int = 1):
        self.limits, self.stride = limits or Limits(), stride
        self.info = probe(path, self.limits)
        self.skipped = 0
        self._iterations: list[Generator[Frame, None, None]] = []

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End running iterations. It is harmless to call this again."""
        while self._iterations:
            self._iterations.pop().close()

    def __iter__(self) -> Iterator[Frame]:
        frames = self._read_still() if self.info.is_still else self._read_video()
        self._iterations.append(frames)
        return frames

    def chunks(self, size: int) -> Iterator[list[Frame]]:
        """Iterate over lists of `size` frames; the last may be shorter."""
        frames = iter(self)
        while chunk := list(islice(frames, size)):
            yield chunk

    def _read_still(self) -> Generator[Frame, None, None]:
        yield Frame(read_still(self.info.path, self.limits), 0, 0)

    def _read_video(self) -> Generator[Frame, None, None]:
        path = self.info.path
        with VideoSource(path, self.limits) as source:
            decoded = source.frames()
            start, first = source.first(decoded)
            convert = source.converter(first)
            for index, (pts, frame) in enumerate(chain([(start, first)], decoded)):
                self.limits.check_length(path, float((pts - start) * source.time_base), index + 1)
                if index % self.stride == 0:
                    yield Frame(convert(frame), index, pts)
            self.skipped = max(source.skipped, source.count_missing_frames(index + 1, pts - start))


def read_frame_at(path: Path | str, seconds: float, limits: Limits | None = None) -> Frame:
    """Read the frame that is on screen at a time.

    Args:
        path: a video or a still.
        seconds: after the first frame; a time after the end gives the last frame.
        limits: what is accepted.

    Returns:
        The frame; its index is estimated from the frame rate.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the file is too large or too long, or the frame is too far from a key frame.
    """
    limits = limits or Limits()
    (sample,) = _read_frames(Path(path), [seconds], limits)
    if not sample.is_exact:
        raise LimitError(
            f"{Path(path).name} has too few key frames to show this moment quickly",
            "choose an earlier moment; the whole edit is not affected",
        )
    return sample.frame


def read_frames_at(path: Path | str, times: list[float], limits: Limits | None = None) -> Iterator[Frame]:
    """Read the frames that are on screen at some times; one frame may be on screen at several of them.

    Args:
        path: a video or a still.
        times: growing seconds after the first frame.
        limits: what is accepted.

    Yields:
        One frame for each time, see `read_frame_at`.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the file is too large or too long.
    """
    for frame, _ in _read_frames(Path(path), times, limits or Limits()):
        yield frame


def sample_frames(path: Path | str, count: int, limits: Limits | None = None) -> list[Frame]:
    """Read evenly spread frames.

    Args:
        path: a video or a still.
        count: of frames: the centres of `count` equal parts.
        limits: what is accepted.

    Returns:
        At most `count` different frames in order; one for a still.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the file is too large or too long.
    """
    return list(iterate_samples(path, count, limits))


def iterate_samples(path: Path | str, count: int, limits: Limits | None = None) -> Iterator[Frame]:
    """Read evenly spread frames one by one; see `sample_frames`.

    Args:
        path: a video or a still.
        count: of frames.
        limits: what is accepted.
    """
    limits = limits or Limits()
    info = probe(path, limits)
    previous: int | None = None
    for frame, _ in _read_frames(info.path, [info.duration * (i + 0.5) / count for i in range(count)], limits):
        if frame.pts != previous:
            yield frame
        previous = frame.pts


class _Sample(NamedTuple):
    """A frame, and whether it is the one on screen at the time that was asked for."""

    frame: Frame
    is_exact: bool


def _read_frames(path: Path, times: list[float], limits: Limits) -> Iterator[_Sample]:
    """Samples at growing times in seconds, one for each time.

    Seeks if a key frame lies in between, else decodes on. After `limits.max_decoded_frames` the samples are key frames.
    """
    limits.check_file(path)
    if is_still(path, limits):
        yield _Sample(Frame(read_still(path, limits), 0, 0), True)
        return
    with VideoSource(path, limits) as source:
        decoded = source.frames()
        start, current = source.first(decoded)
        convert = source.converter(current)
        pts = start
        upcoming: tuple[int, av.VideoFrame] | None = (start, current)
        sample: Frame | None = None
        decoded_frames = 1
        for time in times:
            target = start + round(max(0.0, time) / source.time_base)
            source.target_pts = min(target, start + round(source.duration / source.time_base))
            if upcoming is not None and upcoming[0] <= target and _seek(source, pts, target):
                decoded = source.frames()
                upcoming = next(decoded, None)
                if upcoming is not None and upcoming[0] <= target:
                    pts, current = upcoming
            while upcoming is not None and upcoming[0] <= target and decoded_frames < limits.max_decoded_frames:
                pts, current = upcoming
                upcoming = next(decoded, None)
                decoded_frames += 1
            if sample is None or sample.pts != pts:
                sample = Frame(convert(current), round((pts - start) * source.time_base * source.rate), pts)
            yield _Sample(sample, is_exact=upcoming is None or upcoming[0] > target)


def _seek(source: VideoSource, position: int, target: int) -> bool:
    """Seek to the last key frame up to `target`, if the index of the file has one after `position`."""
    if not source.clock.is_continuous:
        return False  # the index has the raw clock
    entries = source.stream.index_entries  # in decoding order and time, which run ahead of presentation
    key_frame = entries.search_timestamp(target - source.reorder_delay) if len(entries) else -1
    if key_frame < 0 or entries[key_frame].timestamp <= position:
        return False
    source.seek(entries[key_frame].timestamp)
    return True

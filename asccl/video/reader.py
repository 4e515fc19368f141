"""Pictures in: a video or a still as a lazy row of upright 8-bit RGB frames. Memory does not grow with length.

The usual 8-bit 4:2:0 stays as it was decoded until somebody looks at it (picture.py).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain, islice
from pathlib import Path

import av

from asccl.types import Frame, MediaInfo
from asccl.video.limits import Limits
from asccl.video.source import VideoSource
from asccl.video.stills import is_still, read_still, still_info


def probe(path: Path | str, limits: Limits | None = None) -> MediaInfo:
    """What a file holds, judged by its content and not by its name. Decodes one frame.

    Raises UnreadableError, LimitError; both name the file and the remedy.
    """
    path, limits = Path(path), limits or Limits()
    limits.check_file(path)
    if is_still(path, limits):
        return still_info(path, limits)
    with VideoSource(path, limits) as source:
        return source.info(source.first(source.frames())[1])


class Reader:
    """Iterates over the frames of a video, or the one frame of a still; each `iter()` starts at the first.

    Frames are upright, of one size, 8-bit RGB, with alpha over black. A damaged packet is skipped; after the last
    frame, `skipped` has their number, and that of frames behind the place where a file breaks off. stride: gives each
    `stride`-th frame alone, the first one included; the others are not converted. Raises UnreadableError; LimitError
    (also midway, where a file lied about its length).
    """

    def __init__(self, path: Path | str, limits: Limits | None = None, stride: int = 1):
        self.limits, self.stride = limits or Limits(), stride
        self.info = probe(path, self.limits)
        self.skipped = 0
        self._open: list[Generator[Frame, None, None]] = []

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends running iterations. Harmless to repeat."""
        while self._open:
            self._open.pop().close()

    def __iter__(self) -> Iterator[Frame]:
        frames = self._still() if self.info.is_still else self._video()
        self._open.append(frames)
        return frames

    def chunks(self, size: int) -> Iterator[list[Frame]]:
        """Lists of `size` frames; the last may be shorter."""
        frames = iter(self)
        while chunk := list(islice(frames, size)):
            yield chunk

    def _still(self) -> Generator[Frame, None, None]:
        yield Frame(read_still(self.info.path, self.limits), 0, 0)

    def _video(self) -> Generator[Frame, None, None]:
        path = self.info.path
        with VideoSource(path, self.limits) as source:
            frames = source.frames()
            start, first = source.first(frames)
            convert = source.converter(first)
            for index, (pts, picture) in enumerate(chain([(start, first)], frames)):
                self.limits.check_length(path, float((pts - start) * source.time_base), index + 1)
                if index % self.stride == 0:
                    yield Frame(convert(picture), index, pts)
            self.skipped = max(source.skipped, source.missing(index + 1, pts - start))


def read_frame_at(path: Path | str, seconds: float, limits: Limits | None = None) -> Frame:
    """The frame that shows `seconds` after the first one (the last frame where that is past the end).

    Its index is an estimate from the frame rate. Raises UnreadableError, LimitError.
    """
    return _read_times(Path(path), [seconds], limits or Limits())[0]


def sample_frames(path: Path | str, n: int, limits: Limits | None = None) -> list[Frame]:
    """At most n different frames, evenly spread (the middles of n equal parts), in order; one for a still.

    Raises UnreadableError, LimitError.
    """
    limits = limits or Limits()
    info = probe(path, limits)
    length = info.duration or info.frames / (info.frame_rate or 1)
    frames = _read_times(info.path, [float(length) * (i + 0.5) / n for i in range(n)], limits)
    return list({frame.pts: frame for frame in frames}.values())


def _read_times(path: Path, seconds: list[float], limits: Limits) -> list[Frame]:
    """Frames at growing times. Seeks where a key frame lies between, else decodes on."""
    limits.check_file(path)
    if is_still(path, limits):
        return [Frame(read_still(path, limits), 0, 0)]
    with VideoSource(path, limits) as source:
        frames = source.frames()
        start, picture = source.first(frames)
        convert = source.converter(picture)
        pts = start
        following: tuple[int, av.VideoFrame] | None = (start, picture)
        found: list[Frame] = []
        for time in seconds:
            target = start + round(max(0.0, time) / source.time_base)
            source.wanted = min(target, start + round(source.duration / source.time_base))
            if following is not None and following[0] <= target and _jump(source, pts, target):
                frames = source.frames()
                following = next(frames, None)
            while following is not None and following[0] <= target:
                pts, picture = following
                following = next(frames, None)
            index = round((pts - start) * source.time_base * source.rate)
            repeated = found and found[-1].pts == pts
            found.append(found[-1] if repeated else Frame(convert(picture), index, pts))
        return found


def _jump(source: VideoSource, position: int, target: int) -> bool:
    """Seeks to the last key frame up to `target` where the index knows one after `position`."""
    entries = source.stream.index_entries  # in decoding order and time, which run ahead of presentation
    found = entries.search_timestamp(target - source.reorder) if len(entries) else -1
    if found < 0 or entries[found].timestamp <= position:
        return False
    source.seek(entries[found].timestamp)
    return True

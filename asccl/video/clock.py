"""Measure the clock of a file by its packets: how long it really is, and where its time stamps jump.

Joined transport streams, restarted recordings and damaged headers state times that players ignore. `measure_clock`
reads the time stamps of a file once, without decoding. Where the clock of all tracks jumps, it is carried on: the part
behind the jump starts where the last track before it ends, so picture and sound stay together. A jump of one track
alone is none: the others contradict it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.format import Flags

from asccl.video.clock_jumps import TrackScan, join_tracks
from asccl.video.container import open_container
from asccl.video.limits import UNLIMITED
from asccl.video.track_clock import FileClock, TrackClock

CHUNK_FORMAT = "avi"  # it numbers packets in their order and states no presentation times: the k-th frame has number k


def measure_clock(path: Path) -> FileClock:
    """Measure the clock of a file. The result is kept until the file changes.

    Raises:
        UnreadableError: the file cannot be opened.
    """
    status = path.stat()
    return _measure(path.absolute(), (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=64)
def _measure(path: Path, identity: tuple[int, ...]) -> FileClock:
    with open_container(path, UNLIMITED.max_pixels) as container:
        streams = [stream for stream in container.streams if stream.type in ("video", "audio")]
        if "mp4" in container.format.name:
            indexed = [_read_index(stream, identity[2]) for stream in streams]
            if all(clock is not None for clock in indexed):
                return FileClock({s.index: clock for s, clock in zip(streams, indexed, strict=True) if clock})
        allows_jumps = bool(container.format.flags & Flags.ts_discont.value)
        has_chunk_times = container.format.name == CHUNK_FORMAT
        scans = {stream.index: TrackScan(stream, allows_jumps, has_chunk_times) for stream in streams}
        for order, packet in enumerate(_demux(container, streams)):
            scans[packet.stream_index].add(packet, order)
        return join_tracks(scans, allows_jumps)


def _read_index(stream: Any, file_size: int) -> TrackClock | None:
    """The clock of a track by the index in the header, as far as the file reaches; None if the index has no end."""
    entries = [e for e in stream.index_entries if not e.is_discard and e.pos + e.size <= file_size]
    if not stream.frames or len(stream.index_entries) != stream.frames or not entries:
        return None
    times = [entry.timestamp for entry in entries]
    if any(b < a for a, b in pairwise(times)):
        return None
    start = stream.start_time if stream.start_time is not None else times[0]
    step = round((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else stream.duration or 0
    return TrackClock(Fraction(stream.time_base), start, start + times[-1] - times[0] + step, len(times), 2**62)


def _demux(container: Any, streams: list[Any]) -> Iterable[Any]:
    """Packets with content, until the end or to damage that cannot be skipped."""
    try:
        for packet in container.demux(streams) if streams else ():
            if packet.size and not packet.is_discard:
                yield packet
    except av.error.FFmpegError:
        return

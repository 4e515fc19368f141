"""Measure the clock of a file by its packets: how long it really is, and where its time stamps jump.

Joined transport streams, restarted recordings and damaged headers state times that players ignore. `measure_clock`
reads the time stamps of a file once, without decoding. Where the clock of all tracks jumps, it is carried on: the part
behind the jump starts where the last track before it ends, so picture and sound stay together. A jump of one track
alone is none: the others contradict it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.format import Flags

from asccl.types import ClockJump
from asccl.video.container import codec_name, open_container
from asccl.video.limits import UNLIMITED
from asccl.video.sound_headers import FRAMED_CODECS, frame_parameters

MAX_LONE_GAP = 10  # seconds; a longer gap is a jump of the clock, where the format allows jumps
MIN_JOINT_GAP = 1  # seconds; the same for a gap in all tracks that ends with a key frame, as where files were joined
MAX_JUMPS = 1000  # of one track; more are noise, not jumps


@dataclass(frozen=True)
class TrackClock:
    """The clock of one track. Times are on the clock that is carried on, in units of `time_base`.

    Attributes:
        time_base: seconds per unit.
        start: of presentation; None without time stamps.
        end: of presentation, with the length of the last packet; None without time stamps.
        packets: number of packets.
        gap: a larger step ahead may be a jump.
        shifts: added to the time stamps behind each step of the raw clock that may be a jump; the first is 0.
        is_uniform: whether all packets of sound state the same sample rate and channels.
    """

    time_base: Fraction
    start: int | None
    end: int | None
    packets: int
    gap: int
    shifts: tuple[int, ...] = (0,)
    is_uniform: bool = True

    @property
    def seconds(self) -> float:
        """Length in seconds; 0 without time stamps."""
        if self.start is None or self.end is None:
            return 0.0
        return float((self.end - self.start) * self.time_base)

    @property
    def mean_rate(self) -> Fraction | None:
        """Packets per second; None without time stamps."""
        if self.start is None or self.end is None or self.end <= self.start:
            return None
        return self.packets / ((self.end - self.start) * self.time_base)

    @property
    def is_continuous(self) -> bool:
        """Whether the raw time stamps are used as they are."""
        return not any(self.shifts)

    def follow(self) -> PacketClock:
        """Start to carry the clock on through the packets of the track, from its first packet on."""
        return PacketClock(self)


@dataclass(frozen=True)
class FileClock:
    """The clocks of a file.

    Attributes:
        tracks: of pictures and sound, by the index of their stream.
        jumps: of the clock that all tracks share.
    """

    tracks: Mapping[int, TrackClock]
    jumps: tuple[ClockJump, ...] = ()


class PacketClock:
    """Shifts the time stamps of the packets of a track, read in order from the first one on."""

    def __init__(self, clock: TrackClock):
        self._clock, self._steps = clock, _StepCounter(clock.gap)

    def carry_on(self, packet: Any) -> Any:
        """Shift the time stamps of a packet in place, and return it."""
        run = self._steps.count(packet)
        shift = self._clock.shifts[min(run, len(self._clock.shifts) - 1)]
        if shift:
            if packet.dts is not None:
                packet.dts += shift
            if packet.pts is not None:
                packet.pts += shift
        return packet


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
        scans = {stream.index: _TrackScan(stream, allows_jumps) for stream in streams}
        for order, packet in enumerate(_demux(container, streams)):
            scans[packet.stream_index].add(packet, order)
        return _join_tracks(scans, allows_jumps)


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


class _StepCounter:
    """Counts the steps of a raw clock that may be jumps: back, or ahead by more than a gap."""

    def __init__(self, gap: int):
        self._gap, self._expected, self._last = gap, None, None
        self.steps = 0
        self.size = 0  # of the last step

    def count(self, packet: Any) -> int:
        time = packet.dts
        if time is None or not packet.size or packet.is_discard:
            return self.steps
        if self._last is not None and self.steps < MAX_JUMPS and not self._last <= time <= self._expected + self._gap:
            self.steps += 1
            self.size = time - self._expected
        self._last, self._expected = time, time + (packet.duration or 0)
        return self.steps


@dataclass
class _Run:
    """Packets of one track between two steps of its clock; times in seconds on the raw clock.

    `order` and `last_order` are positions of the first and last packet among all packets of the file.
    """

    step: Fraction
    order: int
    last_order: int
    starts_with_key_frame: bool
    start: Fraction | None = None
    end: Fraction | None = None
    shift: Fraction | None = None  # undecided
    base: Fraction = Fraction(0)  # shift of the clock that goes on behind this run


class _TrackScan:
    """Collects the runs of a track."""

    def __init__(self, stream: Any, allows_jumps: bool):
        self.time_base = Fraction(stream.time_base)
        self.gap = int((MIN_JOINT_GAP if allows_jumps else MAX_LONE_GAP) / self.time_base)
        self.is_video = stream.type == "video"
        self.packets = 0
        self._codec = "" if self.is_video else codec_name(stream)
        self._parameters: set[tuple[int, ...]] = set()
        self._rate = getattr(stream, "average_rate", None) or 0
        self._steps = _StepCounter(self.gap)
        self._raw: list[list[int | None]] = []  # first and last presentation time of each run, duration of the last
        self.runs: list[_Run] = []

    def add(self, packet: Any, order: int) -> None:
        run = self._steps.count(packet)
        if run == len(self.runs):
            step = self._steps.size * self.time_base if run else Fraction(0)
            self.runs.append(_Run(step, order, order, packet.is_keyframe))
            self._raw.append([None, None, 0])
        self.packets += 1
        if self._codec in FRAMED_CODECS and len(self._parameters) < 2:
            parameters = frame_parameters(self._codec, bytes(memoryview(packet)[:8]))
            if parameters is not None:
                self._parameters.add(parameters)
        self.runs[run].last_order = order
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            return
        raw = self._raw[run]
        if raw[0] is None or time < raw[0]:
            raw[0] = time
        if raw[1] is None or time >= raw[1]:
            raw[1], raw[2] = time, packet.duration or 0

    def finish(self) -> None:
        """Set the times of the runs."""
        spans = [last - first for first, last, _ in self._raw if first is not None and last is not None]
        step = round(sum(spans) / (self.packets - len(spans))) if self.packets > len(spans) else 0
        if not step and self._rate:
            step = round(1 / (self._rate * self.time_base))
        for run, (first, last, duration) in zip(self.runs, self._raw, strict=True):
            if first is not None and last is not None:
                run.start, run.end = first * self.time_base, (last + (duration or step)) * self.time_base

    def clock(self) -> TrackClock:
        """The clock of the track, once all shifts are decided."""
        timed = [run for run in self.runs if run.start is not None]
        shifts = tuple(round((run.shift or 0) / self.time_base) for run in self.runs) or (0,)
        start = min((_shifted(run.start, run) for run in timed), default=None)
        end = max((_shifted(run.end, run) for run in timed), default=None)
        first, last = (None if time is None else round(time / self.time_base) for time in (start, end))
        return TrackClock(self.time_base, first, last, self.packets, self.gap, shifts, len(self._parameters) < 2)


def _join_tracks(scans: Mapping[int, _TrackScan], allows_jumps: bool) -> FileClock:
    """Decide which steps are jumps, and carry the clock on."""
    for scan in scans.values():
        scan.finish()
        for run in scan.runs[:1]:
            run.shift = Fraction(0)
    steps = sorted(((scan.runs[i].order, index, i) for index, scan in scans.items() for i in range(1, len(scan.runs))))
    jumps: list[ClockJump] = []
    for _, index, i in steps:
        run = scans[index].runs[i]
        if run.shift is not None:
            continue
        members = {index: i, **_find_partners(scans, index, i)}
        if _is_jump(scans, members, allows_jumps):
            jumps.append(_carry_on(scans, members))
        else:
            _pass_on(scans[index].runs, i)
    return FileClock({index: scan.clock() for index, scan in scans.items()}, tuple(jumps))


def _find_partners(scans: Mapping[int, _TrackScan], index: int, i: int) -> dict[int, int]:
    """Undecided runs of other tracks that begin with the same jump: about the same step at about the same time."""
    run, previous = scans[index].runs[i], scans[index].runs[i - 1]
    partners = {}
    for other, scan in scans.items():
        candidates = (k for k in range(1, len(scan.runs)) if scan.runs[k].shift is None)
        k = next(candidates, None) if other != index else None
        if k is None:
            continue
        partner, before = scan.runs[k], scan.runs[k - 1]
        if previous.end is None or before.end is None or before.shift is None or previous.shift is None:
            continue
        is_same_time = abs(_shifted(previous.end, previous) - _shifted(before.end, before)) < MAX_LONE_GAP
        is_same_way = (partner.step > 0) == (run.step > 0) and abs(partner.step - run.step) < MAX_LONE_GAP
        if is_same_time and is_same_way:
            partners[other] = k
    return partners


def _is_jump(scans: Mapping[int, _TrackScan], members: Mapping[int, int], allows_jumps: bool) -> bool:
    """Whether a step is a jump of the clock: no track goes on without it, and its size is not that of a pause."""
    runs = {index: scans[index].runs[i] for index, i in members.items()}
    middle = min((run.order + run.last_order) // 2 for run in runs.values())
    if any(
        index not in members and scan.runs and scan.runs[-1].last_order > middle and scan.runs[0].order < middle
        for index, scan in scans.items()
    ):
        return False
    step = min((run.step for run in runs.values()), key=abs)
    if step < 0:
        return True
    comes_back = any(
        i + 1 < len(scans[index].runs) and scans[index].runs[i + 1].step < -step / 2 for index, i in members.items()
    )
    if not (allows_jumps or comes_back):
        return False
    is_join = len(runs) > 1 and any(scans[i].is_video and run.starts_with_key_frame for i, run in runs.items())
    return step > (MIN_JOINT_GAP if is_join else MAX_LONE_GAP)


def _carry_on(scans: Mapping[int, _TrackScan], members: Mapping[int, int]) -> ClockJump:
    """Give the runs behind a jump the smallest shift that lets none of them begin before its track has ended."""
    shifts, ends = [], []
    for index, i in members.items():
        run, previous = scans[index].runs[i], scans[index].runs[i - 1]
        if run.start is not None and previous.end is not None:
            ends.append(_shifted(previous.end, previous))
            shifts.append(ends[-1] - run.start)
    shift = max(shifts, default=Fraction(0))
    steps = []
    for index, i in members.items():
        scans[index].runs[i].shift = scans[index].runs[i].base = shift
        steps.append(scans[index].runs[i].step)
    return ClockJump(float(max(ends, default=Fraction(0))), float(min(steps, key=abs)))


def _pass_on(runs: list[_Run], i: int) -> None:
    """Decide the shift behind a step that is no jump: that of the run before, unless the clock leaps ahead and back."""
    previous, run = runs[i - 1], runs[i]
    run.shift = run.base = previous.base
    leaps_back = i + 1 < len(runs) and runs[i + 1].step < -run.step / 2
    if run.step > 0 and leaps_back and run.start is not None and previous.end is not None:
        run.shift = _shifted(previous.end, previous) - run.start


def _shifted(time: Any, run: _Run) -> Fraction:
    return time + (run.shift or Fraction(0))

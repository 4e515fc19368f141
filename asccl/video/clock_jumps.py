"""Decide where the clock of a file jumps, by the time stamps of all its tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from asccl.types import ClockJump
from asccl.video.container import codec_name
from asccl.video.sound_headers import FRAMED_CODECS, frame_parameters
from asccl.video.track_clock import (
    MAX_PRESENTATION_DELAY,
    FileClock,
    StepCounter,
    TrackClock,
    has_plausible_delay,
)

MAX_LONE_GAP = 10  # seconds; a longer gap is a jump of the clock, where the format allows jumps
MIN_JOINT_GAP = 1  # seconds; the same for a gap in all tracks that ends with a key frame, as where files were joined
TS_WRAP = Fraction(2**33, 90_000)  # seconds after which the clock of transport and program streams starts again


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


class TrackScan:
    """Collects the runs of a track.

    Args:
        stream: the track.
        allows_jumps: whether the clock of this format may jump ahead.
        has_chunk_times: whether packets are presented in the order and at the times of decoding.

    Attributes:
        runs: of its packets, in their order.
    """

    def __init__(self, stream: Any, allows_jumps: bool, has_chunk_times: bool):
        self.time_base = Fraction(stream.time_base)
        self.gap = int((MIN_JOINT_GAP if allows_jumps else MAX_LONE_GAP) / self.time_base)
        self.is_video = stream.type == "video"
        self._has_chunk_times = has_chunk_times
        self._max_delay = int(MAX_PRESENTATION_DELAY / self.time_base)
        self.packets = 0
        self._codec = "" if self.is_video else codec_name(stream)
        self._parameters: set[tuple[int, ...]] = set()
        self._rate = getattr(stream, "average_rate", None) or 0
        self._steps = StepCounter(self.gap)
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
        is_usable = packet.pts is not None and not self._has_chunk_times
        time = packet.pts if is_usable and has_plausible_delay(packet, self._max_delay) else packet.dts
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


def join_tracks(scans: Mapping[int, TrackScan], allows_jumps: bool) -> FileClock:
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
            _carry_late_tracks(scans, index, i)
        else:
            _pass_on(scans[index].runs, i)
    return FileClock({index: scan.clock() for index, scan in scans.items()}, tuple(jumps))


def _find_partners(scans: Mapping[int, TrackScan], index: int, i: int) -> dict[int, int]:
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


def _is_jump(scans: Mapping[int, TrackScan], members: Mapping[int, int], allows_jumps: bool) -> bool:
    """Whether a step is a jump of the clock: no track goes on without it, and its size is not that of a pause."""
    runs = {index: scans[index].runs[i] for index, i in members.items()}
    middle = min(_middle(run) for run in runs.values())
    start = max(_middle(scans[index].runs[i - 1]) for index, i in members.items())
    others = [scan for index, scan in scans.items() if index not in members and scan.runs]
    if any(scan.runs[0].order < start and scan.runs[-1].last_order > middle for scan in others):
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


def _carry_on(scans: Mapping[int, TrackScan], members: Mapping[int, int]) -> ClockJump:
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
    size = min(steps, key=abs)
    size -= TS_WRAP if size > TS_WRAP / 2 else 0  # a reader takes a large step back for the wrap of the clock
    return ClockJump(float(max(ends, default=Fraction(0))), float(size))


def _carry_late_tracks(scans: Mapping[int, TrackScan], index: int, i: int) -> None:
    """Give the shift behind a jump to tracks that begin behind it, on the same raw clock."""
    run, previous = scans[index].runs[i], scans[index].runs[i - 1]
    for scan in scans.values():
        first = scan.runs[0] if scan.runs else None
        if first is None or first.start is None or run.start is None or first.order <= _middle(previous):
            continue
        if abs(first.start - run.start) < MAX_LONE_GAP:
            first.shift = first.base = run.shift or Fraction(0)


def _middle(run: _Run) -> int:
    return (run.order + run.last_order) // 2


def _pass_on(runs: list[_Run], i: int) -> None:
    """Decide the shift behind a step that is no jump: that of the run before, unless the clock leaps ahead and back."""
    previous, run = runs[i - 1], runs[i]
    run.shift = run.base = previous.base
    leaps_back = i + 1 < len(runs) and runs[i + 1].step < -run.step / 2
    if run.step > 0 and leaps_back and run.start is not None and previous.end is not None:
        run.shift = _shifted(previous.end, previous) - run.start


def _shifted(time: Any, run: _Run) -> Fraction:
    return time + (run.shift or Fraction(0))

"""The clock of one track, and how it is carried on through the packets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from asccl.types import ClockJump

MAX_PRESENTATION_DELAY = 1  # seconds from decoding to presentation, or 20 frames if those last longer
MAX_STEPS = 1000  # of the clock of one track; more are noise


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
        self._clock, self._steps = clock, StepCounter(clock.gap)
        self._max_delay = int(MAX_PRESENTATION_DELAY / clock.time_base)

    def carry_on(self, packet: Any) -> Any:
        """Shift the time stamps of a packet in place, and return it."""
        if self._clock.is_continuous:
            return packet
        run = self._steps.count(packet)
        shift = self._clock.shifts[min(run, len(self._clock.shifts) - 1)]
        if not has_plausible_delay(packet, self._max_delay):
            packet.pts = None  # it was completed from a packet behind the jump
        if packet.dts is not None:
            packet.dts += shift
        if packet.pts is not None:
            packet.pts += shift
        return packet


class StepCounter:
    """Counts the steps of a raw clock that may be jumps: back, or ahead by more than a gap."""

    def __init__(self, gap: int):
        self._gap, self._expected, self._last = gap, None, None
        self.steps = 0
        self.size = 0  # of the last step

    def count(self, packet: Any) -> int:
        time = packet.dts
        if time is None or not packet.size or packet.is_discard:
            return self.steps
        if self._last is not None and self.steps < MAX_STEPS and not self._last <= time <= self._expected + self._gap:
            self.steps += 1
            self.size = time - self._expected
        self._last, self._expected = time, time + (packet.duration or 0)
        return self.steps


def has_plausible_delay(packet: Any, max_delay: int) -> bool:
    """Whether a packet is presented when it is decoded or a little later, as far as it states both."""
    if packet.dts is None or packet.pts is None:
        return True
    return bool(0 <= packet.pts - packet.dts <= max(max_delay, 20 * (packet.duration or 0)))

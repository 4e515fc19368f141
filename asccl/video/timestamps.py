"""Convert times of a source to time stamps of MP4."""

from __future__ import annotations

import math
from fractions import Fraction

from asccl.types import MediaInfo

MAX_COARSE_RESOLUTION = (
    1000  # units per second; time bases up to this (Matroska, FLV) round the times of a constant rate
)
MAX_RESOLUTION = 10_000_000  # units per second that MP4 and players support reliably
FALLBACK_RESOLUTION = 1_000_000  # units per second


class TimestampConverter:
    """Exact conversion from seconds of the source to time stamps of the output.

    Times that a coarse container has rounded (33, 67, 100 ms for 30000/1001 frames per second) are restored to the
    nearest multiple of the frame duration, which is less than one unit away.
    """

    def __init__(self, info: MediaInfo):
        base, self._rate = info.time_base, info.frame_rate
        is_coarse = base.denominator <= MAX_COARSE_RESOLUTION * base.numerator
        self._tolerance = base if is_coarse else Fraction(0)
        resolution = math.lcm(base.denominator, self._rate.numerator) if is_coarse else base.denominator
        self.time_base = Fraction(1, resolution if resolution <= MAX_RESOLUTION else FALLBACK_RESOLUTION)
        self._first = self._origin = Fraction(0)
        self._last_pts: int | None = None

    def start(self, first: Fraction, origin: Fraction) -> None:
        self._first, self._origin = first, origin

    def __call__(self, time: Fraction) -> int:
        if self._tolerance:
            regular = self._first + round((time - self._first) * self._rate) / self._rate
            if abs(regular - time) <= self._tolerance:
                time = regular
        pts = round((time - self._origin) / self.time_base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        self._last_pts = pts
        return pts

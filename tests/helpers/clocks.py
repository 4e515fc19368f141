"""A clock that tests move on, so that no test waits for real time to pass, nor fails because it does."""

from __future__ import annotations

from collections.abc import Callable


class AdjustableClock:
    """Returns the seconds of another clock plus those that a test has added.

    Args:
        base: the other clock; by default, time stands still.
    """

    def __init__(self, base: Callable[[], float] = lambda: 0.0):
        self._base, self._added = base, 0.0

    def __call__(self) -> float:
        return self._base() + self._added

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._added += seconds

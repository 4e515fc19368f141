"""How much work each address has had lately, so that nobody who asks without end slows the others down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HALF_LIFE = 60.0  # seconds after which work counts half
ALLOWANCE = 10.0  # seconds of recent work of which nobody need account
MAX_SHARE = 2.0  # times the mean of the others, above which an address is greedy
REST_FACTOR = 4.0  # times the duration of its last work: the pause of a greedy address
NEGLIGIBLE = 0.01  # seconds; an address with less is forgotten


@dataclass(frozen=True)
class Account:
    """The work of one address.

    Attributes:
        seconds: of recent work, as of `time`.
        time: monotonic seconds at which the last work ended.
        rest_end: monotonic seconds until which the address pauses if it is greedy.
    """

    seconds: float
    time: float
    rest_end: float

    def seconds_at(self, now: float) -> float:
        """Return the recent work at a later time. now: monotonic seconds."""
        return self.seconds * 0.5 ** ((now - self.time) / HALF_LIFE)


class WorkAccounts:
    """Seconds of work by address. Older work counts less, by a half after each `HALF_LIFE`."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def add(self, address: str, seconds: float, now: float) -> None:
        """Count work that has ended, and forget the addresses whose work is long past.

        Args:
            address: whose work it was.
            seconds: that it took.
            now: monotonic seconds.
        """
        earlier = self._accounts.get(address, Account(0.0, now, now))
        rest_end = max(earlier.rest_end, now + REST_FACTOR * seconds)
        self._accounts[address] = Account(earlier.seconds_at(now) + seconds, now, rest_end)
        self._accounts = {
            name: account for name, account in self._accounts.items() if account.seconds_at(now) > NEGLIGIBLE
        }

    def resting(self, running: Iterable[tuple[str, float]], now: float) -> set[str]:
        """Return the greedy addresses, which have had much more than the others, while they are to pause.

        Args:
            running: address and start of work that goes on.
            now: monotonic seconds.
        """
        used = {address: account.seconds_at(now) for address, account in self._accounts.items()}
        for address, start in running:
            used[address] = used.get(address, 0.0) + now - start
        total, others = sum(used.values()), max(len(used) - 1, 1)
        return {
            address
            for address, account in self._accounts.items()
            if now < account.rest_end and used[address] > max(ALLOWANCE, MAX_SHARE * (total - used[address]) / others)
        }

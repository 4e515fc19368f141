"""Places for work that many people ask for at the same time, so that no client keeps the others waiting."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gradio as gr

from asccl.errors import SettingError

POLL_INTERVAL = 0.05  # seconds between two looks whether a place is free


@dataclass(frozen=True)
class Caller:
    """Who asks for work.

    Attributes:
        session: random name of an open page, chosen by its browser.
        address: of the client on the network.
    """

    session: str = ""
    address: str = ""

    @classmethod
    def of(cls, request: gr.Request) -> Caller:
        """Return who sent a request."""
        client = getattr(request, "client", None)
        return cls(request.session_hash or "", client.host if client else "")


class Ticket:
    """A request for a place; `Places.ticket` issues it.

    Attributes:
        caller: who asked.
    """

    def __init__(self, caller: Caller, places: Places):
        self.caller, self._places = caller, places

    @property
    def is_ready(self) -> bool:
        """Whether the work may start."""
        return self in self._places.running

    @property
    def position(self) -> int:
        """How many others may start before, plus one; 0 when the work may start."""
        return self._places.position(self)

    async def wait(self) -> None:
        """Wait until the work may start."""
        while not self.is_ready:
            await asyncio.sleep(POLL_INTERVAL)


class Places:
    """A number of places. Addresses take turns; within an address, whoever came first is first.

    Args:
        count: of the places: how many work at the same time.
        session_limit: tickets of one session, working or waiting.
        address_limit: tickets of one address.
        total_limit: tickets of all.

    Attributes:
        running: tickets that have a place.
    """

    def __init__(self, count: int, session_limit: int, address_limit: int, total_limit: int = 200):
        self._count, self._total_limit = count, total_limit
        self._session_limit, self._address_limit = session_limit, address_limit
        self._lock = threading.Lock()
        self._turns = itertools.count(1)
        self._last_turn: dict[str, int] = {}  # of each address that has tickets
        self.running: list[Ticket] = []
        self._waiting: list[Ticket] = []

    @contextmanager
    def ticket(self, caller: Caller) -> Iterator[Ticket]:
        """Issue a ticket that is valid until the end of the block.

        Raises:
            SettingError: the session or the address has too many tickets already, or all have together.
        """
        ticket = Ticket(caller, self)
        with self._lock:
            self._check_limits(caller)
            self._last_turn.setdefault(caller.address, 0)
            self._waiting.append(ticket)
            self._fill()
        try:
            yield ticket
        finally:
            with self._lock:
                (self.running if ticket in self.running else self._waiting).remove(ticket)
                if not any(other.caller.address == caller.address for other in self._tickets()):
                    del self._last_turn[caller.address]
                self._fill()

    def position(self, ticket: Ticket) -> int:
        """See `Ticket.position`."""
        with self._lock:
            return 0 if ticket in self.running else self._in_order().index(ticket) + 1

    def _tickets(self) -> list[Ticket]:
        return [*self.running, *self._waiting]

    def _check_limits(self, caller: Caller) -> None:
        tickets = self._tickets()
        if sum(ticket.caller == caller for ticket in tickets) >= self._session_limit:
            raise SettingError("this page has asked for as much as it may at once", "wait for one to end, or cancel it")
        if sum(ticket.caller.address == caller.address for ticket in tickets) >= self._address_limit:
            raise SettingError("too much is asked for from this address at once", "wait a moment and try again")
        if len(tickets) >= self._total_limit:
            raise SettingError("too many people use this server at the moment", "try again in a few minutes")

    def _in_order(self) -> list[Ticket]:
        """The waiting tickets in the order in which they get a place: one of each address, then the second of each."""
        earlier: dict[str, int] = {}
        rounds: list[tuple[int, int]] = []
        for ticket in self._waiting:
            address = ticket.caller.address
            rounds.append((earlier.get(address, 0), self._last_turn[address]))
            earlier[address] = earlier.get(address, 0) + 1
        order = sorted(range(len(self._waiting)), key=lambda index: (*rounds[index], index))
        return [self._waiting[index] for index in order]

    def _fill(self) -> None:
        """Give free places to waiting tickets."""
        while self._waiting and len(self.running) < self._count:
            ticket = self._in_order()[0]
            self._waiting.remove(ticket)
            self.running.append(ticket)
            self._last_turn[ticket.caller.address] = next(self._turns)

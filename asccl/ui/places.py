"""Places for work that many people ask for at the same time, so that no client keeps the others waiting."""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import gradio as gr
from starlette.concurrency import run_in_threadpool

from asccl.errors import CancelledError, SettingError
from asccl.ui.listeners import Listeners
from asccl.ui.work_accounts import WorkAccounts

Result = TypeVar("Result")
POLL_INTERVAL = 0.05  # seconds between two looks whether a place is free
MAX_SILENCE = 20.0  # seconds for which work goes on, or waits, although nobody waits for its messages
QUIET_SECONDS = 3.0  # without work of others, after which a greedy address need not pause


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

    Args:
        caller: who asks.
        places: that issue it.
        number: of its issue, among the events of these places.
        since: time of the clock of the places.
    """

    def __init__(self, caller: Caller, places: Places, number: int, since: float):
        self.caller, self.number, self._places = caller, number, places
        self._since = since
        self._has_place = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the work may start."""
        return self._places.admits(self)

    def silent_seconds(self, listeners: Listeners) -> float:
        """Return for how long the caller has not waited for messages."""
        return listeners.silent_seconds((self.caller.session, self.caller.address), self._since)

    @property
    def position(self) -> int:
        """How many others may start before, plus one; 0 when the work may start."""
        return self._places.position(self)

    async def wait(self) -> None:
        """Wait until the work may start. Raises CancelledError when nobody has waited for its messages for a while."""
        while not self.is_ready:
            self._places.check_listener(self)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL):  # a pause may end, or somebody begin to wait for messages
                    await self._has_place.wait()

    def notify(self) -> None:
        """Let `wait` end. `Places` calls it, in the event loop of those who wait."""
        self._has_place.set()


class Places:
    """A number of places. Addresses take turns, and so do the pages of an address; a page's requests keep their order.

    The next turn goes to the address that has waited longest since it asked, or since its last turn ended if that was
    later. A flood of requests therefore gets one turn when everybody else gets one, and nobody waits longer than a
    round. Where there are several places, no address has all of them. An address whose work has taken much more time
    than that of the others (see `WorkAccounts`) pauses after each piece of work, unless none of the others has had or
    wanted a place for `QUIET_SECONDS`. Work for whose messages nobody waits gets no place.

    Args:
        count: of the places: how many work at the same time.
        session_limit: tickets of one session, working or waiting.
        address_limit: tickets of one address.
        total_limit: tickets of all.
        clock: returns monotonic seconds, the same as that of the listeners.
        listeners: who waits for messages; None if that does not matter.
        executor: threads for `run`; None takes those of the server.
        on_refusal: called with an address that asks for more than it may.

    Attributes:
        running: tickets that have a place.
    """

    def __init__(
        self,
        count: int,
        session_limit: int,
        address_limit: int,
        total_limit: int = 200,
        clock: Callable[[], float] = time.monotonic,
        listeners: Listeners | None = None,
        executor: Executor | None = None,
        on_refusal: Callable[[str], None] = lambda address: None,
    ):
        self._count, self._total_limit, self._clock = count, total_limit, clock
        self._listeners, self._executor, self._on_refusal = listeners, executor, on_refusal
        self._session_limit, self._address_limit = session_limit, address_limit
        self._lock = threading.Lock()
        self._accounts = WorkAccounts()
        self._last_uses: dict[str, float] = {}  # time at which an address last had a ticket, for `QUIET_SECONDS`
        self._starts: dict[Ticket, float] = {}  # of the running tickets
        self._events = itertools.count()  # numbers the tickets and the ends of turns
        self._turn_ends: dict[str | Caller, int] = {}  # number of the last one of each address and page with tickets
        self._next_fill = -math.inf  # time of the next `_fill_again`
        self.running: list[Ticket] = []
        self._waiting: list[Ticket] = []

    @contextmanager
    def ticket(self, caller: Caller) -> Iterator[Ticket]:
        """Issue a ticket that is valid until the end of the block.

        Raises:
            SettingError: the session or the address has too many tickets already, or all have together.
        """
        with self._lock:
            self._check_limits(caller)
            ticket = Ticket(caller, self, next(self._events), self._clock())
            self._waiting.append(ticket)
            self._fill()
        try:
            yield ticket
        finally:
            with self._lock:
                (self.running if ticket in self.running else self._waiting).remove(ticket)
                now = self._clock()
                if ticket in self._starts:
                    self._accounts.add(caller.address, now - self._starts.pop(ticket), now)
                    self._turn_ends[caller.address] = self._turn_ends[caller] = next(self._events)
                names = {name for other in self._tickets() for name in (other.caller.address, other.caller)}
                self._turn_ends = {name: number for name, number in self._turn_ends.items() if name in names}
                self._last_uses[caller.address] = now
                self._fill()

    async def run(self, caller: Caller, work: Callable[..., Result], *arguments: Any) -> Result:
        """Wait for a place, and call a function in a thread.

        Args:
            caller: who asks.
            work: the function.
            arguments: of the function.

        Returns:
            What it returns.

        Raises:
            SettingError: see `ticket`.
            CancelledError: see `Ticket.wait`.
        """
        with self.ticket(caller) as ticket:
            await ticket.wait()
            if self._executor is None:
                return await run_in_threadpool(work, *arguments)
            return await asyncio.wrap_future(self._executor.submit(work, *arguments))

    def admits(self, ticket: Ticket) -> bool:
        """See `Ticket.is_ready`."""
        with self._lock:
            self._fill_again()
            return ticket in self.running

    def check_listener(self, ticket: Ticket) -> None:
        """Raise CancelledError if nobody has waited for the messages of a ticket's work for `MAX_SILENCE`."""
        if self._listeners is not None and ticket.silent_seconds(self._listeners) > MAX_SILENCE:
            raise CancelledError

    def position(self, ticket: Ticket) -> int:
        """See `Ticket.position`."""
        with self._lock:
            self._fill_again()
            return 0 if ticket in self.running else self._in_order().index(ticket) + 1

    def _tickets(self) -> list[Ticket]:
        return [*self.running, *self._waiting]

    def _check_limits(self, caller: Caller) -> None:
        tickets = self._tickets()
        is_page_full = sum(ticket.caller == caller for ticket in tickets) >= self._session_limit
        is_address_full = sum(ticket.caller.address == caller.address for ticket in tickets) >= self._address_limit
        if is_page_full or is_address_full:
            self._on_refusal(caller.address)
        if is_page_full:
            raise SettingError("this page has asked for as much as it may at once", "wait for one to end, or cancel it")
        if is_address_full:
            raise SettingError("too much is asked for from this address at once", "wait a moment and try again")
        if len(tickets) >= self._total_limit:
            raise SettingError("too many people use this server at the moment", "try again in a few minutes")

    def _in_order(self) -> list[Ticket]:
        """The waiting tickets in the order in which they get a place."""
        by_page = self._take_turns(self._waiting, lambda caller: caller)
        return self._take_turns(by_page, lambda caller: caller.address)

    def _take_turns(self, tickets: Iterable[Ticket], name_of: Callable[[Caller], str | Caller]) -> list[Ticket]:
        """Order waiting tickets: one of each name, then the second of each, and so on.

        Args:
            tickets: those of one name are in their order already.
            name_of: returns who takes turns.
        """
        busy = {name_of(ticket.caller) for ticket in self.running}  # these are having their turn
        earlier: Counter[str | Caller] = Counter()
        turns: dict[Ticket, tuple[int, bool, int]] = {}
        for ticket in tickets:
            name = name_of(ticket.caller)
            turns[ticket] = earlier[name], name in busy, max(ticket.number, self._turn_ends.get(name, 0))
            earlier[name] += 1
        return sorted(turns, key=turns.__getitem__)

    def _fill(self) -> None:
        """Give free places to waiting tickets."""
        while len(self.running) < self._count and (ticket := self._next_ticket()):
            self._waiting.remove(ticket)
            self.running.append(ticket)
            self._starts[ticket] = self._clock()
            ticket.notify()

    def _fill_again(self) -> None:
        """Give places that were left free, because the callers of all waiting tickets were silent or greedy."""
        if len(self.running) < self._count and self._waiting and self._clock() >= self._next_fill:
            self._next_fill = self._clock() + POLL_INTERVAL
            self._fill()

    def _next_ticket(self) -> Ticket | None:
        """The waiting ticket that gets a free place; None if each would take its address's last place."""
        places = Counter(ticket.caller.address for ticket in self.running)
        allowed, greedy = max(self._count - 1, 1), self._held_back()
        for ticket in self._in_order():
            address = ticket.caller.address
            if places[address] < allowed and address not in greedy and self._is_heard(ticket):
                return ticket
        return None

    def _held_back(self) -> set[str]:
        """The greedy addresses that pause, because others have asked for work just now."""
        now = self._clock()
        self._last_uses = {name: last for name, last in self._last_uses.items() if now - last < QUIET_SECONDS}
        running = [(ticket.caller.address, start) for ticket, start in self._starts.items()]
        if not (resting := self._accounts.resting(running, now)):
            return resting
        active = {ticket.caller.address for ticket in self._tickets() if self._is_heard(ticket)} | set(self._last_uses)
        return resting if active - resting else set()

    def _is_heard(self, ticket: Ticket) -> bool:
        """Whether somebody waits for the messages of a ticket's work now."""
        return self._listeners is None or ticket.silent_seconds(self._listeners) == 0

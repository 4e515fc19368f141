"""Places: addresses take turns, and no page and no address gets more than its share."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress

import pytest
from coroutines import run_coroutine

from asccl.errors import CancelledError, SettingError
from asccl.ui import places as places_module
from asccl.ui.listeners import Listeners
from asccl.ui.page import ADDRESS_LIMIT, MAX_EDITS, SESSION_JOBS
from asccl.ui.places import QUIET_SECONDS, Caller, Places
from asccl.ui.work_accounts import HALF_LIFE, REST_FACTOR, Account


def test_addresses_take_turns():
    """One address asks three times before the other asks once."""
    places = Places(1, 10, 10)
    with ExitStack() as busy, ExitStack() as rest:
        busy.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        second = rest.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        third = rest.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        other = rest.enter_context(places.ticket(Caller("b", "10.0.0.2")))
        assert [other.position, second.position, third.position] == [1, 2, 3]


def test_a_flood_gets_one_turn_when_the_others_get_one():
    """After a turn of an address that has asked three times, the other is next, although it asked last."""
    places = Places(1, 10, 10)
    with ExitStack() as busy, ExitStack() as rest:
        busy.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        second = rest.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        rest.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        other = rest.enter_context(places.ticket(Caller("b", "10.0.0.2")))
        busy.close()
        assert (other.position, second.position) == (0, 1)


def test_the_pages_of_an_address_take_turns():
    """In a room behind one address, one page asks four times before another asks once."""
    places = Places(1, 10, 10)
    with ExitStack() as busy, ExitStack() as rest:
        busy.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        second, third, _ = (rest.enter_context(places.ticket(Caller("a", "10.0.0.1"))) for _ in range(3))
        other = rest.enter_context(places.ticket(Caller("b", "10.0.0.1")))
        before = [other.position, second.position]
        busy.close()
        assert (before, [other.position, second.position, third.position]) == ([1, 2], [0, 1, 2])


def test_after_its_turn_a_page_waits_for_the_others_of_its_address():
    places = Places(1, 10, 10)
    with ExitStack() as first, ExitStack() as second, ExitStack() as rest:
        for turn in (first, second):
            turn.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        others = [rest.enter_context(places.ticket(Caller(name, "10.0.0.1"))) for name in ("a", "b", "c")]
        first.close()
        second.close()
        assert [ticket.position for ticket in others] == [2, 0, 1]


def test_nobody_is_overtaken_by_those_who_worked_less():
    """Of two addresses that wait, the one that has waited longer comes first, although its work took more time."""
    now = 0.0
    places = Places(1, 10, 10, clock=lambda: now)
    with places.ticket(Caller("a", "10.0.0.1")):
        now = 5.0
    with ExitStack() as busy, ExitStack() as rest:
        busy.enter_context(places.ticket(Caller("c", "10.0.0.3")))
        first = rest.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        other = rest.enter_context(places.ticket(Caller("b", "10.0.0.2")))
        busy.close()
        assert (first.position, other.position) == (0, 1)


def greedy_places() -> tuple[Places, list[float]]:
    """Two places, of which 10.0.0.1 has just had one 60 times for a second, and the time, which tests may change."""
    clock = [0.0]
    places = Places(2, 10, 10, clock=lambda: clock[0])
    for _ in range(60):
        with places.ticket(Caller("greedy", "10.0.0.1")):
            clock[0] += 1.0
    return places, clock


def test_a_greedy_address_pauses_while_others_work():
    places, clock = greedy_places()
    with places.ticket(Caller("a", "10.0.0.2")), places.ticket(Caller("greedy", "10.0.0.1")) as greedy:
        clock[0] += REST_FACTOR - 0.1
        assert not greedy.is_ready


def test_a_greedy_address_gets_a_place_after_its_pause():
    places, clock = greedy_places()
    with places.ticket(Caller("a", "10.0.0.2")), places.ticket(Caller("greedy", "10.0.0.1")) as greedy:
        clock[0] += REST_FACTOR + 0.1
        assert greedy.is_ready


def test_a_greedy_address_need_not_pause_when_the_others_do():
    places, clock = greedy_places()
    with places.ticket(Caller("a", "10.0.0.2")):
        pass
    with places.ticket(Caller("greedy", "10.0.0.1")) as greedy:
        before = greedy.position
        clock[0] += QUIET_SECONDS
        assert (before, greedy.position) == (1, 0)


def test_a_greedy_address_alone_gets_a_place():
    places, _ = greedy_places()
    with places.ticket(Caller("greedy", "10.0.0.1")) as greedy:
        assert greedy.is_ready


def test_old_work_counts_less():
    assert Account(8.0, 0.0, 0.0).seconds_at(2 * HALF_LIFE) == 2.0


def test_who_works_as_much_as_the_others_is_not_greedy():
    places, clock = greedy_places()
    with places.ticket(Caller("a", "10.0.0.2")) as other:
        clock[0] += 60.0
        with places.ticket(Caller("again", "10.0.0.1")):
            clock[0] += 60.0
        with places.ticket(Caller("again", "10.0.0.1")) as again:
            assert (other.is_ready, again.is_ready) == (True, True)


def test_no_address_has_all_places():
    places = Places(2, 10, 10)
    with (
        places.ticket(Caller("a", "10.0.0.1")) as first,
        places.ticket(Caller("a", "10.0.0.1")) as second,
        places.ticket(Caller("b", "10.0.0.2")) as other,
    ):
        assert [first.is_ready, second.is_ready, other.is_ready] == [True, False, True]


def test_whoever_came_first_within_an_address_is_first():
    places = Places(1, 10, 10)
    with (
        places.ticket(Caller("a", "10.0.0.1")),
        places.ticket(Caller("b", "10.0.0.1")) as second,
        places.ticket(Caller("c", "10.0.0.1")) as third,
    ):
        assert [second.position, third.position] == [1, 2]


def test_a_place_that_is_left_goes_to_the_next():
    places = Places(1, 10, 10)
    with ExitStack() as first:
        first.enter_context(places.ticket(Caller("a", "10.0.0.1")))
        with places.ticket(Caller("b", "10.0.0.2")) as second:
            assert not second.is_ready
            first.close()
            assert second.is_ready


@pytest.mark.parametrize(
    ("limits", "caller"),
    [
        ((1, 1, 9, 9), Caller("a", "10.0.0.1")),  # the page
        ((1, 9, 1, 9), Caller("b", "10.0.0.1")),  # the address
        ((1, 9, 9, 1), Caller("b", "10.0.0.2")),  # all together
    ],
)
def test_more_than_a_limit_is_refused(limits, caller):
    places = Places(*limits)
    with places.ticket(Caller("a", "10.0.0.1")), pytest.raises(SettingError), places.ticket(caller):
        pass


def test_twenty_people_who_share_an_address_may_ask_for_an_edit_each():
    places = Places(MAX_EDITS, SESSION_JOBS, ADDRESS_LIMIT)
    with ExitStack() as room:
        tickets = [room.enter_context(places.ticket(Caller(f"page{number}", "10.0.0.1"))) for number in range(20)]
        assert [ticket.position for ticket in tickets] == list(range(20))


def test_an_address_that_asks_for_too_much_is_reported():
    refused: list[str] = []
    places = Places(1, 1, 9, on_refusal=refused.append)
    caller = Caller("a", "10.0.0.1")
    with places.ticket(caller), suppress(SettingError), places.ticket(caller):
        pass
    assert refused == ["10.0.0.1"]


def test_a_ticket_that_ended_no_longer_counts():
    places = Places(1, 1, 1)
    caller = Caller("a", "10.0.0.1")
    with places.ticket(caller):
        pass
    with places.ticket(caller) as ticket:
        assert ticket.is_ready


def test_work_for_whose_messages_nobody_waits_gets_no_place():
    listeners = Listeners()
    places = Places(1, 10, 10, listeners=listeners)
    with (
        listeners.listening("heard"),
        places.ticket(Caller("silent", "10.0.0.1")) as silent,
        places.ticket(Caller("heard", "10.0.0.2")) as heard,
    ):
        assert [silent.is_ready, heard.is_ready] == [False, True]


def test_work_gets_a_free_place_once_somebody_waits_for_its_messages():
    listeners = Listeners()
    places = Places(1, 10, 10, listeners=listeners)
    with places.ticket(Caller("page", "10.0.0.1")) as ticket, listeners.listening("page"):
        assert ticket.is_ready


def test_work_for_whose_messages_nobody_waits_ends_after_a_while(monkeypatch):
    monkeypatch.setattr(places_module, "MAX_SILENCE", 0.0)
    places = Places(1, 10, 10, listeners=Listeners())
    with pytest.raises(CancelledError):
        run_coroutine(places.run(Caller("silent", "10.0.0.1"), lambda: None))


def test_whoever_waits_gets_a_free_place_at_once(monkeypatch):
    """Without waiting for the next look whether there is one."""
    monkeypatch.setattr(places_module, "POLL_INTERVAL", 3600.0)
    places = Places(1, 10, 10)

    async def work_in_turn() -> list[str]:
        works = [places.run(Caller(name, name), str, name) for name in ("first", "second")]
        return await asyncio.wait_for(asyncio.gather(*works), 30)

    assert run_coroutine(work_in_turn()) == ["first", "second"]

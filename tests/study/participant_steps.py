"""A participant's steps through a study, without pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asccl.study import answering, session
from asccl.study.participants import invite_participants
from asccl.study.store import Store


def enter_study(store: Store, study_id: str, label: str = "") -> str:
    """Invite a participant and take them to their first question. Returns the token."""
    ((_, token),) = invite_participants(store, study_id, [label])
    session.accept_consent(store, study_id, token)
    shape, beeps = session.open_session(store, study_id, token).check_solution()
    assert session.submit_check(store, study_id, token, shape, str(beeps)) == ""
    return token


def make_answer(position: int, answer: str = "left", key: str = "", **changes: Any) -> answering.Answer:
    values: dict[str, Any] = {"plays_left": 1, "plays_right": 1, "mode": "together", **changes}
    return answering.Answer(position, key or f"key-of-the-answer-{position:04}", answer, **values)


def answer_first(store: Store, study_id: str, token: str, answer: str = "left", **changes: Any) -> dict[str, Any]:
    """Show the present trial and answer it. Returns the next."""
    trial = answering.show_trial(store, study_id, token)
    return answering.submit_answer(store, study_id, token, make_answer(trial["position"], answer, **changes))


def finish_study(
    store: Store, study_id: str, token: str, choose: Callable[[int], str] = lambda position: "left"
) -> int:
    """Answer everything. Returns the number of answers."""
    trial, count = answering.show_trial(store, study_id, token), 0
    while trial:
        count += 1
        answer = make_answer(trial["position"], choose(trial["position"]))
        trial = answering.submit_answer(store, study_id, token, answer)
    return count


def empty_database(url: str) -> None:
    """Drop everything in a PostgreSQL database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")

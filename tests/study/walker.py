"""A participant's steps through the store, without pages."""

from __future__ import annotations

from collections.abc import Callable

from asccl.study import people, session
from asccl.study.store import Store


def enter(store: Store, study: str, label: str = "") -> str:
    """Invites somebody and takes them to their first question. Returns the token."""
    ((_, token),) = people.invite(store, study, [label])
    session.consent(store, study, token)
    shape, beeps = session.open_session(store, study, token).puzzle()
    assert session.check(store, study, token, shape, str(beeps)) == ""
    return token


def reply(position: int, answer: str = "left", key: str = "", **other: object) -> session.Answer:
    told = {"plays_left": 1, "plays_right": 1, "mode": "together", **other}
    return session.Answer(position, key or f"key-of-the-answer-{position:04}", answer, **told)  # type: ignore[arg-type]


def finish(store: Store, study: str, token: str, choose: Callable[[int], str] = lambda position: "left") -> int:
    """Answers everything. Returns how many answers it took."""
    screen, count = session.screen(store, study, token), 0
    while screen:
        count += 1
        screen = session.answer(store, study, token, reply(screen["position"], choose(screen["position"])))
    return count


def empty(url: str) -> None:
    """A PostgreSQL database as it was made."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")

"""One participant's walk: consent, check of screen and sound, one question after the other, thanks.

Nothing is kept between two calls: where somebody stands is what the store says, so any server process can go on.
Every function takes what came with the link and trusts none of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from asccl.errors import StudyError
from asccl.study import tokens
from asccl.study.design import BROKEN, participant_seed, schedule
from asccl.study.people import erase, filled, full, new_participant
from asccl.study.schema import participants, studies, trials, votes
from asccl.study.store import Store, now
from asccl.study.studies import Study, load
from asccl.version import __version__

ANSWERS = ("left", "right", "cannot")
MODES = ("together", "in turn")
SHAPES = ("circle", "square", "triangle")
KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")  # of an answer, made by the page
MAX_PLAYS = 10_000
MIN_WATCH_FRACTION = 0.9  # an answer before this share of the longer clip has passed cannot have seen it


class SessionError(Exception):
    """What a participant may not do. reason: invalid, closed, full, order, early or bad."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ParticipantSession:
    """Who came and where they stand. stage: join, consent, check, trial or done. row: None on an open link."""

    study: Study
    row: Row[Any] | None
    stage: str

    @property
    def person(self) -> str:
        if self.row is None:
            raise SessionError("invalid")
        return self.row.id

    def puzzle(self) -> tuple[str, int]:
        """Which shape is shown and how many beeps are played: depends on the link alone."""
        number = participant_seed(0, sum(self.person.encode()))
        return SHAPES[number % 3], 2 + number // 3 % 3


@dataclass(frozen=True)
class Answer:
    """As it came from the page; checked by `answer`."""

    position: int
    key: str
    answer: str
    plays_left: int
    plays_right: int
    mode: str


def open_session(store: Store, study: str, token: str, connection: Connection | None = None) -> ParticipantSession:
    """Raises Refused: the link is not one of ours, was revoked, belongs to another study."""
    if not (tokens.STUDY.fullmatch(study) and tokens.TOKEN.fullmatch(token)):
        raise SessionError("invalid")
    if connection is None:
        with store.read() as own:
            return open_session(store, study, token, own)
    try:
        found = load(connection, study)
    except StudyError:
        raise SessionError("invalid") from None
    if found.open_serial > 0 and tokens.same(token, store.signer.open_link(study, found.open_serial)):
        return ParticipantSession(found, None, "join")
    person = token[: tokens.IDENTITY]
    query = select(participants).where(participants.c.id == person, participants.c.study_id == study)
    row = connection.execute(query.with_for_update() if _writes(connection) else query).one_or_none()
    expected = store.signer.participant(study, person, row.serial if row else 0)
    if not tokens.same(token, expected) or row is None or row.revoked_at:
        raise SessionError("invalid")
    stage = "done" if row.finished_at else "trial" if row.checked_at else "check" if row.consented_at else "consent"
    return ParticipantSession(found, row, stage)


def join(store: Store, study: str, token: str) -> str:
    """From an open link to a personal one. Returns its token."""
    with store.write() as connection:
        here = _open(open_session(store, study, token, connection))
        if here.row is not None:
            return token
        _lock(connection, study)
        count = connection.scalar(select(func.count()).where(participants.c.study_id == study)) or 0
        if count >= here.study.plan.max_participants or full(connection, here.study):
            raise SessionError("full")
        person = new_participant(connection, study, "")
    return store.signer.participant(study, person, 1)


def consent(store: Store, study: str, token: str) -> None:
    """Accepted. Fixes the schedule, unless that was done before."""
    with store.write() as connection:
        here = _open(open_session(store, study, token, connection))
        if here.stage != "consent":
            return
        number = _lock(connection, study) + 1
        if full(connection, here.study):
            raise SessionError("full")
        seed = participant_seed(here.study.plan.seed, number)
        found = here.study
        planned = schedule(found.plan, found.pairs(), filled(connection, found), seed, found.broken)
        rows = [
            {"study_id": study, "participant_id": here.person, "position": position, **vars(trial)}
            for position, trial in enumerate(planned, 1)
        ]
        connection.execute(insert(trials), rows)
        connection.execute(update(studies).where(studies.c.id == study).values(joined=number))
        moment = now()
        _set(connection, here, number=number, seed=str(seed), consented_at=moment, seen_at=moment)


def check(store: Store, study: str, token: str, shape: str, beeps: str) -> str:
    """The check of screen and sound. Returns "" when passed, else the name of a text that says why not."""
    with store.write() as connection:
        here = _open(open_session(store, study, token, connection))
        if here.stage != "check":
            return ""
        shown, played = here.puzzle()
        need = here.study.plan.sound
        if beeps == "none" and need == "required":
            return "check_sound_needed"
        silent = need == "none" or (beeps == "none" and need == "optional")
        if shape != shown or not (silent or beeps == str(played)):
            return "check_failed"
        _set(connection, here, checked_at=now(), seen_at=now(), sound="none" if silent else "heard")
        return ""


def screen(store: Store, study: str, token: str) -> dict[str, Any] | None:
    """The question to answer now, as the page needs it; None when all are answered."""
    with store.write() as connection:
        here = _open(open_session(store, study, token, connection))
        if here.stage not in ("trial", "done"):
            raise SessionError("order")
        return _screen(store, connection, here)


def answer(store: Store, study: str, token: str, given: Answer) -> dict[str, Any] | None:
    """Keeps an answer; when this returns, it is on the disk. Returns the next question, None after the last.

    The same answer sent again, with its key, counts once and is acknowledged again.
    """
    with store.write() as connection:
        here = open_session(store, study, token, connection)
        trial = connection.execute(
            select(trials).where(trials.c.participant_id == here.person, trials.c.position == given.position)
        ).one_or_none()
        if trial is None:
            raise SessionError("bad")
        kept = connection.execute(select(votes).where(votes.c.trial_id == trial.id)).one_or_none()
        if kept is None:
            _open(here)
            _vote(connection, here, trial, given)
        elif not tokens.same(kept.client_key, given.key):
            raise SessionError("order")
        return None if here.study.closed() else _screen(store, connection, here)


def withdraw(store: Store, study: str, token: str) -> int:
    """Deletes the participant and every answer. Returns how many. Works in a closed study, too."""
    with store.write() as connection:
        here = open_session(store, study, token, connection)
        return erase(connection, study, here.person)


def clip(store: Store, study: str, token: str, name: str) -> Path:
    """The file behind an opaque name of the present screen or the next. Raises Refused."""
    with store.read() as connection:
        here = _open(open_session(store, study, token, connection))
        for trial in _ahead(connection, here.person):
            for slot, (role, method) in _slots(here.study, trial).items():
                if tokens.same(name, store.signer.clip(here.person, trial.position, slot)):
                    return store.clip_path(study, here.study.files[trial.item, role, method][0])
    raise SessionError("invalid")


def _vote(connection: Connection, here: ParticipantSession, trial: Row[Any], given: Answer) -> None:
    current = _ahead(connection, here.person)
    if not current or current[0].id != trial.id or trial.shown_at is None:
        raise SessionError("order")
    allowed = ANSWERS if here.study.plan.cannot_tell else ANSWERS[:2]
    plays = (given.plays_left, given.plays_right)
    if given.answer not in allowed or given.mode not in MODES or not KEY.fullmatch(given.key):
        raise SessionError("bad")
    if not all(1 <= count <= MAX_PLAYS for count in plays):
        raise SessionError("early")
    shown, answered = datetime.fromisoformat(trial.shown_at), datetime.now(UTC)
    seconds = (answered - shown).total_seconds()
    if seconds < MIN_WATCH_FRACTION * _longest(here.study, trial):
        raise SessionError("early")
    assert here.row is not None
    emotion, setting = here.study.items[trial.item]
    copied = {name: getattr(trial, name) for name in ("position", "kind", "question", "item", "left", "right")}
    connection.execute(
        insert(votes).values(
            study_id=here.study.id, participant_id=here.person, trial_id=trial.id, client_key=given.key, **copied,
            emotion=emotion, setting=setting, answer=given.answer,
            chosen="" if given.answer == "cannot" else getattr(trial, given.answer),
            shown_at=trial.shown_at, answered_at=answered.isoformat(timespec="milliseconds"), seconds=seconds,
            plays_left=given.plays_left, plays_right=given.plays_right, mode=given.mode, seed=str(here.row.seed),
            version=__version__, plan_sha256=here.study.plan_sha256,
        )
    )  # fmt: skip
    last = {"finished_at": now()} if len(current) == 1 else {}
    _set(connection, here, seen_at=now(), **last)


def _screen(store: Store, connection: Connection, here: ParticipantSession) -> dict[str, Any] | None:
    ahead = _ahead(connection, here.person)
    if not ahead:
        return None
    trial = ahead[0]
    if trial.shown_at is None:
        connection.execute(update(trials).where(trials.c.id == trial.id).values(shown_at=now()))
    total = connection.scalar(select(func.count()).where(trials.c.participant_id == here.person))

    def names(one: Row[Any]) -> list[dict[str, str]]:
        sign = store.signer.clip
        return [{"slot": slot, "clip": sign(here.person, one.position, slot)} for slot in _slots(here.study, one)]

    return {
        "position": trial.position,
        "total": total,
        "practice": trial.kind == "training",
        "question": here.study.plan.question(trial.question).text,
        "clips": names(trial),
        "next": [named["clip"] for later in ahead[1:] for named in names(later)],
    }


def _slots(study: Study, trial: Row[Any]) -> dict[str, tuple[str, str]]:
    """Place on the screen -> (role, method) of the clip there."""
    shown = {name: (name, "") for name in study.plan.question(trial.question).show}
    pair = {
        side: ("broken", "") if method == BROKEN else ("output", method)
        for side, method in (("left", trial.left), ("right", trial.right))
    }
    return {**shown, **pair}


def _longest(study: Study, trial: Row[Any]) -> float:
    slots = _slots(study, trial)
    return max(study.files[trial.item, *slots[side]][1] for side in ("left", "right"))


def _ahead(connection: Connection, person: str) -> list[Row[Any]]:
    """The present trial and the next."""
    query = (
        select(trials).outerjoin(votes, votes.c.trial_id == trials.c.id)
        .where(trials.c.participant_id == person, votes.c.id.is_(None)).order_by(trials.c.position).limit(2)
    )  # fmt: skip
    return list(connection.execute(query))


def _open(here: ParticipantSession) -> ParticipantSession:
    if here.study.closed():
        raise SessionError("closed")
    return here


def _lock(connection: Connection, study: str) -> int:
    """How many have joined; nobody else joins until the transaction ends."""
    return connection.scalar(select(studies.c.joined).where(studies.c.id == study).with_for_update()) or 0


def _set(connection: Connection, here: ParticipantSession, **values: Any) -> None:
    connection.execute(update(participants).where(participants.c.id == here.person).values(values))


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("asccl_write"))

"""Participants as the researcher sees them: invited, counted, revoked, deleted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from asccl.errors import StudyError
from asccl.study import tokens
from asccl.study.design import MethodPair
from asccl.study.schema import deletions, participants, trials, votes
from asccl.study.store import Store, now
from asccl.study.studies import Study, load

STALE = timedelta(hours=24)  # who was not seen for so long holds no place that they did not fill
MOST_LABEL = 200


@dataclass(frozen=True)
class Participant:
    """One row of the administrator's table. stage: invited, consented, answering, finished, revoked."""

    id: str
    label: str
    token: str
    stage: str
    answered: int
    total: int
    code: str
    seen_at: str | None


def invite(store: Store, study: str, labels: list[str]) -> list[tuple[str, str]]:
    """One personal link for each label. Returns (label, token). Raises StudyError."""
    if any(len(label) > MOST_LABEL or "\0" in label for label in labels):
        raise StudyError(f"a label is longer than {MOST_LABEL} characters, or is no text", "shorten it")
    with store.write() as connection:
        found = load(connection, study)
        here = connection.scalar(select(func.count()).where(participants.c.study_id == study)) or 0
        if here + len(labels) > found.plan.max_participants:
            most = found.plan.max_participants
            raise StudyError(f"the study would have more than {most} participants", "invite fewer")
        made = [(label, new_participant(connection, study, label)) for label in labels]
    return [(label, store.signer.participant(study, person, 1)) for label, person in made]


def new_participant(connection: Connection, study: str, label: str) -> str:
    person = tokens.new_identity()
    row = {"id": person, "study_id": study, "label": label, "serial": 1, "created_at": now(), "sound": ""}
    connection.execute(insert(participants).values(row))
    return person


def everybody(store: Store, connection: Connection, study: str) -> list[Participant]:
    """In the order of invitation."""
    answered = _counts(connection, votes, study)
    total = _counts(connection, trials, study)
    rows = connection.execute(
        select(participants).where(participants.c.study_id == study).order_by(participants.c.created_at)
    )
    signer = store.signer
    return [
        Participant(
            row.id, row.label, signer.participant(study, row.id, row.serial), _stage(row, answered[row.id]),
            answered[row.id], total[row.id], signer.code(row.id) if row.finished_at else "", row.seen_at,
        ) for row in rows
    ]  # fmt: skip


def _counts(connection: Connection, table, study: str) -> Counter:  # type: ignore[no-untyped-def]
    who = table.c.participant_id
    rows = connection.execute(select(who, func.count()).where(table.c.study_id == study).group_by(who))
    return Counter({person: count for person, count in rows})


def _stage(row, answered: int) -> str:  # type: ignore[no-untyped-def]
    if row.revoked_at:
        return "revoked"
    if row.finished_at:
        return "finished"
    return "answering" if answered else "consented" if row.consented_at else "invited"


def filled(connection: Connection, study: Study) -> dict[MethodPair, int]:
    """How often each pair was given out, over all questions: to those who answered it, or who still may."""
    fresh = (datetime.now(UTC) - STALE).isoformat(timespec="milliseconds")
    voted = exists().where(votes.c.trial_id == trials.c.id)
    alive = (participants.c.seen_at > fresh) & participants.c.revoked_at.is_(None)
    return _per_pair(connection, study, or_(voted, alive), trials.join(participants))


def judged(connection: Connection, study: Study) -> dict[MethodPair, int]:
    """How many answers each pair has, over all questions."""
    return _per_pair(connection, study, exists().where(votes.c.trial_id == trials.c.id), trials)


def _per_pair(connection: Connection, study: Study, condition, table) -> dict[MethodPair, int]:  # type: ignore[no-untyped-def]
    columns = trials.c.item, trials.c.left, trials.c.right
    query = (
        select(*columns, func.count()).select_from(table)
        .where(trials.c.study_id == study.id, trials.c.kind == "main", condition).group_by(*columns)
    )  # fmt: skip
    found: Counter[MethodPair] = Counter({pair: 0 for pair in study.pairs()})
    for item, left, right, count in connection.execute(query):
        found[MethodPair(item, *sorted((left, right)))] += count
    return dict(found)


def full(connection: Connection, study: Study) -> bool:
    """Whether every pair has the judgements that the plan asks for."""
    least = study.plan.judgements_per_pair * len(study.plan.questions)
    return min(judged(connection, study).values()) >= least


def revoke(store: Store, study: str, person: str) -> None:
    """The link does not work any more; the answers stay. Raises StudyError."""
    with store.write() as connection:
        _one(connection, study, person)
        changed = {"revoked_at": now(), "serial": participants.c.serial + 1}
        connection.execute(update(participants).where(participants.c.id == person).values(changed))


def remove(store: Store, study: str, person: str) -> int:
    """Deletes the participant with all answers; what remains is that and when. Returns how many answers went."""
    with store.write() as connection:
        _one(connection, study, person)
        return erase(connection, study, person)


def erase(connection: Connection, study: str, person: str) -> int:
    count = connection.scalar(select(func.count()).where(votes.c.participant_id == person)) or 0
    row = {"participant_id": person, "study_id": study, "deleted_at": now(), "votes": count}
    connection.execute(insert(deletions).values(row))
    for table in (votes, trials):
        connection.execute(delete(table).where(table.c.participant_id == person))
    connection.execute(delete(participants).where(participants.c.id == person))
    return count


def find(store: Store, study: str, who: str) -> str:
    """The id of a participant by id, link, token, label or completion code. Raises StudyError."""
    with store.read() as connection:
        load(connection, study)
        matches = [
            person.id
            for person in everybody(store, connection, study)
            if who in (person.id, person.token, person.label, person.code) or who.endswith(f"p={person.token}")
        ]
    if len(matches) != 1:
        many = "no participant" if not matches else "several participants"
        raise StudyError(f"{many} of this name", "give the link, the id or the completion code")
    return matches[0]


def _one(connection: Connection, study: str, person: str) -> None:
    query = select(participants.c.id).where(participants.c.id == person, participants.c.study_id == study)
    if connection.execute(query.with_for_update()).one_or_none() is None:
        raise StudyError("there is no such participant", "`python -m asccl study status STUDY` lists them")

"""Participants as the researcher sees them: invited, counted, revoked, deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from asccl.errors import StudyError
from asccl.study import tokens
from asccl.study.schema import deletions, deliveries, participants, trials, votes
from asccl.study.store import Store, utc_now
from asccl.study.studies import load_study

MAX_LABEL_LENGTH = 200


@dataclass(frozen=True)
class Participant:
    """One row of the administrator's table of participants.

    Attributes:
        id: random id.
        label: the researcher's own name for the participant; may be empty.
        token: of the personal link.
        stage: "invited", "consented", "answering", "finished" or "revoked".
        answered: number of answers.
        total: number of trials, 0 before consent.
        code: completion code; empty before the last answer.
        seen_at: last visit, ISO 8601, or None.
        panel_id: the panel's ID of the participant; empty without a panel.
        comment: what the participant wrote at the end; may be empty.
        demographics: id of a personal question -> answer.
    """

    id: str
    label: str
    token: str
    stage: str
    answered: int
    total: int
    code: str
    seen_at: str | None
    panel_id: str = ""
    comment: str = ""
    demographics: dict[str, str] = field(default_factory=dict)


def invite_participants(store: Store, study_id: str, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Create one personal link for each label.

    Args:
        store: where the study is kept.
        study_id: which study.
        labels: the researcher's own names for the participants; may be empty texts.

    Returns:
        (label, token) of each link.

    Raises:
        StudyError: a label is too long, or the study would have too many participants.
    """
    if any(len(label) > MAX_LABEL_LENGTH or "\0" in label for label in labels):
        raise StudyError(f"a label is longer than {MAX_LABEL_LENGTH} characters, or is no text", "shorten it")
    with store.write() as connection:
        maximum = load_study(connection, study_id).plan.max_participants
        if count_participants(connection, study_id) + len(labels) > maximum:
            raise StudyError(f"the study would have more than {maximum} participants", "invite fewer")
        ids = [insert_participant(connection, study_id, label) for label in labels]
    return [
        (label, store.signer.participant_token(study_id, participant_id, 1))
        for label, participant_id in zip(labels, ids, strict=True)
    ]


def insert_participant(connection: Connection, study_id: str, label: str, panel_id: str = "") -> str:
    """Insert a participant and return the new id.

    Args:
        connection: a transaction that writes.
        study_id: the participant's study.
        label: the researcher's own name for the participant; may be empty.
        panel_id: the panel's ID of the participant; empty without a panel.
    """
    participant_id = tokens.new_participant_id()
    row = {
        "id": participant_id,
        "study_id": study_id,
        "label": label,
        "serial": 1,
        "created_at": utc_now(),
        "sound": "",
        "panel_id": panel_id or None,
    }
    connection.execute(insert(participants).values(row))
    return participant_id


def count_participants(connection: Connection, study_id: str) -> int:
    """Return how many participants a study has, invited or further."""
    return connection.scalar(select(func.count()).where(participants.c.study_id == study_id)) or 0


def list_participants(store: Store, connection: Connection, study_id: str) -> list[Participant]:
    """Return all participants of a study in the order of invitation.

    Args:
        store: signs the links.
        connection: any transaction.
        study_id: which study.
    """
    answered = _count_by_participant(connection, votes, study_id)
    total = _count_by_participant(connection, trials, study_id)
    signer = store.signer
    query = select(participants).where(participants.c.study_id == study_id).order_by(participants.c.created_at)
    return [
        Participant(
            id=row.id,
            label=row.label,
            token=signer.participant_token(study_id, row.id, row.serial),
            stage=_stage(row, answered[row.id]),
            answered=answered[row.id],
            total=total[row.id],
            code=signer.completion_code(row.id) if row.finished_at else "",
            seen_at=row.seen_at,
            panel_id=row.panel_id or "",
            comment=row.comment or "",
            demographics=json.loads(row.demographics or "{}"),
        )
        for row in connection.execute(query)
    ]


def _count_by_participant(connection: Connection, table: Table, study_id: str) -> Counter[str]:
    column = table.c.participant_id
    rows = connection.execute(select(column, func.count()).where(table.c.study_id == study_id).group_by(column))
    return Counter({participant_id: count for participant_id, count in rows})


def _stage(row: Row[Any], answered: int) -> str:
    if row.revoked_at:
        return "revoked"
    if row.finished_at:
        return "finished"
    if answered:
        return "answering"
    return "consented" if row.consented_at else "invited"


def revoke_link(store: Store, study_id: str, participant_id: str) -> None:
    """Make a personal link void. The answers stay.

    Args:
        store: where the study is kept.
        study_id: which study.
        participant_id: whose link.

    Raises:
        StudyError: there is no such participant.
    """
    with store.write() as connection:
        _lock_participant(connection, study_id, participant_id)
        values = {"revoked_at": utc_now(), "serial": participants.c.serial + 1}
        connection.execute(update(participants).where(participants.c.id == participant_id).values(values))


def delete_participant(store: Store, study_id: str, participant_id: str) -> int:
    """Delete a participant with all answers; only the id, the time and the number of answers remain.

    Args:
        store: where the study is kept.
        study_id: which study.
        participant_id: whom to delete.

    Returns:
        The number of deleted answers.

    Raises:
        StudyError: there is no such participant.
    """
    with store.write() as connection:
        _lock_participant(connection, study_id, participant_id)
        return erase_participant(connection, study_id, participant_id)


def erase_participant(connection: Connection, study_id: str, participant_id: str) -> int:
    """Delete an existing participant with all answers, inside a transaction.

    Args:
        connection: a transaction that writes.
        study_id: which study.
        participant_id: whom to delete.

    Returns:
        The number of deleted answers.
    """
    count = connection.scalar(select(func.count()).where(votes.c.participant_id == participant_id)) or 0
    deletion = {"participant_id": participant_id, "study_id": study_id, "deleted_at": utc_now(), "votes": count}
    connection.execute(insert(deletions).values(deletion))
    own_trials = select(trials.c.id).where(trials.c.participant_id == participant_id)
    connection.execute(own_trials.with_for_update())  # `answering.record_delivery` locks a trial first, too
    connection.execute(delete(deliveries).where(deliveries.c.trial_id.in_(own_trials)))
    for table in (votes, trials):
        connection.execute(delete(table).where(table.c.participant_id == participant_id))
    connection.execute(delete(participants).where(participants.c.id == participant_id))
    return count


def find_participant(store: Store, study_id: str, name: str) -> str:
    """Return the id of one participant.

    Args:
        store: where the study is kept.
        study_id: which study.
        name: id, link, token, label, the panel's ID or completion code.

    Raises:
        StudyError: there is no such study, no such participant, or more than one.
    """
    with store.read() as connection:
        load_study(connection, study_id)
        matches = [
            row.id
            for row in list_participants(store, connection, study_id)
            if name
            and (name in (row.id, row.token, row.label, row.panel_id, row.code) or name.endswith(f"p={row.token}"))
        ]
    if len(matches) != 1:
        problem = "there is no participant" if not matches else "there are several participants"
        raise StudyError(f"{problem} of this name", "give the link, the id or the completion code")
    return matches[0]


def _lock_participant(connection: Connection, study_id: str, participant_id: str) -> None:
    query = select(participants.c.id).where(participants.c.id == participant_id, participants.c.study_id == study_id)
    if connection.execute(query.with_for_update()).one_or_none() is None:
        raise StudyError("there is no such participant", "`python -m asccl study status STUDY` lists them")

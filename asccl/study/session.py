"""One participant's session up to the first question: personal link, consent, check of screen and sound; withdrawal.

The server keeps no state between two calls: the stage of a session follows from the store, so any server process can
continue it. Every function takes what came with the link and checks it. answering.py continues with the questions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from asccl.errors import StudyError
from asccl.study import tokens
from asccl.study.assignments import count_assignments, is_full
from asccl.study.design import participant_seed, schedule_trials
from asccl.study.participants import count_participants, erase_participant, insert_participant
from asccl.study.schema import participants, studies, trials
from asccl.study.store import Store, is_write, utc_now
from asccl.study.studies import Study, deleted_language, load_study

CHECK_SHAPES = ("circle", "square", "triangle")
MIN_BEEPS, MAX_BEEPS = 2, 4
MAX_PANEL_ID_LENGTH = 200  # characters
MAX_REMARK_LENGTH = 5_000  # characters of a comment or of a free answer


class SessionError(Exception):
    """A request that a participant may not make.

    Args:
        reason: "invalid" (the link), "closed", "full" or "deleted" (the study), "order" (not at this stage), "early"
            (before the clips can have ended), "taken" (the panel's ID), "bad" (an answer that the page cannot send)
            or "busy" (too many requests).
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ParticipantSession:
    """A participant's progress through a study.

    Attributes:
        study: the study of the link.
        row: the participant's row; None on an open link.
        stage: "join" (an open link), "consent", "check", "trial" or "done".
    """

    study: Study
    row: Row[Any] | None
    stage: str

    @property
    def participant_id(self) -> str:
        """The participant's id. Raises SessionError on an open link."""
        if self.row is None:
            raise SessionError("invalid")
        return self.row.id

    def require_open(self) -> ParticipantSession:
        """Return the session itself. Raises SessionError where the study is closed."""
        if self.study.is_closed():
            raise SessionError("closed")
        return self

    def check_solution(self) -> tuple[str, int]:
        """Return the shape shown and the number of beeps played in the check, which depend on the link alone."""
        number = participant_seed(0, sum(self.participant_id.encode()))
        shape, beeps = number % 3, number // 3 % 3
        return CHECK_SHAPES[shape], MIN_BEEPS + beeps


def open_session(store: Store, study_id: str, token: str, connection: Connection | None = None) -> ParticipantSession:
    """Return the session of a link.

    Args:
        store: where the study is kept.
        study_id: from the link, unchecked.
        token: from the link, unchecked.
        connection: a transaction of the caller; None opens one. One that writes locks the participant's row.

    Raises:
        SessionError: the link is forged or revoked, or belongs to another study.
    """
    if not (tokens.STUDY_ID_PATTERN.fullmatch(study_id) and tokens.TOKEN_PATTERN.fullmatch(token)):
        raise SessionError("invalid")
    if connection is None:
        with store.read() as own_connection:
            return open_session(store, study_id, token, own_connection)
    try:
        study = load_study(connection, study_id)
    except StudyError:
        raise SessionError("invalid" if deleted_language(connection, study_id) is None else "deleted") from None
    if study.open_serial > 0:
        open_token = store.signer.open_link_token(study_id, study.open_serial)
        if tokens.equal_in_constant_time(token, open_token):
            return ParticipantSession(study, None, "join")
    participant_id = token[: tokens.ID_LENGTH]
    query = select(participants).where(participants.c.id == participant_id, participants.c.study_id == study_id)
    row = connection.execute(query.with_for_update() if is_write(connection) else query).one_or_none()
    expected = store.signer.participant_token(study_id, participant_id, row.serial if row else 0)
    if not tokens.equal_in_constant_time(token, expected) or row is None or row.revoked_at:
        raise SessionError("invalid")
    return ParticipantSession(study, row, _stage(row))


def _stage(row: Row[Any]) -> str:
    if row.finished_at:
        return "done"
    if row.checked_at:
        return "trial"
    return "check" if row.consented_at else "consent"


def join_study(store: Store, study_id: str, token: str, panel_id: str = "") -> str:
    """Create a personal link from an open one.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link; a personal one is returned as it is.
        panel_id: the panel's ID of the participant, unchecked; empty without a panel.

    Returns:
        The token of the personal link.

    Raises:
        SessionError: the link is invalid, the study is closed or full, or somebody has joined with this ID.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection).require_open()
        if session.row is not None:
            return token
        _lock_joined(connection, study_id)
        count = count_participants(connection, study_id)
        if count >= session.study.plan.max_participants or is_full(connection, session.study):
            raise SessionError("full")
        panel_id = panel_id if session.study.plan.panel_parameter else ""
        _check_panel_id(connection, study_id, panel_id)
        participant_id = insert_participant(connection, study_id, "", panel_id)
    return store.signer.participant_token(study_id, participant_id, 1)


def _check_panel_id(connection: Connection, study_id: str, panel_id: str) -> None:
    """Raise SessionError for an ID that cannot be stored or is taken. Whoever sends it again might be somebody else."""
    if len(panel_id) > MAX_PANEL_ID_LENGTH or "\0" in panel_id:
        raise SessionError("invalid")
    query = select(participants.c.id).where(participants.c.study_id == study_id, participants.c.panel_id == panel_id)
    if panel_id and connection.execute(query).first() is not None:
        raise SessionError("taken")


def store_remarks(store: Store, study_id: str, token: str, comment: str, answers: Mapping[str, str]) -> None:
    """Store what a participant adds at the end; later remarks replace earlier ones.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.
        comment: free text; ignored where the plan asks for none.
        answers: id of a personal question -> answer; others are ignored.

    Raises:
        SessionError: the link is invalid, or there are questions left.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection)
        if session.stage != "done":
            raise SessionError("order")
        plan = session.study.plan
        kept = {
            question.id: text[:MAX_REMARK_LENGTH]
            for question in plan.demographics
            if (text := answers.get(question.id, "").strip()) and (not question.choices or text in question.choices)
        }
        comment = comment.strip()[:MAX_REMARK_LENGTH] if plan.comment else ""
        if any("\0" in text for text in (comment, *kept.values())):
            raise SessionError("bad")  # PostgreSQL cannot store it
        demographics = json.dumps(kept, ensure_ascii=False)
        update_participant(connection, session, comment=comment, demographics=demographics)


def accept_consent(store: Store, study_id: str, token: str) -> None:
    """Record a participant's consent and fix their schedule of trials. Harmless to repeat.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.

    Raises:
        SessionError: the link is invalid, or the study is closed or full.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection).require_open()
        if session.stage != "consent":
            return
        study, number = session.study, _lock_joined(connection, study_id) + 1
        if is_full(connection, study):
            raise SessionError("full")
        seed = participant_seed(study.plan.seed, number)
        assigned = count_assignments(connection, study)
        schedule = schedule_trials(study.plan, study.method_pairs(), assigned, seed, study.broken)
        rows = [
            {"study_id": study_id, "participant_id": session.participant_id, "position": position, **vars(trial)}
            for position, trial in enumerate(schedule, 1)
        ]
        connection.execute(insert(trials), rows)
        connection.execute(update(studies).where(studies.c.id == study_id).values(joined=number))
        now = utc_now()
        update_participant(connection, session, number=number, seed=str(seed), consented_at=now, seen_at=now)


def submit_check(store: Store, study_id: str, token: str, shape: str, beeps: str) -> str:
    """Check what a participant saw and heard.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.
        shape: the shape that the participant saw.
        beeps: the number of beeps that the participant heard, or "none".

    Returns:
        "" if passed, otherwise the name of the text that says why not.

    Raises:
        SessionError: the link is invalid, or the study is closed.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection).require_open()
        if session.stage != "check":
            return ""
        expected_shape, expected_beeps = session.check_solution()
        sound = session.study.plan.sound
        if beeps == "none" and sound == "required":
            return "check_sound_needed"
        silent = sound == "none" or (beeps == "none" and sound == "optional")
        if shape != expected_shape or not (silent or beeps == str(expected_beeps)):
            return "check_failed"
        now = utc_now()
        update_participant(connection, session, checked_at=now, seen_at=now, sound="none" if silent else "heard")
        return ""


def withdraw(store: Store, study_id: str, token: str) -> int:
    """Delete the participant and all their answers, also in a closed study.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.

    Returns:
        The number of deleted answers.

    Raises:
        SessionError: the link is invalid.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection)
        return erase_participant(connection, study_id, session.participant_id)


def update_participant(connection: Connection, session: ParticipantSession, **values: Any) -> None:
    """Write columns of the participant's row.

    Args:
        connection: a transaction that writes.
        session: whose row.
        values: column -> value.
    """
    connection.execute(update(participants).where(participants.c.id == session.participant_id).values(values))


def _lock_joined(connection: Connection, study_id: str) -> int:
    """Return how many participants have joined, and let nobody else join until the transaction ends."""
    return (
        connection.scalar(select(studies.c.joined).where(studies.c.id == study_id).with_for_update(key_share=True)) or 0
    )

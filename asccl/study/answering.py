"""The questions of one participant: which trial is shown, which clips it plays, and how an answer is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from asccl.study import tokens
from asccl.study.design import BROKEN, Trial
from asccl.study.plan import PLAYBACK_MODES, StudyPlan
from asccl.study.schema import deliveries, trials, votes
from asccl.study.session import ParticipantSession, SessionError, open_session, update_participant
from asccl.study.store import Store, utc_now
from asccl.study.studies import Study
from asccl.version import __version__

SIDES = ("left", "right")
CANNOT_TELL = "cannot"
ANSWER_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")  # random name of an answer, chosen by the page
MAX_PLAYS = 10_000
MIN_WATCH_FRACTION = 0.9  # of the longer clip's length that must have passed before an answer is accepted
MIN_DELIVERED_FRACTION = 0.9  # of the bytes of both clips that must have been sent before
MAX_DELIVERED_BYTES = 2**31 - 1  # that the database can hold


@dataclass(frozen=True)
class Answer:
    """An answer as the page sent it; `submit_answer` checks it.

    Attributes:
        position: of the trial in the participant's schedule, from 1.
        key: random name of the answer; the same answer sent again has the same key.
        answer: "left", "right" or "cannot".
        plays_left: how often the left clip was played to its end.
        plays_right: how often the right clip was played to its end.
        mode: one of `PLAYBACK_MODES`.
        rating: of the difference, from 1; 0 where the plan has no scale, and with "cannot".
    """

    position: int
    key: str
    answer: str
    plays_left: int
    plays_right: int
    mode: str
    rating: int = 0


def show_trial(store: Store, study_id: str, token: str) -> dict[str, Any] | None:
    """Return the trial to answer now as the page needs it, and record that it was shown.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.

    Returns:
        The trial; None when all are answered.

    Raises:
        SessionError: the link is invalid, the study is closed, or the check has not been passed.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection).require_open()
        if session.stage not in ("trial", "done"):
            raise SessionError("order")
        return _show_pending_trial(store, connection, session)


def submit_answer(store: Store, study_id: str, token: str, answer: Answer) -> dict[str, Any] | None:
    """Store an answer; when this returns, it is on the disk.

    The same answer sent again, with the same key, counts once and is acknowledged again.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.
        answer: as the page sent it.

    Returns:
        The next trial; None after the last.

    Raises:
        SessionError: the link or the answer is invalid, the study is closed, the trial is not the present one, or the
            clips were not sent or cannot have ended yet.
    """
    with store.write() as connection:
        session = open_session(store, study_id, token, connection)
        query = select(trials).where(trials.c.participant_id == session.participant_id)
        trial = connection.execute(query.where(trials.c.position == answer.position)).one_or_none()
        if trial is None:
            raise SessionError("bad")
        stored = connection.execute(select(votes).where(votes.c.trial_id == trial.id)).one_or_none()
        if stored is None:
            _store_vote(store, connection, session.require_open(), trial, answer)
        elif not tokens.equal_in_constant_time(stored.client_key, answer.key):
            raise SessionError("order")
        return None if session.study.is_closed() else _show_pending_trial(store, connection, session)


@dataclass(frozen=True)
class TrialClip:
    """One clip of a trial.

    Attributes:
        path: its file.
        trial_id: of the trial.
        slot: place of the clip on the screen.
    """

    path: Path
    trial_id: int
    slot: str


def find_clip(store: Store, study_id: str, token: str, name: str) -> TrialClip:
    """Return the clip behind an opaque name, of the present trial or the next.

    Args:
        store: where the study is kept.
        study_id: from the link.
        token: from the link.
        name: as `show_trial` gave it.

    Raises:
        SessionError: the link or the name is invalid, or the study is closed.
    """
    with store.read() as connection:
        session = open_session(store, study_id, token, connection).require_open()
        for trial in pending_trials(connection, session.participant_id):
            for slot, (role, method) in clips_by_slot(session.study, trial).items():
                clip_name = store.signer.clip_name(session.participant_id, trial.position, slot)
                if tokens.equal_in_constant_time(name, clip_name):
                    path = store.clip_path(study_id, session.study.files[trial.item, role, method][0])
                    return TrialClip(path, trial.id, slot)
    raise SessionError("invalid")


def record_delivery(store: Store, clip: TrialClip, count: int) -> None:
    """Record that a part of a clip was sent to the participant.

    Args:
        store: where the study is kept.
        clip: which clip.
        count: bytes that were sent.
    """
    row = (deliveries.c.trial_id == clip.trial_id) & (deliveries.c.slot == clip.slot)
    with store.write() as connection:
        if connection.scalar(select(trials.c.id).where(trials.c.id == clip.trial_id).with_for_update()) is None:
            return  # the participant withdrew
        before = connection.scalar(select(deliveries.c.bytes).where(row))
        total = min(count + (before or 0), MAX_DELIVERED_BYTES)
        if before is None:
            values = {"trial_id": clip.trial_id, "slot": clip.slot, "bytes": total}
            connection.execute(insert(deliveries).values(values))
        else:
            connection.execute(update(deliveries).where(row).values(bytes=total))


def pending_trials(connection: Connection, participant_id: str) -> list[Row[Any]]:
    """Return the present trial and the next: at most two, none when all are answered."""
    query = select(trials).outerjoin(votes, votes.c.trial_id == trials.c.id)
    query = query.where(trials.c.participant_id == participant_id, votes.c.id.is_(None))
    return list(connection.execute(query.order_by(trials.c.position).limit(2)))


def _store_vote(
    store: Store, connection: Connection, session: ParticipantSession, trial: Row[Any], answer: Answer
) -> None:
    study = session.study
    pending = pending_trials(connection, session.participant_id)
    if not pending or pending[0].id != trial.id or trial.shown_at is None:
        raise SessionError("order")
    _check_answer(answer, study.plan)
    answered_at = datetime.now(UTC)
    seconds = (answered_at - datetime.fromisoformat(trial.shown_at)).total_seconds()
    if seconds < MIN_WATCH_FRACTION * _longer_seconds(study, trial):
        raise SessionError("early")
    if not _are_clips_delivered(store, connection, study, trial):
        raise SessionError("early")
    assert session.row is not None
    emotion, setting = study.items[trial.item]
    row = {
        "study_id": study.id,
        "participant_id": session.participant_id,
        "trial_id": trial.id,
        "client_key": answer.key,
        **{name: getattr(trial, name) for name in ("position", "kind", "question", "item", "left", "right")},
        "emotion": emotion,
        "setting": setting,
        "answer": answer.answer,
        "chosen": "" if answer.answer == CANNOT_TELL else getattr(trial, answer.answer),
        "shown_at": trial.shown_at,
        "answered_at": answered_at.isoformat(timespec="milliseconds"),
        "seconds": seconds,
        **{name: getattr(answer, name) for name in ("plays_left", "plays_right", "mode")},
        "seed": str(session.row.seed),
        "version": __version__,
        "plan_sha256": study.plan_sha256,
        "rating": answer.rating or None,
    }
    connection.execute(insert(votes).values(row))
    last = {"finished_at": utc_now()} if len(pending) == 1 else {}
    update_participant(connection, session, seen_at=utc_now(), **last)


def _check_answer(answer: Answer, plan: StudyPlan) -> None:
    choices = (*SIDES, CANNOT_TELL) if plan.cannot_tell else SIDES
    if answer.answer not in choices or answer.mode not in PLAYBACK_MODES or not ANSWER_KEY.fullmatch(answer.key):
        raise SessionError("bad")
    is_rated = plan.rating > 0 and answer.answer != CANNOT_TELL
    if not (1 <= answer.rating <= plan.rating if is_rated else answer.rating == 0):
        raise SessionError("bad")
    if not all(1 <= plays <= MAX_PLAYS for plays in (answer.plays_left, answer.plays_right)):
        raise SessionError("early")


def _show_pending_trial(store: Store, connection: Connection, session: ParticipantSession) -> dict[str, Any] | None:
    pending = pending_trials(connection, session.participant_id)
    if not pending:
        return None
    trial = pending[0]
    if trial.shown_at is None:
        connection.execute(update(trials).where(trials.c.id == trial.id).values(shown_at=utc_now()))
    query = select(trials.c.question).where(trials.c.participant_id == session.participant_id)
    questions = list(connection.scalars(query.order_by(trials.c.position)))

    def named_clips(row: Row[Any]) -> list[dict[str, str]]:
        sign = store.signer.clip_name
        slots = clips_by_slot(session.study, row)
        return [{"slot": slot, "clip": sign(session.participant_id, row.position, slot)} for slot in slots]

    return {
        **describe_trial(session.study.plan, questions, trial.position, trial.kind),
        "clips": named_clips(trial),
        "next": [clip["clip"] for row in pending[1:] for clip in named_clips(row)],
    }


def describe_trial(plan: StudyPlan, questions: Sequence[str], position: int, kind: str) -> dict[str, Any]:
    """Return what the page displays of a trial beside its clips.

    Args:
        plan: the settings of the study.
        questions: ids of the questions of all trials of the participant, in order.
        position: of the trial, from 1.
        kind: of the trial; see `design.Trial`.
    """
    question, blocks = plan.question(questions[position - 1]), list(dict.fromkeys(questions))
    return {
        "position": position,
        "total": len(questions),
        "practice": kind == "training",
        "question": question.text,
        "block": {
            "number": 1 + blocks.index(question.id),
            "count": len(blocks),
            "title": question.title,
            "starts": position == 1 or questions[position - 2] != question.id,
        },
    }


def clips_by_slot(study: Study, trial: Row[Any] | Trial) -> dict[str, tuple[str, str]]:
    """Return place on the screen -> (role, method) of the clip shown in that place."""
    context = {role: (role, "") for role in study.plan.question(trial.question).show}
    pair = {
        side: ("broken", "") if method == BROKEN else ("output", method)
        for side, method in (("left", trial.left), ("right", trial.right))
    }
    return {**context, **pair}


def _are_clips_delivered(store: Store, connection: Connection, study: Study, trial: Row[Any]) -> bool:
    """Whether both clips of a trial were sent to the participant, whole or nearly so."""
    query = select(deliveries.c.slot, deliveries.c.bytes).where(deliveries.c.trial_id == trial.id)
    delivered = {slot: count for slot, count in connection.execute(query)}
    slots = clips_by_slot(study, trial)
    sizes = {side: store.clip_path(study.id, study.files[trial.item, *slots[side]][0]).stat().st_size for side in SIDES}
    return all(delivered.get(side, 0) >= MIN_DELIVERED_FRACTION * size for side, size in sizes.items())


def _longer_seconds(study: Study, trial: Row[Any]) -> float:
    slots = clips_by_slot(study, trial)
    return max(study.files[trial.item, *slots[side]][1] for side in SIDES)

"""How often each pair of clips was assigned to participants and answered, and whether a study is full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, FromClause, exists, func, or_, select

from asccl.study.design import MethodPair
from asccl.study.schema import participants, trials, votes
from asccl.study.studies import Study

INACTIVE_AFTER = timedelta(hours=24)  # since the last visit; open trials of inactive participants are not counted


def count_assignments(connection: Connection, study: Study) -> dict[MethodPair, int]:
    """Return how often each pair was assigned, over all questions.

    Trials count that were answered or that an active participant may still answer.
    """
    active_since = (datetime.now(UTC) - INACTIVE_AFTER).isoformat(timespec="milliseconds")
    is_active = (participants.c.seen_at > active_since) & participants.c.revoked_at.is_(None)
    return _count_by_pair(connection, study, or_(_is_answered(), is_active), trials.join(participants))


def count_answers(connection: Connection, study: Study) -> dict[MethodPair, int]:
    """Return how many answers each pair has, over all questions."""
    return _count_by_pair(connection, study, _is_answered(), trials)


def _is_answered() -> ColumnElement[bool]:
    return exists().where(votes.c.trial_id == trials.c.id)


def _count_by_pair(
    connection: Connection, study: Study, condition: ColumnElement[bool], tables: FromClause
) -> dict[MethodPair, int]:
    columns = trials.c.item, trials.c.left, trials.c.right
    query = select(*columns, func.count()).select_from(tables).group_by(*columns)
    query = query.where(trials.c.study_id == study.id, trials.c.kind == "main", condition)
    counts = {pair: 0 for pair in study.method_pairs()}
    for item, left, right, count in connection.execute(query):
        counts[MethodPair(item, *sorted((left, right)))] += count
    return counts


def is_full(connection: Connection, study: Study) -> bool:
    """Return whether every pair has the answers that the plan requires."""
    return min(count_answers(connection, study).values()) >= study.answers_needed()

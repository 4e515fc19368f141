"""Votes as the statistics take them: plain mappings from column to value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from asccl.study.schema import votes
from asccl.study.store import Store

Vote = Mapping[str, Any]  # column of the table `votes` -> value


def read_votes(store: Store, study_id: str) -> list[dict[str, Any]]:
    """Return all answers of a study in the order of their arrival."""
    with store.read() as connection:
        rows = connection.execute(select(votes).where(votes.c.study_id == study_id).order_by(votes.c.id))
        return [dict(row._mapping) for row in rows]


def filter_votes(selected: Iterable[Vote], key: str, value: str) -> list[Vote]:
    """Return the votes with a value in a column.

    Args:
        selected: any votes.
        key: the column.
        value: what the column must be.
    """
    return [vote for vote in selected if vote[key] == value]

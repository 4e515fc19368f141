"""Which method is preferred: rates of each pair of methods with intervals and tests, and strengths of all methods."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from asccl.study import stats
from asccl.study.votes import Vote
from asccl.types import EMOTIONS

DEFAULT_HALF_WIDTH = 0.05  # of the interval for which the number of additional answers is computed


def compare_methods(
    questions: Sequence[str],
    methods: Sequence[str],
    main: Sequence[Vote],
    rng: np.random.Generator,
    half_width: float = DEFAULT_HALF_WIDTH,
) -> list[dict[str, Any]]:
    """Return a row for each pair of methods, question and group of items; Holm's adjustment is over all rows.

    Args:
        questions: ids of the questions.
        methods: all methods.
        main: votes of the kind "main".
        rng: of the cluster bootstrap.
        half_width: of the interval for which the number of additional answers is computed.
    """
    rows, bootstrap = [], stats.ClusterBootstrap(rng)
    for first, second in combinations(sorted(methods), 2):
        pair = [vote for vote in main if {vote["left"], vote["right"]} == {first, second}]
        for question in questions:
            for group, value in _groups(pair):
                answers = [
                    vote for vote in pair if vote["question"] == question and (group == "all" or vote[group] == value)
                ]
                row = _compare_pair(first, second, answers, bootstrap, half_width)
                rows.append({"question": question, "group": group, "value": value, **row})
    decided = [row for row in rows if row["count"]]
    for row, p in zip(decided, stats.holm_adjust([row["p"] for row in decided]), strict=True):
        row["p_holm"] = p
    clustered = [row["clustered"] for row in decided if row["clustered"]]
    for test, p in zip(clustered, stats.holm_adjust([test["p"] for test in clustered]), strict=True):
        test["p_holm"] = p
    return rows


def _groups(selected: Sequence[Vote]) -> list[tuple[str, str]]:
    """Return (column, value) of each group of items: emotions, settings if there are two, and all."""
    emotions = {vote["emotion"] for vote in selected}
    settings = {vote["setting"] for vote in selected} - {""}
    groups = [("emotion", emotion) for emotion in EMOTIONS if emotion in emotions]
    if len(settings) > 1:
        groups += [("setting", setting) for setting in sorted(settings)]
    return [*groups, ("all", "")]


def _compare_pair(
    first: str, second: str, answers: Sequence[Vote], bootstrap: stats.ClusterBootstrap, half_width: float
) -> dict[str, Any]:
    decided = [vote for vote in answers if vote["chosen"]]
    wins, count = sum(vote["chosen"] == first for vote in decided), len(decided)
    row: dict[str, Any] = {
        "first": first,
        "second": second,
        "first_wins": wins,
        "second_wins": count - wins,
        "cannot_tell": len(answers) - count,
        "count": count,
        **dict.fromkeys(("rate", "wilson", "p", "p_holm", "clustered", "more", "rating")),
    }
    if not decided:
        return row
    row["rate"] = wins / count
    row["wilson"] = list(stats.wilson_interval(wins, count))
    row["p"] = stats.binomial_p(wins, count)
    clustered = stats.clustered_rate(*_count_wins(decided, first), bootstrap)
    if clustered is not None:
        row["clustered"] = {**vars(clustered), "p_holm": None}
    design_effect = clustered.design_effect if clustered else 1.0
    ratings = [vote["rating"] for vote in decided if vote.get("rating") is not None]
    row["rating"] = float(np.mean(ratings)) if ratings else None
    row["more"] = stats.additional_answers((wins + 0.5) / (count + 1), count, design_effect, half_width)
    return row


def _number(selected: Sequence[Vote], key: str) -> dict[Any, int]:
    """Return value -> index of the values of a column, in the order of their first occurrence."""
    return {value: index for index, value in enumerate(dict.fromkeys(vote[key] for vote in selected))}


def _count_wins(decided: Sequence[Vote], first: str) -> tuple[np.ndarray, np.ndarray]:
    """Return wins of the first method and numbers of answers, each (participants, clips)."""
    rows, columns = _number(decided, "participant_id"), _number(decided, "item")
    wins, counts = np.zeros((2, len(rows), len(columns)), np.int64)
    for vote in decided:
        cell = rows[vote["participant_id"]], columns[vote["item"]]
        counts[cell] += 1
        wins[cell] += vote["chosen"] == first
    return wins, counts


def method_strengths(methods: Sequence[str], main: Sequence[Vote], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return Bradley-Terry strengths with intervals, the strongest first. Answers of "cannot tell" are left out.

    Args:
        methods: all methods.
        main: votes of one question.
        rng: of the bootstrap.
    """
    decided = [vote for vote in main if vote["chosen"]]
    if not decided:
        return []
    indices = {method: index for index, method in enumerate(methods)}

    def wins_by(key: str) -> np.ndarray:
        clusters = _number(decided, key)
        wins = np.zeros((len(clusters), len(methods), len(methods)))
        for vote in decided:
            loser = vote["left"] if vote["chosen"] == vote["right"] else vote["right"]
            wins[clusters[vote[key]], indices[vote["chosen"]], indices[loser]] += 1
        return wins

    by_participant, by_clip = wins_by("participant_id"), wins_by("item")
    strengths = stats.bradley_terry(by_participant.sum(0), by_participant, by_clip, rng)
    rows = [
        {"method": method, "strength": strength, "low": low, "high": high}
        for method, (strength, low, high) in zip(methods, strengths, strict=True)
    ]
    return sorted(rows, key=lambda row: -row["strength"])

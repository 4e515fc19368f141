"""How reliable the answers are: agreement, repeats, side bias, catch trials, and who is excluded for them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from asccl.study import stats
from asccl.study.design import BROKEN
from asccl.study.plan import ExclusionRules
from asccl.study.votes import Vote, filter_votes

MIN_TIMED_ANSWERS = 3  # answers required before the rule on seconds applies


def rater_agreement(main: Sequence[Vote]) -> dict[str, Any]:
    """Return Krippendorff's alpha over pairs of clips; "cannot tell" is an answer of its own."""
    units: dict[tuple, Counter[str]] = defaultdict(Counter)
    for vote in main:
        units[vote["item"], *sorted((vote["left"], vote["right"]))][vote["chosen"]] += 1
    answers = sorted({answer for unit in units.values() for answer in unit})
    table = np.array([[unit[answer] for answer in answers] for unit in units.values()])
    return {"alpha": stats.krippendorff_alpha(table) if units else None, "units": len(units)}


def repeat_agreement(selected: Sequence[Vote]) -> tuple[int, int]:
    """Return how many repeats were answered as the first time, and how many repeats there are."""
    first_answers = {_trial_key(vote): vote["chosen"] for vote in selected if vote["kind"] == "main"}
    same = [
        first_answers[_trial_key(vote)] == vote["chosen"]
        for vote in selected
        if vote["kind"] == "repeat" and _trial_key(vote) in first_answers
    ]
    return sum(same), len(same)


def _trial_key(vote: Vote) -> tuple:
    """Return what a trial and its repeat have in common."""
    return vote["participant_id"], vote["question"], vote["item"], frozenset((vote["left"], vote["right"]))


def side_bias(selected: Sequence[Vote]) -> dict[str, Any]:
    """Return the rate of answers for the left side where both sides have the same chance, with an exact test."""
    decided = [vote for vote in selected if vote["kind"] in ("main", "identical") and vote["answer"] != "cannot"]
    left = sum(vote["answer"] == "left" for vote in decided)
    return {**proportion(left, len(decided)), "p": stats.binomial_p(left, len(decided)) if decided else None}


def catch_trial_failures(selected: Sequence[Vote]) -> dict[str, Any]:
    """Return how often a broken clip was preferred, and how often a side was chosen between identical clips."""
    broken, identical = filter_votes(selected, "kind", "broken"), filter_votes(selected, "kind", "identical")
    return {
        "broken": proportion(sum(vote["chosen"] == BROKEN for vote in broken), len(broken)),
        "identical": proportion(sum(vote["answer"] != "cannot" for vote in identical), len(identical)),
    }


def find_exclusions(all_votes: Sequence[Vote], rules: ExclusionRules) -> dict[str, list[str]]:
    """Return participant -> reasons for which the rules exclude them."""
    by_participant: dict[str, list[Vote]] = defaultdict(list)
    for vote in all_votes:
        by_participant[vote["participant_id"]].append(vote)
    reasons = {participant_id: _exclusion_reasons(own, rules) for participant_id, own in by_participant.items()}
    return {participant_id: texts for participant_id, texts in reasons.items() if texts}


def _exclusion_reasons(own: Sequence[Vote], rules: ExclusionRules) -> list[str]:
    failures, (same, repeats) = catch_trial_failures(own), repeat_agreement(own)
    median = float(np.median([vote["seconds"] for vote in own]))
    reasons = []
    if rules.broken_failures is not None and failures["broken"]["wins"] > rules.broken_failures:
        reasons.append("preferred a broken clip")
    if rules.identical_failures is not None and failures["identical"]["wins"] > rules.identical_failures:
        reasons.append("chose a side for identical clips too often")
    if rules.agreement is not None and repeats and same / repeats < rules.agreement:
        reasons.append("answered repeated questions differently too often")
    if rules.seconds is not None and len(own) >= MIN_TIMED_ANSWERS and median < rules.seconds:
        reasons.append("answered too fast")
    return reasons


def proportion(wins: int, count: int) -> dict[str, Any]:
    """Return a rate with its counts and Wilson interval, None where there are no answers."""
    return {
        "wins": wins,
        "count": count,
        "rate": wins / count if count else None,
        "wilson": list(stats.wilson_interval(wins, count)) if count else None,
    }


def quartiles(values: Iterable[float]) -> list[float] | None:
    """Return first quartile, median and third quartile; None of no values."""
    sample = list(values)
    return [round(float(q), 3) for q in np.quantile(sample, (0.25, 0.5, 0.75))] if sample else None

"""From votes to results: rates by aspect and emotion, agreement, checks; for everybody, and by the rules of exclusion.

Everything here is a plain dictionary, ready for JSON. tables.py and charts.py show it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from sqlalchemy import func, select

from asccl.study import stats
from asccl.study.design import BROKEN
from asccl.study.plan import Plan, Rules
from asccl.study.schema import deletions, participants, votes
from asccl.study.store import Store, now
from asccl.study.studies import Study, load
from asccl.types import EMOTIONS
from asccl.version import __version__

Vote = Mapping[str, Any]
HALF_WIDTH = 0.05  # of the interval that "how many more" is about
LEAST_SECONDS = 3  # answers that a median of seconds needs


def read_votes(store: Store, study: str) -> list[dict[str, Any]]:
    """All answers, in the order of their arrival."""
    with store.read() as connection:
        rows = connection.execute(select(votes).where(votes.c.study_id == study).order_by(votes.c.id))
        return [dict(row._mapping) for row in rows]


def results(store: Store, study: str, half_width: float = HALF_WIDTH) -> dict[str, Any]:
    """Everything that a study shows. Raises StudyError where there is none."""
    with store.read() as connection:
        found = load(connection, study)
        count = select(func.count()).where(participants.c.study_id == study)
        people = {
            "invited": connection.scalar(count),
            "consented": connection.scalar(count.where(participants.c.consented_at.is_not(None))),
            "finished": connection.scalar(count.where(participants.c.finished_at.is_not(None))),
            "withdrawn": connection.scalar(select(func.count()).where(deletions.c.study_id == study)),
        }
    return {**compute(found, read_votes(store, study), half_width), "participants": people, "computed_at": now()}


def compute(study: Study, given: Sequence[Vote], half_width: float = HALF_WIDTH) -> dict[str, Any]:
    """Two readings of the same votes: `all`, and `kept` without those whom the rules of the plan leave out."""
    excluded = exclusions(given, study.plan.rules)
    kept = [vote for vote in given if vote["participant_id"] not in excluded]
    return {
        "study": study.id, "title": study.plan.title, "plan_sha256": study.plan_sha256, "version": __version__,
        "methods": list(study.methods), "questions": {q.id: q.title for q in study.plan.questions},
        "rules": vars(study.plan.rules), "excluded": [{"participant": p, "reasons": r} for p, r in excluded.items()],
        "half_width": half_width,
        "all": reading(study.plan, study.methods, given, half_width),
        "kept": reading(study.plan, study.methods, kept, half_width),
    }  # fmt: skip


def reading(
    plan: Plan, methods: Sequence[str], given: Sequence[Vote], half_width: float = HALF_WIDTH
) -> dict[str, Any]:
    questions = [question.id for question in plan.questions]
    main = [vote for vote in given if vote["kind"] == "main"]
    rng = np.random.default_rng(plan.seed)
    return {
        "people": len({vote["participant_id"] for vote in given}),
        "votes": len(main),
        "comparisons": comparisons(questions, methods, main, rng, half_width),
        "bradley_terry": {q: strengths(methods, _of(main, "question", q), rng) for q in questions}
        if len(methods) > 2 else {},
        "agreement": {q: agreement(_of(main, "question", q)) for q in questions},
        "self_agreement": share(*same_again(given)),
        "side": side_bias(given),
        "catches": catches(given),
        "seconds": {q: quartiles(vote["seconds"] for vote in _of(main, "question", q)) for q in questions},
    }  # fmt: skip


def comparisons(
    questions: Sequence[str],
    methods: Sequence[str],
    main: Sequence[Vote],
    rng: np.random.Generator,
    half_width: float = HALF_WIDTH,
) -> list[dict[str, Any]]:
    """A row for each pair of methods, question, and emotion, setting or all together; Holm over all of them."""
    rows, resampled = [], stats.Resampled(rng)
    for first, second in combinations(sorted(methods), 2):
        pair = [vote for vote in main if {vote["left"], vote["right"]} == {first, second}]
        for question in questions:
            asked = _of(pair, "question", question)
            for group, value in _groups(pair):
                those = asked if group == "all" else _of(asked, group, value)
                row = _row(first, second, those, resampled, half_width)
                rows.append({"question": question, "group": group, "value": value, **row})
    counted = [row for row in rows if row["count"]]
    for row, p in zip(counted, stats.holm([row["p"] for row in counted]), strict=True):
        row["p_holm"] = p
    sound = [row for row in counted if row["clustered"]]
    for row, p in zip(sound, stats.holm([row["clustered"]["p"] for row in sound]), strict=True):
        row["clustered"]["p_holm"] = p
    return rows


def _groups(given: Sequence[Vote]) -> list[tuple[str, str]]:
    emotions = {vote["emotion"] for vote in given} - {""}
    settings = {vote["setting"] for vote in given} - {""}
    found = [("emotion", emotion) for emotion in EMOTIONS if emotion in emotions]
    if len(settings) > 1:
        found += [("setting", setting) for setting in sorted(settings)]
    return [*found, ("all", "")]


def _row(
    first: str, second: str, given: Sequence[Vote], resampled: stats.Resampled, half_width: float
) -> dict[str, Any]:
    decided = [vote for vote in given if vote["chosen"]]
    won = sum(vote["chosen"] == first for vote in decided)
    row: dict[str, Any] = {
        "first": first, "second": second, "first_wins": won, "second_wins": len(decided) - won,
        "cannot_tell": len(given) - len(decided), "count": len(decided),
        "rate": None, "wilson": None, "p": None, "p_holm": None, "clustered": None, "more": None,
    }  # fmt: skip
    if not decided:
        return row
    rate, count = won / len(decided), len(decided)
    row |= {"rate": rate, "wilson": list(stats.wilson(won, count)), "p": stats.binomial(won, count)}
    found = stats.clustered(*_grid(decided, first), resampled)
    if found is not None:
        row["clustered"] = {**vars(found), "p_holm": None}
    effect = found.design_effect if found else 1.0
    row["more"] = stats.more_judgements((won + 0.5) / (count + 1), count, effect, half_width)
    return row


def _grid(decided: Sequence[Vote], first: str) -> tuple[np.ndarray, np.ndarray]:
    """wins of the first method and counts, each (participants, clips)."""
    people = {name: i for i, name in enumerate(dict.fromkeys(vote["participant_id"] for vote in decided))}
    clips = {name: i for i, name in enumerate(dict.fromkeys(vote["item"] for vote in decided))}
    wins, counts = np.zeros((2, len(people), len(clips)), np.int64)
    for vote in decided:
        cell = people[vote["participant_id"]], clips[vote["item"]]
        counts[cell] += 1
        wins[cell] += vote["chosen"] == first
    return wins, counts


def strengths(methods: Sequence[str], given: Sequence[Vote], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Bradley-Terry, the strongest first. "Cannot tell" does not count."""
    decided = [vote for vote in given if vote["chosen"]]
    if not decided:
        return []
    place = {method: index for index, method in enumerate(methods)}

    def tables(key: str) -> np.ndarray:
        names = {name: i for i, name in enumerate(dict.fromkeys(vote[key] for vote in decided))}
        out = np.zeros((len(names), len(methods), len(methods)))
        for vote in decided:
            loser = vote["left"] if vote["chosen"] == vote["right"] else vote["right"]
            out[names[vote[key]], place[vote["chosen"]], place[loser]] += 1
        return out

    people, clips = tables("participant_id"), tables("item")
    found = stats.bradley_terry(people.sum(0), people, clips, rng)
    rows = [{"method": m, "strength": s, "low": a, "high": b} for m, (s, a, b) in zip(methods, found, strict=True)]
    return sorted(rows, key=lambda row: -row["strength"])


def agreement(given: Sequence[Vote]) -> dict[str, Any]:
    """Krippendorff's alpha over pairs of clips; "cannot tell" is an answer of its own."""
    units: dict[tuple, Counter[str]] = defaultdict(Counter)
    for vote in given:
        units[vote["item"], *sorted((vote["left"], vote["right"]))][vote["chosen"]] += 1
    answers = sorted({answer for unit in units.values() for answer in unit})
    table = np.array([[unit[answer] for answer in answers] for unit in units.values()])
    return {"alpha": stats.krippendorff_alpha(table) if units else None, "units": len(units)}


def same_again(given: Sequence[Vote]) -> tuple[int, int]:
    """How many repeats were answered as the first time, of how many."""
    key = ("participant_id", "question", "item")
    first = {
        (*(v[k] for k in key), frozenset((v["left"], v["right"]))): v["chosen"] for v in given if v["kind"] == "main"
    }
    again = [v for v in given if v["kind"] == "repeat"]
    pairs = [(first.get((*(v[k] for k in key), frozenset((v["left"], v["right"])))), v["chosen"]) for v in again]
    known = [(one, two) for one, two in pairs if one is not None]
    return sum(one == two for one, two in known), len(known)


def _asked(vote: Vote) -> tuple:
    return vote["participant_id"], vote["question"], vote["item"], frozenset((vote["left"], vote["right"]))


def side_bias(given: Sequence[Vote]) -> dict[str, Any]:
    """Share of answers for the left side, where both sides have the same chance; p against one half."""
    decided = [v for v in given if v["kind"] in ("main", "identical") and v["answer"] != "cannot"]
    left = sum(vote["answer"] == "left" for vote in decided)
    return {**share(left, len(decided)), "p": stats.binomial(left, len(decided)) if decided else None}


def catches(given: Sequence[Vote]) -> dict[str, Any]:
    """broken: how often the broken clip was preferred. identical: how often a side was taken all the same."""
    broken, identical = _of(given, "kind", "broken"), _of(given, "kind", "identical")
    return {
        "broken": share(sum(v["chosen"] == BROKEN for v in broken), len(broken)),
        "identical": share(sum(v["answer"] != "cannot" for v in identical), len(identical)),
    }


def exclusions(given: Sequence[Vote], rules: Rules) -> dict[str, list[str]]:
    """Participant -> why the rules leave them out."""
    found: dict[str, list[str]] = {}
    for person in dict.fromkeys(vote["participant_id"] for vote in given):
        own = _of(given, "participant_id", person)
        checks, (same, again) = catches(own), same_again(own)
        median = float(np.median([vote["seconds"] for vote in own]))
        reasons = []
        if rules.broken_failures is not None and checks["broken"]["wins"] > rules.broken_failures:
            reasons.append("preferred a broken clip")
        if rules.identical_failures is not None and checks["identical"]["wins"] > rules.identical_failures:
            reasons.append("told identical clips apart")
        if rules.agreement is not None and again and same / again < rules.agreement:
            reasons.append("answered repeats otherwise")
        if rules.seconds is not None and len(own) >= LEAST_SECONDS and median < rules.seconds:
            reasons.append("answered too fast")
        if reasons:
            found[person] = reasons
    return found


def share(wins: int, count: int) -> dict[str, Any]:
    return {
        "wins": wins, "count": count, "rate": wins / count if count else None,
        "wilson": list(stats.wilson(wins, count)) if count else None,
    }  # fmt: skip


def quartiles(given: Iterable[float]) -> list[float] | None:
    """First quartile, median, third quartile."""
    values = list(given)
    return [round(float(q), 3) for q in np.quantile(values, (0.25, 0.5, 0.75))] if values else None


def _of(given: Iterable[Vote], key: str, value: str) -> list[Vote]:
    return [vote for vote in given if vote[key] == value]

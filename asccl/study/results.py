"""Summarize votes as rates, agreement and checks, with and without excluded participants.

Results are plain dictionaries, ready for JSON. tables.py and charts.py display them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import func, select

from asccl.study.answer_quality import (
    catch_trial_failures,
    find_exclusions,
    proportion,
    quartiles,
    rater_agreement,
    repeat_agreement,
    side_bias,
)
from asccl.study.comparisons import DEFAULT_HALF_WIDTH, compare_methods, method_strengths
from asccl.study.plan import StudyPlan
from asccl.study.schema import deletions, participants
from asccl.study.store import Store, utc_now
from asccl.study.studies import Study, load_study
from asccl.study.votes import Vote, filter_votes, read_votes
from asccl.version import __version__


def load_results(store: Store, study_id: str, half_width: float = DEFAULT_HALF_WIDTH) -> dict[str, Any]:
    """Return the results of a stored study, with the numbers of participants.

    Args:
        store: where the study is kept.
        study_id: which study.
        half_width: of the interval for which the number of additional answers is computed.

    Raises:
        StudyError: there is no such study.
    """
    with store.read() as connection:
        study = load_study(connection, study_id)
        invited = select(func.count()).where(participants.c.study_id == study_id)
        counts = {
            "invited": connection.scalar(invited),
            "consented": connection.scalar(invited.where(participants.c.consented_at.is_not(None))),
            "finished": connection.scalar(invited.where(participants.c.finished_at.is_not(None))),
            "withdrawn": connection.scalar(select(func.count()).where(deletions.c.study_id == study_id)),
        }
    results = compute_results(study, read_votes(store, study_id), half_width)
    return {**results, "participants": counts, "computed_at": utc_now()}


def compute_results(study: Study, all_votes: Sequence[Vote], half_width: float = DEFAULT_HALF_WIDTH) -> dict[str, Any]:
    """Return two summaries: `all`, and `kept` without the participants whom the rules of the plan exclude.

    Args:
        study: what was asked.
        all_votes: its answers.
        half_width: of the interval for which the number of additional answers is computed.
    """
    excluded = find_exclusions(all_votes, study.plan.rules)
    kept_votes = [vote for vote in all_votes if vote["participant_id"] not in excluded]
    return {
        "study": study.id,
        "title": study.plan.title,
        "plan_sha256": study.plan_sha256,
        "version": __version__,
        "methods": list(study.methods),
        "questions": {question.id: question.title for question in study.plan.questions},
        "rules": vars(study.plan.rules),
        "rating": study.plan.rating,
        "excluded": [{"participant": name, "reasons": reasons} for name, reasons in excluded.items()],
        "half_width": half_width,
        "all": summarize_votes(study.plan, study.methods, all_votes, half_width),
        "kept": summarize_votes(study.plan, study.methods, kept_votes, half_width),
    }


def summarize_votes(
    plan: StudyPlan, methods: Sequence[str], selected: Sequence[Vote], half_width: float = DEFAULT_HALF_WIDTH
) -> dict[str, Any]:
    """Return rates, strengths, agreement and checks of a selection of votes.

    Args:
        plan: the questions, and the seed of the bootstrap.
        methods: all methods of the study.
        selected: votes of all kinds.
        half_width: of the interval for which the number of additional answers is computed.
    """
    questions = [question.id for question in plan.questions]
    main = filter_votes(selected, "kind", "main")
    by_question = {question: filter_votes(main, "question", question) for question in questions}
    rng = np.random.default_rng(plan.seed)
    comparisons = compare_methods(questions, methods, main, rng, half_width)
    strengths = {}
    if len(methods) > 2:
        strengths = {question: method_strengths(methods, by_question[question], rng) for question in questions}
    return {
        "people": len({vote["participant_id"] for vote in selected}),
        "votes": len(main),
        "comparisons": comparisons,
        "bradley_terry": strengths,
        "agreement": {question: rater_agreement(by_question[question]) for question in questions},
        "self_agreement": proportion(*repeat_agreement(selected)),
        "side": side_bias(selected),
        "catches": catch_trial_failures(selected),
        "seconds": {question: quartiles(vote["seconds"] for vote in by_question[question]) for question in questions},
    }

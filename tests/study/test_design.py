"""The schedule of trials: balance, randomness from the seed, catch trials and repeats."""

from __future__ import annotations

from collections import Counter

import pytest
from participant_steps import enter_study, finish_study
from sqlalchemy import update

from asccl.study.assignments import count_answers, count_assignments
from asccl.study.design import (
    BROKEN,
    MIN_REPEAT_GAP,
    MethodPair,
    Trial,
    method_pairs,
    participant_seed,
    schedule_trials,
)
from asccl.study.plan import parse_plan
from asccl.study.schema import participants
from asccl.study.studies import load_study

ITEMS = [f"item-{number}" for number in range(7)]
PAIRS = method_pairs(ITEMS, ["NED", "ASCCL", "ICface"])


def schedule(seed: int = 1, assigned: dict[MethodPair, int] | None = None, **settings: object) -> list[Trial]:
    return schedule_trials(parse_plan({"title": "t", **settings}), PAIRS, assigned or {}, seed, ITEMS[:3])


def pair_of(trial: Trial) -> MethodPair:
    return MethodPair(trial.item, *sorted((trial.left, trial.right)))


def test_the_seed_decides_everything():
    assert schedule(5) == schedule(5) != schedule(6)


def test_seeds_of_participants_differ_and_fit_into_json():
    seeds = {participant_seed(0, number) for number in range(1000)}
    assert len(seeds) == 1000
    assert max(seeds) < 2**53


def test_every_pair_once_for_each_question_with_practice_repeats_and_catch_trials():
    trials = schedule(training=2, repeats=4, identical=3, broken=2)
    kinds = Counter(trial.kind for trial in trials)
    assert kinds == {"training": 3 * 2, "main": 3 * len(PAIRS), "repeat": 4, "identical": 3, "broken": 2}
    assert [trial.kind for trial in trials[:2]] == ["training"] * 2
    counts = Counter((trial.question, pair_of(trial)) for trial in trials if trial.kind == "main")
    assert set(counts.values()) == {1}
    assert {pair for _, pair in counts} == set(PAIRS)


def test_catch_trials_have_identical_clips_or_one_broken_clip():
    trials = schedule(identical=3, broken=2)
    assert all(trial.left == trial.right for trial in trials if trial.kind == "identical")
    assert all([trial.left, trial.right].count(BROKEN) == 1 for trial in trials if trial.kind == "broken")


def test_questions_come_in_blocks_and_sides_are_balanced_within_each():
    orders = set()
    for seed in range(20):
        trials = schedule(seed)[1:]
        blocks = list(dict.fromkeys(trial.question for trial in trials))
        assert [trial.question for trial in trials] == sorted((t.question for t in trials), key=blocks.index)
        orders.add(tuple(blocks))
        for question in blocks:
            main = [trial for trial in trials if trial.kind == "main" and trial.question == question]
            flipped = sum(trial.left > trial.right for trial in main)
            assert abs(2 * flipped - len(main)) <= 1
    assert len(orders) == 6  # all orders of three questions


def test_each_pair_has_either_side_equally_often_over_participants():
    trials = [trial for seed in range(400) for trial in schedule(seed) if trial.kind == "main"]
    counts = Counter((trial.question, pair_of(trial)) for trial in trials if trial.left < trial.right)
    assert len(counts) == 3 * len(PAIRS)
    assert all(140 < count < 260 for count in counts.values())


def test_repeats_swap_sides_and_keep_a_distance():
    for seed in range(30):
        trials = schedule(seed, repeats=6)
        for position, trial in enumerate(trials):
            if trial.kind == "repeat":
                first = trials.index(Trial("main", trial.question, trial.item, trial.right, trial.left))
                assert position - first > MIN_REPEAT_GAP


def test_the_least_assigned_pairs_come_first():
    assigned = {pair: 5 for pair in PAIRS} | {pair: 1 for pair in PAIRS[4:9]}
    chosen = {pair_of(trial) for trial in schedule(3, assigned, quota=5) if trial.kind == "main"}
    assert chosen == set(PAIRS[4:9])


@pytest.mark.usefixtures("no_watch_time")
def test_pairs_fill_evenly_with_quotas(sqlite, new_study):
    study_id = new_study(sqlite, quota=2, questions=["realism"], repeats=0, identical=0, broken=0, training=0)
    for _ in range(9):  # 18 answers over 6 pairs
        finish_study(sqlite, study_id, enter_study(sqlite, study_id))
        with sqlite.read() as connection:
            counts = count_answers(connection, load_study(connection, study_id)).values()
        assert max(counts) - min(counts) <= 1
    assert set(counts) == {3}


def test_open_trials_count_as_assigned_until_the_participant_is_inactive(sqlite, new_study):
    study_id = new_study(sqlite)
    enter_study(sqlite, study_id)
    with sqlite.write() as connection:
        study = load_study(connection, study_id)
        assert set(count_assignments(connection, study).values()) == {3}
        connection.execute(update(participants).values(seen_at="2020-01-01T00:00:00.000+00:00"))
        assert set(count_assignments(connection, study).values()) == {0}

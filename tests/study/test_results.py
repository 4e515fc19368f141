"""Results of votes, their tables and charts, and the statistics on simulated studies whose truth is known."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from participant_steps import enter_study, finish_study

from asccl.study import charts, stats, tables
from asccl.study.answer_quality import find_exclusions, repeat_agreement, side_bias
from asccl.study.plan import ExclusionRules, StudyPlan, parse_plan
from asccl.study.results import compute_results, load_results
from asccl.study.studies import Study
from benchmarks.study_statistics import expected_rate, mean_logit, simulate_studies

PLAN = parse_plan({"title": "A & B <b>", "questions": ["realism"], "cannot_tell": True})


def make_vote(participant="p", item="i", chosen="A", left="A", right="B", kind="main", **changes) -> dict[str, Any]:
    return {
        "participant_id": participant,
        "item": item,
        "question": "realism",
        "emotion": "sad",
        "setting": "",
        "left": left,
        "right": right,
        "kind": kind,
        "answer": "cannot" if not chosen else "left" if chosen == left else "right",
        "chosen": chosen,
        "seconds": 4.0,
        **changes,
    }


def make_study(methods: tuple[str, ...] = ("A", "B"), plan: StudyPlan = PLAN) -> Study:
    return Study("s", plan.sha256(), "", None, 0, plan, {"i": ("sad", "")}, methods, ())


MIXED_VOTES = [
    make_vote("p", "i", "A"),
    make_vote("p", "i", "A", "B", "A", "repeat"),
    make_vote("q", "i", "A"),
    make_vote("q", "i", "B", "B", "A", "repeat"),
    make_vote("q", "j", "(broken)", "(broken)", "A", "broken"),
    make_vote("r", "j", "A", "A", "A", "identical"),
    make_vote("r", "k", "A", seconds=0.1),
    make_vote("r", "l", "A", seconds=0.1),
]


def test_bradley_terry_finds_a_known_order():
    rng, truth = np.random.default_rng(3), {"A": 0.8, "B": 0.0, "C": -0.8}
    votes = []
    for participant in range(20):
        for item in range(12):
            for one, two in (("A", "B"), ("A", "C"), ("B", "C")):
                first_wins = rng.random() < 1 / (1 + math.exp(truth[two] - truth[one]))
                votes.append(make_vote(participant, item, one if first_wins else two, one, two))
    rows = compute_results(make_study(("A", "B", "C")), votes)["all"]["bradley_terry"]["realism"]
    assert [row["method"] for row in rows] == ["A", "B", "C"]
    assert all(row["low"] < truth[row["method"]] < row["high"] for row in rows)


def test_rates_to_the_last_digit():
    votes = [make_vote(p, i, "A" if (p + i) % 4 else "B") for p in range(4) for i in range(5)]
    votes += [make_vote(9, 1, ""), make_vote(1, 1, "B", kind="training"), make_vote(1, 1, "B", kind="repeat")]
    comparisons = compute_results(make_study(), votes)["all"]["comparisons"]
    row = next(row for row in comparisons if row["group"] == "all")
    assert (row["first_wins"], row["second_wins"], row["cannot_tell"], row["count"]) == (15, 5, 1, 20)
    assert row["rate"] == 0.75
    assert row["wilson"] == list(stats.wilson_interval(15, 20))
    assert row["p"] == stats.binomial_p(15, 20)


def test_repeats_and_side_bias():
    assert repeat_agreement(MIXED_VOTES) == (1, 2)
    bias = side_bias(MIXED_VOTES)
    assert (bias["wins"], bias["count"]) == (5, 5)


def test_rules_exclude_participants():
    assert find_exclusions(MIXED_VOTES, ExclusionRules()) == {"q": ["preferred a broken clip"]}
    strict = ExclusionRules(0, identical_failures=0, agreement=0.6, seconds=1.0)
    exclusions = find_exclusions(MIXED_VOTES, strict)
    assert set(exclusions) == {"q", "r"}
    assert len(exclusions["r"]) == 2


def test_excluded_participants_are_in_all_results_but_not_in_the_kept():
    results = compute_results(make_study(), MIXED_VOTES)
    assert (results["all"]["people"], results["kept"]["people"]) == (3, 2)


@pytest.mark.parametrize("votes", [[], [make_vote(person, item) for person in range(3) for item in range(3)]])
def test_no_answers_and_unanimous_answers_have_results_too(votes):
    results = compute_results(make_study(), votes)
    json.dumps(results, allow_nan=False)
    assert tables.markdown_report(results).startswith("# A & B")
    assert r"\end{table}" in tables.latex_tables(results)
    assert charts.draw_chart(results, "all", "realism", "A", "B").endswith("</svg>")


def test_tables_have_the_papers_form_and_special_letters_are_escaped():
    first, second = "x_1", "y&<|"
    votes = [make_vote(p, i, first if (p + i) % 8 else second, first, second) for p in range(8) for i in range(8)]
    results = compute_results(make_study((first, second)), votes)
    markdown, latex = tables.markdown_report(results), tables.latex_tables(results)
    for text in (r"| Sad | 88%\* | 12% |", r"x\_1", r"y&\<\|"):
        assert text in markdown
    for text in (r"Sad & 88\%$^*$", r"x\_1", r"y\&\textless{}|"):
        assert text in latex
    assert "<b>" not in charts.draw_chart(results, "all", "realism", first, second)


def test_a_chart_for_phones_keeps_all_its_text_inside():
    votes = [make_vote(person, item) for person in range(3) for item in range(3)]
    results = compute_results(make_study(), votes)
    chart = charts.draw_chart(results, "all", "realism", "A", "B", charts.NARROW_LAYOUT)
    assert 'viewBox="0 0 350 ' in chart
    assert max(float(x) for x in re.findall(r' x="([\d.]+)"', chart)) <= 350


def test_the_mean_rating_of_a_row():
    votes = [make_vote("p", "i", rating=2), make_vote("q", "i", "B", rating=5), make_vote("r", "i", "", rating=None)]
    rows = compute_results(make_study(), votes)["all"]["comparisons"]
    assert rows[-1]["rating"] == 3.5


def test_an_equal_number_of_answers_is_one_number():
    assert (tables.format_range(4, 4), tables.format_range(3, 4)) == ("4", "3 to 4")


@pytest.mark.usefixtures("no_watch_time")
def test_results_of_a_store(store, new_study):
    study_id = new_study(store, questions=["realism", "mouth"])
    for _ in range(3):
        finish_study(store, study_id, enter_study(store, study_id))
    results = load_results(store, study_id)
    assert results["participants"] == {"invited": 3, "consented": 3, "finished": 3, "withdrawn": 0}
    assert results["all"]["votes"] == 3 * 6 * 2
    assert results["all"]["side"]["rate"] == 1


def test_the_truth_of_the_simulation():
    assert expected_rate(mean_logit(0.7, 0.5), 0.5) == pytest.approx(0.7)
    assert expected_rate(0, 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_intervals_cover_the_truth_and_false_alarms_are_rare(spread):
    """Only 20 studies, so with wide margins; benchmarks/study_statistics.py simulates 500."""
    coverage = simulate_studies(20, {"realism": 0.7, "mouth": 0.6}, spread, 0)
    assert coverage["coverage, clustered, rows of emotion, %"] > 90
    false_alarms = simulate_studies(20, {"realism": 0.5}, spread, 1)
    assert false_alarms["studies with a false alarm after Holm, clustered test, %"] <= 10

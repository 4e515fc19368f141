"""Statistics against cases computed by hand, and against simulated studies whose truth is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from walker import enter, finish

from asccl.study import charts, stats, tables
from asccl.study.plan import Rules, from_dict
from asccl.study.results import compute, exclusions, results, same_again, side_bias
from asccl.study.studies import Study
from benchmarks.study_statistics import expected, mean_for, run

PLAN = from_dict({"title": "A & B <b>", "questions": ["realism"], "cannot_tell": True})


def vote(person="p", item="i", chosen="A", left="A", right="B", kind="main", **other):
    answer = "cannot" if not chosen else "left" if chosen == left else "right"
    return {
        "participant_id": person, "item": item, "question": "realism", "emotion": "sad", "setting": "", "left": left,
        "right": right, "kind": kind, "answer": answer, "chosen": chosen, "seconds": 4.0, **other,
    }  # fmt: skip


def study(methods=("A", "B"), plan=PLAN) -> Study:
    return Study("s", plan.sha256(), "", None, 0, plan, {"i": ("sad", "")}, methods, ())


def test_wilson_by_hand():
    low, high = stats.wilson(7, 10)  # (p + z²/2n ± z √(pq/n + z²/4n²)) / (1 + z²/n), z = 1.959964
    assert (low, high) == pytest.approx((0.39677815, 0.89220872), abs=1e-6)
    assert stats.wilson(0, 4)[0] == 0


def test_the_binomial_test_by_hand():
    assert stats.binomial(9, 10) == pytest.approx(2 * (1 + 10) / 2**10)
    assert stats.binomial(5, 10) == 1


def test_holm_by_hand():
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([]) == []


def test_krippendorff_by_hand():
    assert stats.krippendorff_alpha(np.array([[2, 0], [0, 2]])) == pytest.approx(1)
    # units AA, AB: one coincidence in four is off the diagonal twice: Do = 2/4, De = 2 * 3 * 1 / (4 * 3)
    assert stats.krippendorff_alpha(np.array([[2, 0], [1, 1]])) == pytest.approx(0)
    assert stats.krippendorff_alpha(np.array([[3, 0], [2, 0]])) is None
    assert stats.krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None


def test_how_many_more_by_hand():
    assert stats.more_judgements(0.5, 100, 1.0, 0.05) == math.ceil(1.959964**2 * 0.25 / 0.0025) - 100  # 385 in all
    assert stats.more_judgements(0.5, 100, 2.0, 0.05) == 769 - 100
    assert stats.more_judgements(0.5, 1000, 1.0, 0.05) == 0


def test_independent_answers_cluster_to_about_the_plain_interval():
    rng = np.random.default_rng(0)
    wins = (rng.random((40, 40)) < 0.7).astype(int)
    found = stats.clustered(wins, np.ones_like(wins), stats.Resampled(rng))
    assert 1 <= found.design_effect < 1.6
    assert (found.low, found.high) == pytest.approx(stats.wilson(int(wins.sum()), 1600), abs=0.012)


def test_answers_that_hang_together_widen_the_interval():
    wins = np.repeat(np.arange(20)[:, None] % 2, 20, 1)  # each person always says the same
    found = stats.clustered(wins, np.ones_like(wins), stats.Resampled(np.random.default_rng(0)))
    assert found.design_effect == pytest.approx(20, rel=0.15)  # 20 answers a person are worth one
    assert found.p > 0.9 and found.high - found.low > 0.4


def test_one_person_or_one_clip_has_no_clusters():
    resampled = stats.Resampled(np.random.default_rng(0))
    assert stats.clustered(np.ones((1, 9)), np.ones((1, 9)), resampled) is None
    assert stats.clustered(np.ones((9, 1)), np.ones((9, 1)), resampled) is None


def test_bradley_terry_of_two_methods_is_the_logit():
    wins = np.array([[0, 60], [20, 0]])
    people = np.stack([wins / 4] * 4)
    (first, low, high), (second, *_) = stats.bradley_terry(wins, people, people, np.random.default_rng(0), fits=30)
    assert first - second == pytest.approx(math.log(60.1 / 20.1), abs=1e-3) and first == pytest.approx(-second)
    assert low < first < high


def test_bradley_terry_finds_a_known_order():
    rng, truth = np.random.default_rng(3), {"A": 0.8, "B": 0.0, "C": -0.8}
    votes = []
    for person in range(20):
        for item in range(12):
            for one, two in (("A", "B"), ("A", "C"), ("B", "C")):
                won = rng.random() < 1 / (1 + math.exp(truth[two] - truth[one]))
                votes.append(vote(person, item, one if won else two, one, two))
    rows = compute(study(("A", "B", "C")), votes)["all"]["bradley_terry"]["realism"]
    assert [row["method"] for row in rows] == ["A", "B", "C"]
    assert all(row["low"] < truth[row["method"]] < row["high"] for row in rows)


def test_rates_to_the_last_digit():
    votes = [vote(p, i, "A" if (p + i) % 4 else "B") for p in range(4) for i in range(5)]
    votes += [vote(9, 1, ""), vote(1, 1, "B", kind="training"), vote(1, 1, "B", kind="repeat")]
    row = next(r for r in compute(study(), votes)["all"]["comparisons"] if r["group"] == "all")
    assert (row["first_wins"], row["second_wins"], row["cannot_tell"], row["count"]) == (15, 5, 1, 20)
    assert row["rate"] == 0.75 and row["wilson"] == list(stats.wilson(15, 20)) and row["p"] == stats.binomial(15, 20)


def test_side_self_agreement_and_exclusions():
    votes = [
        vote("p", "i", "A"), vote("p", "i", "A", "B", "A", "repeat"), vote("q", "i", "A"),
        vote("q", "i", "B", "B", "A", "repeat"), vote("q", "j", "(broken)", "(broken)", "A", "broken"),
        vote("r", "j", "A", "A", "A", "identical"), vote("r", "k", "A", seconds=0.1), vote("r", "l", "A", seconds=0.1),
    ]  # fmt: skip
    assert same_again(votes) == (1, 2)
    assert (side_bias(votes)["wins"], side_bias(votes)["count"]) == (5, 5)
    assert exclusions(votes, Rules()) == {"q": ["preferred a broken clip"]}
    strict = Rules(0, identical_failures=0, agreement=0.6, seconds=1.0)
    assert set(exclusions(votes, strict)) == {"q", "r"} and len(exclusions(votes, strict)["r"]) == 2
    found = compute(study(), votes)
    assert (found["all"]["people"], found["kept"]["people"]) == (3, 2)


def test_no_answers_and_unanimous_answers_have_results_too():
    for votes in ([], [vote(p, i) for p in range(3) for i in range(3)]):
        found = compute(study(), votes)
        json.dumps(found, allow_nan=False)
        assert tables.markdown(found) and tables.latex(found) and charts.chart(found, "all", "realism", "A", "B")


def test_tables_have_the_papers_form_and_no_letter_means_anything():
    votes = [vote(p, i, "x_1" if p else "y&<|", "x_1", "y&<|") for p in range(8) for i in range(6)]
    found = compute(study(("x_1", "y&<|")), votes)
    text, tex = tables.markdown(found), tables.latex(found)
    assert r"| Sad | 88%\* | 12% |" in text and r"x\_1" in text and r"y&\<\|" in text
    assert r"Sad & 88\%$^*$" in tex and r"x\_1" in tex and r"y\&\textless{}|" in tex
    assert "<b>" not in charts.chart(found, "all", "realism", "x_1", "y&<|")


def test_results_of_a_store(store, make, unhurried):
    chosen = make(store, questions=["realism", "mouth"])
    for _ in range(3):
        finish(store, chosen, enter(store, chosen))
    found = results(store, chosen)
    assert found["participants"] == {"invited": 3, "consented": 3, "finished": 3, "withdrawn": 0}
    assert found["all"]["side"]["rate"] == 1 and found["all"]["votes"] == 3 * 6 * 2


def test_the_truth_of_the_simulation():
    assert expected(mean_for(0.7, 0.5), 0.5) == pytest.approx(0.7)
    assert expected(0, 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_intervals_hold_the_truth_and_nothing_is_found_where_nothing_is(spread):
    """A few studies: wide margins. The 500 of benchmarks/study_statistics.py say it exactly."""
    found = run(20, {"realism": 0.7, "mouth": 0.6}, spread, 0)
    assert found["coverage, clustered, rows of emotion, %"] > 90
    none = run(20, {"realism": 0.5}, spread, 1)
    assert none["studies with a false alarm after Holm, both, as the table marks, %"] <= 15

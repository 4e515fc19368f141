"""Measure coverage, power and false alarms of a study's statistics, on simulated studies with a known truth.

By default they have the paper's size: 25 participants judge 70 clips of seven emotions in three aspects. The odds of
each answer depend on the truth, on the participant and on the clip; `spread` is the standard deviation of the effects
of participants and of clips, in logits. False alarms are counted on studies without a difference; coverage is the share
of intervals that contain the truth, and power the share of rows with a significant difference after Holm. For
comparison, a permutation test over participants (random signs) shows what happens where the clips are taken as fixed.

    python -m benchmarks.study_statistics [--studies 500] [--spread 0 0.2 0.4 0.8] [--participants 25] [--clips 10]
                                          [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asccl.study import stats
from asccl.study.comparisons import compare_methods
from asccl.study.tables import SIGNIFICANCE_LEVEL
from asccl.types import EMOTIONS
from benchmarks.report import print_rows

PAPER_RATES = {"realism": 0.70, "emotion": 0.69, "mouth": 0.73}  # averages of the paper's Table 3
METHODS = ("ASCCL", "NED")
NUM_PARTICIPANTS, CLIPS_PER_EMOTION = 25, 10
NUM_STUDIES = 500
SPREADS = (0.0, 0.2, 0.4, 0.8)  # logits
QUADRATURE_NODES = 80
SIGN_DRAWS = 1_999  # of the permutation test


def expected_rate(mean: float, spread: float) -> float:
    """Return the expected rate where participants and clips each vary around a mean logit with this spread."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    return float((weights / (1 + np.exp(-(mean + spread * np.sqrt(2) * nodes)))).sum() / weights.sum())


@cache
def mean_logit(rate: float, spread: float) -> float:
    """Return the mean logit whose `expected_rate` is `rate`."""
    from scipy.optimize import brentq

    return float(brentq(lambda mean: expected_rate(mean, spread) - rate, -10, 10))


class StudySize(NamedTuple):
    """Numbers of participants, and of clips of each emotion."""

    participants: int = NUM_PARTICIPANTS
    clips: int = CLIPS_PER_EMOTION


def simulate_votes(
    rng: np.random.Generator, true_rates: Mapping[str, float], spread: float, size: StudySize
) -> Iterator[dict[str, Any]]:
    """Yield the votes of one study.

    Args:
        rng: source of all answers.
        true_rates: aspect -> expected rate of the first method.
        spread: standard deviation of the effects of participants and of clips, in logits.
        size: of the study.
    """
    for aspect, rate in true_rates.items():
        participants = rng.normal(0, spread, size.participants)
        clips = rng.normal(0, spread, len(EMOTIONS) * size.clips)
        logits = mean_logit(rate, spread) + participants[:, None] + clips
        first_wins = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
        for (participant, clip), is_first in np.ndenumerate(first_wins):
            yield {
                "participant_id": participant,
                "question": aspect,
                "item": clip,
                "emotion": EMOTIONS[clip // size.clips],
                "setting": "",
                "left": METHODS[0],
                "right": METHODS[1],
                "chosen": METHODS[not is_first],
            }


def simulate_studies(
    studies: int, true_rates: Mapping[str, float], spread: float, seed: int, size: StudySize | None = None
) -> dict[str, float]:
    """Return coverage and power in percent, or the rate of false alarms in percent where all true rates are one half.

    Args:
        studies: number of simulated studies.
        true_rates: aspect -> expected rate of the first method.
        spread: standard deviation of the effects of participants and of clips, in logits.
        seed: of all random numbers.
        size: of each study; None for the paper's.
    """
    size = size or StudySize()
    rng, counts = np.random.default_rng(seed), Counter[str]()
    gc.freeze()  # multipletests collects garbage at every call: this keeps all loaded modules out of it
    is_null = all(rate == 0.5 for rate in true_rates.values())
    for _ in range(studies):
        votes = list(simulate_votes(rng, true_rates, spread, size))
        rows = compare_methods(list(true_rates), METHODS, votes, rng)
        if is_null:
            _count_alarms(counts, rows, votes, rng)
        for row in rows:
            _count_row(counts, row, true_rates[row["question"]])
    if is_null:
        return {
            f"studies with a false alarm after Holm, {name}, %": 100 * counts[name] / studies
            for name in ("clustered test", "exact binomial", "permutation over participants")
        }
    return {
        f"{name}, rows of {group}, %": 100 * counts[f"{name} {group}"] / counts[f"rows {group}"]
        for name in ("coverage, clustered", "coverage, Wilson", "power, clustered test")
        for group in ("all", "emotion")
    }


def _count_row(counts: Counter[str], row: Mapping[str, Any], true_rate: float) -> None:
    group = "all" if row["group"] == "all" else "emotion"
    intervals = {"clustered": (row["clustered"]["low"], row["clustered"]["high"]), "Wilson": row["wilson"]}
    for name, (low, high) in intervals.items():
        counts[f"coverage, {name} {group}"] += low <= true_rate <= high
    counts[f"power, clustered test {group}"] += row["clustered"]["p_holm"] < SIGNIFICANCE_LEVEL
    counts[f"rows {group}"] += 1


def _count_alarms(
    counts: Counter[str], rows: list[dict[str, Any]], votes: list[dict[str, Any]], rng: np.random.Generator
) -> None:
    p_values = {
        "clustered test": [row["clustered"]["p_holm"] for row in rows],
        "exact binomial": [row["p_holm"] for row in rows],
        "permutation over participants": stats.holm_adjust(_permutation_p_values(votes, rows, rng)),
    }
    for name, adjusted in p_values.items():
        counts[name] += min(adjusted) < SIGNIFICANCE_LEVEL


def _permutation_p_values(
    votes: list[dict[str, Any]], rows: list[dict[str, Any]], rng: np.random.Generator
) -> list[float]:
    """Return the p-value of each row where the sign of all answers of a participant is random."""
    participants = 1 + max(vote["participant_id"] for vote in votes)
    signs = rng.choice((-1.0, 1.0), (SIGN_DRAWS, participants))
    p_values = []
    for row in rows:
        sums = np.zeros(participants)
        for vote in votes:
            if vote["question"] == row["question"] and row["value"] in ("", vote["emotion"]):
                sums[vote["participant_id"]] += 1 if vote["chosen"] == METHODS[0] else -1
        exceeding = (np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum()
        p_values.append(float((1 + exceeding) / (1 + SIGN_DRAWS)))
    return p_values


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=NUM_STUDIES, help="of each kind; default: %(default)s")
    parser.add_argument("--spread", type=float, nargs="+", default=SPREADS, help=f"in logits; default: {SPREADS}")
    parser.add_argument("--participants", type=int, default=NUM_PARTICIPANTS, help="default: %(default)s")
    parser.add_argument("--clips", type=int, default=CLIPS_PER_EMOTION, help="of each emotion; default: %(default)s")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file")
    arguments = parser.parse_args()
    size = StudySize(arguments.participants, arguments.clips)
    rows: dict[str, float | str] = {"studies of each kind": float(arguments.studies)}
    rows |= {"participants": float(size.participants), "clips of each emotion": float(size.clips)}
    for spread in arguments.spread:
        for seed, true_rates in enumerate((PAPER_RATES, dict.fromkeys(PAPER_RATES, 0.5))):
            metrics = simulate_studies(arguments.studies, true_rates, spread, seed, size)
            rows |= {f"spread {spread:g}: {label}": value for label, value in metrics.items()}
            print(f"spread {spread:g}, {'no difference' if seed else 'a difference'}: {metrics}", flush=True)
    print_rows("study statistics", rows, arguments.json)


if __name__ == "__main__":
    main()

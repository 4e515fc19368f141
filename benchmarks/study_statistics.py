"""Coverage and false alarms of a study's statistics, on simulated studies of the paper's size with a known truth.

25 participants judge 70 clips of seven emotions in three aspects. The odds of each answer depend on the truth, on the
participant and on the clip; `spread` is the standard deviation of the effects of participants and of clips, in logits.
False alarms are counted on studies without a difference; coverage is the share of intervals that contain the truth.

    python -m benchmarks.study_statistics [--studies 500] [--spread 0 0.4] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from asccl.study.comparisons import compare_methods
from asccl.types import EMOTIONS
from benchmarks.report import print_rows

PAPER_RATES = {"realism": 0.70, "emotion": 0.69, "mouth": 0.73}  # averages of the paper's Table 3
METHODS = ("ASCCL", "NED")
NUM_PARTICIPANTS, CLIPS_PER_EMOTION = 25, 10
NUM_STUDIES = 500
SPREADS = (0.0, 0.4)  # logits
QUADRATURE_NODES = 80
SIGNIFICANCE_LEVEL = 0.05


def expected_rate(mean: float, spread: float) -> float:
    """Return the expected rate where participants and clips each vary around a mean logit with this spread."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    return float((weights / (1 + np.exp(-(mean + spread * np.sqrt(2) * nodes)))).sum() / weights.sum())


@cache
def mean_logit(rate: float, spread: float) -> float:
    """Return the mean logit whose `expected_rate` is `rate`."""
    from scipy.optimize import brentq

    return float(brentq(lambda mean: expected_rate(mean, spread) - rate, -10, 10))


def simulate_votes(
    rng: np.random.Generator, true_rates: Mapping[str, float], spread: float
) -> Iterator[dict[str, Any]]:
    """Yield the votes of one study.

    Args:
        rng: source of all answers.
        true_rates: aspect -> expected rate of the first method.
        spread: standard deviation of the effects of participants and of clips, in logits.
    """
    for aspect, rate in true_rates.items():
        participants = rng.normal(0, spread, NUM_PARTICIPANTS)
        clips = rng.normal(0, spread, len(EMOTIONS) * CLIPS_PER_EMOTION)
        logits = mean_logit(rate, spread) + participants[:, None] + clips
        first_wins = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
        for (participant, clip), is_first in np.ndenumerate(first_wins):
            yield {
                "participant_id": participant,
                "question": aspect,
                "item": clip,
                "emotion": EMOTIONS[clip // CLIPS_PER_EMOTION],
                "setting": "",
                "left": METHODS[0],
                "right": METHODS[1],
                "chosen": METHODS[not is_first],
            }


def simulate_studies(studies: int, true_rates: Mapping[str, float], spread: float, seed: int) -> dict[str, float]:
    """Return the coverage in per cent, or the rate of false alarms in per cent where all true rates are one half.

    Args:
        studies: number of simulated studies.
        true_rates: aspect -> expected rate of the first method.
        spread: standard deviation of the effects of participants and of clips, in logits.
        seed: of all random numbers.
    """
    rng, counts = np.random.default_rng(seed), Counter[str]()
    gc.freeze()  # multipletests collects garbage at every call: this keeps all loaded modules out of it
    for _ in range(studies):
        rows = compare_methods(list(true_rates), METHODS, list(simulate_votes(rng, true_rates, spread)), rng)
        for row in rows:
            _count_coverage(counts, row, true_rates[row["question"]])
        _count_alarms(counts, rows)
    if any(rate != 0.5 for rate in true_rates.values()):
        return {
            f"coverage, {name}, rows of {group}, %": 100 * counts[f"{name} {group}"] / counts[f"rows {group}"]
            for name in ("clustered", "Wilson")
            for group in ("all", "emotion")
        }
    return {
        f"studies with a false alarm after Holm, {name}, %": 100 * counts[name] / studies
        for name in ("exact binomial", "clustered test", "both, as the table marks")
    }


def _count_coverage(counts: Counter[str], row: Mapping[str, Any], true_rate: float) -> None:
    group = "all" if row["group"] == "all" else "emotion"
    intervals = {"clustered": (row["clustered"]["low"], row["clustered"]["high"]), "Wilson": row["wilson"]}
    for name, (low, high) in intervals.items():
        counts[f"{name} {group}"] += low <= true_rate <= high
    counts[f"rows {group}"] += 1


def _count_alarms(counts: Counter[str], rows: list[dict[str, Any]]) -> None:
    binomial = [row["p_holm"] < SIGNIFICANCE_LEVEL for row in rows]
    clustered = [row["clustered"]["p_holm"] < SIGNIFICANCE_LEVEL for row in rows]
    counts["exact binomial"] += any(binomial)
    counts["clustered test"] += any(clustered)
    counts["both, as the table marks"] += any(a and b for a, b in zip(binomial, clustered, strict=True))


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=NUM_STUDIES, help="of each kind; default: %(default)s")
    parser.add_argument("--spread", type=float, nargs="+", default=SPREADS, help=f"in logits; default: {SPREADS}")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file")
    arguments = parser.parse_args()
    rows: dict[str, float | str] = {"studies of each kind": float(arguments.studies)}
    for spread in arguments.spread:
        for seed, true_rates in enumerate((PAPER_RATES, dict.fromkeys(PAPER_RATES, 0.5))):
            metrics = simulate_studies(arguments.studies, true_rates, spread, seed)
            rows |= {f"spread {spread:g}: {label}": value for label, value in metrics.items()}
            print(f"spread {spread:g}, {'no difference' if seed else 'a difference'}: {metrics}", flush=True)
    print_rows("study statistics", rows, arguments.json)


if __name__ == "__main__":
    main()

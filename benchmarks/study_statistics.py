"""How honest the statistics of a study are: simulated studies of the paper's size, whose truth is known.

25 people judge 70 clips of seven emotions in three aspects. An answer is a coin whose odds depend on the truth, on
the person and on the clip; `spread` is the standard deviation of the latter two, in logits. Studies without a
difference count false alarms; coverage is the share of intervals that hold the truth.

    python -m benchmarks.study_statistics [--studies 500] [--spread 0 0.4] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from asccl.study.results import comparisons
from asccl.types import EMOTIONS
from benchmarks.report import print_rows

ASPECTS = {"realism": 0.70, "emotion": 0.69, "mouth": 0.73}  # the paper's averages of Table 3
METHODS = ("ASCCL", "NED")
PEOPLE, CLIPS = 25, 10  # clips for each emotion
STUDIES = 500
SPREADS = (0.0, 0.4)


def expected(mean: float, spread: float) -> float:
    """Share of answers over all people and clips whose logits are `mean` with this spread of each."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return float((weights / (1 + np.exp(-(mean + spread * np.sqrt(2) * nodes)))).sum() / weights.sum())


@cache
def mean_for(share: float, spread: float) -> float:
    """The logit whose `expected` is `share`."""
    from scipy.optimize import brentq

    return float(brentq(lambda mean: expected(mean, spread) - share, -10, 10))


def simulated(rng: np.random.Generator, truth: dict[str, float], spread: float) -> Iterator[dict[str, Any]]:
    """The votes of one study; truth: aspect -> expected share of the first method."""
    for aspect, share in truth.items():
        people, clips = rng.normal(0, spread, PEOPLE), rng.normal(0, spread, len(EMOTIONS) * CLIPS)
        logits = mean_for(share, spread) + people[:, None] + clips
        first = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
        for (person, clip), won in np.ndenumerate(first):
            yield {
                "participant_id": person, "question": aspect, "item": clip, "emotion": EMOTIONS[clip // CLIPS],
                "setting": "", "left": METHODS[0], "right": METHODS[1], "chosen": METHODS[not won],
            }  # fmt: skip


def run(studies: int, truth: dict[str, float], spread: float, seed: int) -> dict[str, float]:
    rng, counts = np.random.default_rng(seed), Counter[str]()
    gc.freeze()  # multipletests collects garbage at every call: not through all modules
    for _ in range(studies):
        rows = comparisons(list(truth), METHODS, list(simulated(rng, truth, spread)), rng)
        for row in rows:
            share, kind = truth[row["question"]], "all" if row["group"] == "all" else "emotion"
            for name, (low, high) in {
                "clustered": (row["clustered"]["low"], row["clustered"]["high"]), "Wilson": row["wilson"]
            }.items():  # fmt: skip
                counts[f"{name} {kind}"] += low <= share <= high
            counts[f"rows {kind}"] += 1
        binomial = [row["p_holm"] < 0.05 for row in rows]
        clustered = [row["clustered"]["p_holm"] < 0.05 for row in rows]
        counts["exact binomial"] += any(binomial)
        counts["clustered test"] += any(clustered)
        counts["both, as the table marks"] += any(a and b for a, b in zip(binomial, clustered, strict=True))
    told = {}
    if any(share != 0.5 for share in truth.values()):
        for name in ("clustered", "Wilson"):
            for kind in ("all", "emotion"):
                told[f"coverage, {name}, rows of {kind}, %"] = 100 * counts[f"{name} {kind}"] / counts[f"rows {kind}"]
    else:
        for name in ("exact binomial", "clustered test", "both, as the table marks"):
            told[f"studies with a false alarm after Holm, {name}, %"] = 100 * counts[name] / studies
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=STUDIES, help=f"of each kind; default {STUDIES}")
    parser.add_argument("--spread", type=float, nargs="+", default=SPREADS, help=f"in logits; default {SPREADS}")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    rows: dict[str, float | str] = {"studies of each kind": float(arguments.studies)}
    for spread in arguments.spread:
        for seed, truth in enumerate((ASPECTS, dict.fromkeys(ASPECTS, 0.5))):
            found = run(arguments.studies, truth, spread, seed)
            rows |= {f"spread {spread:g}: {label}": value for label, value in found.items()}
            print(f"spread {spread:g}, {'no difference' if seed else 'a difference'}: {found}", flush=True)
    print_rows("study statistics", rows, arguments.json)


if __name__ == "__main__":
    main()

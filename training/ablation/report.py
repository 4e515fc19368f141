"""What an ablation comes to: scores.jsonl with a line for each seed, setting and row, table.md and chart.png."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.ablation.cases import SETTINGS
from training.ablation.design import BASELINE, ROWS
from training.ablation.score import SOURCE

Scores = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Measure:
    """label: for people. better: +1 where more is better, -1 where less. digits: after the point."""

    key: str
    label: str
    better: int
    digits: int


MEASURES = (
    Measure("fad", "FAD", -1, 3),
    Measure("csim", "CSIM", 1, 3),
    Measure("mouth", "mouth", 1, 3),
    Measure("lips", "lips off, %", -1, 2),
    Measure("psnr", "PSNR, dB", 1, 2),
    Measure("mouth_3dmm", "mouth, 3DMM", 1, 3),
    Measure("lips_3dmm", "lips off, 3DMM, %", -1, 2),
    Measure("error", "coefficients off", -1, 3),
)
CHARTED = ("fad", "csim", "mouth", "lips")


def by_seed(scores: Scores, setting: str, row: str, key: str) -> np.ndarray:
    """(seeds,) in the order of the seeds."""
    mine = sorted(
        (int(told["seed"]), float(told[key]))  # type: ignore[call-overload, arg-type]
        for told in scores
        if told["setting"] == setting and told["row"] == row
    )
    return np.array([value for _, value in mine])


def spread(values: np.ndarray) -> float:
    """Standard deviation over seeds; of one seed there is none."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def told(values: np.ndarray, digits: int, sign: str = "") -> str:
    mean = f"{values.mean():{sign}.{digits}f}"
    return f"{mean} ± {spread(values):.{digits}f}" if len(values) > 1 else mean


def table(scores: Scores, setting: str, difference: bool) -> str:
    """Mean and deviation over seeds of every row; or of each seed's difference to the baseline of that seed."""
    arrows = [f"{m.label} {'↑' if m.better > 0 else '↓'}" for m in MEASURES]
    lines = ["| " + " | ".join(["", "paper's tables", *arrows]) + " |", "|" + "---|" * (len(MEASURES) + 2)]
    names = [(row.name, ", ".join(map(str, row.tables))) for row in ROWS]
    for name, tables in names[1:] if difference else [(SOURCE, ""), *names]:
        cells = []
        for m in MEASURES:
            values = by_seed(scores, setting, name, m.key)
            if difference:
                values = values - by_seed(scores, setting, BASELINE, m.key)
            cells.append(told(values, m.digits, "+" if difference else ""))
        lines.append("| " + " | ".join([name, tables, *cells]) + " |")
    return "\n".join(lines)


def markdown(scores: Scores) -> str:
    parts = []
    for setting in SETTINGS:
        count = len(by_seed(scores, setting, BASELINE, "fad"))
        parts += [f"**{setting}**, mean ± deviation over {count} seeds", table(scores, setting, False)]
        parts += [f"**{setting}**, difference to {BASELINE} of the same seed", table(scores, setting, True)]
    return "\n\n".join(parts) + "\n"


def chart(scores: Scores, path: Path) -> None:
    """Differences to the baseline, a dot for each seed, turned so that right is better."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    measures = [m for m in MEASURES if m.key in CHARTED]
    names = [row.name for row in ROWS[1:]]
    figure, axes = plt.subplots(1, len(measures), figsize=(3.1 * len(measures), 3.6), sharey=True)
    for axis, m in zip(axes, measures, strict=True):
        for shift, setting, colour in zip((-0.12, 0.12), SETTINGS, ("#1f77b4", "#d95f02"), strict=True):
            base = by_seed(scores, setting, BASELINE, m.key)
            for place, name in enumerate(names):
                gain = m.better * (by_seed(scores, setting, name, m.key) - base)
                axis.plot(gain, np.full(len(gain), place + shift), "o", color=colour, alpha=0.4, markersize=4)
                axis.errorbar(gain.mean(), place + shift, xerr=spread(gain), fmt="|", color=colour, capsize=3,
                              label=setting if place == 0 else None)  # fmt: skip
        axis.axvline(0, color="#888888", linewidth=1)
        axis.set_title(f"{m.label}: better by", fontsize=10)
        axis.tick_params(labelsize=8)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    axes[-1].legend(fontsize=8, frameon=False)
    figure.suptitle(f"Against {BASELINE} of the same seed; each dot is a seed, bars are one deviation", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write(scores: Scores, folder: Path) -> None:
    """All three files; prints the table."""
    (folder / "scores.jsonl").write_text("".join(json.dumps(told) + "\n" for told in scores), encoding="utf-8")
    text = markdown(scores)
    (folder / "table.md").write_text(text, encoding="utf-8")
    chart(scores, folder / "chart.png")
    print(text)

"""Report of an ablation: scores.jsonl with a line for each seed, setting and row, table.md and chart.png."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.ablation.cases import SETTINGS
from training.ablation.design import BASELINE, ROWS
from training.ablation.score import UNCHANGED_ROW

Scores = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Metric:
    """A column of the table.

    Attributes:
        key: in the scores.
        label: in the table.
        better: +1 where more is better, -1 where less is.
        digits: after the decimal point.
    """

    key: str
    label: str
    better: int
    digits: int


METRICS = (
    Metric("fad", "FAD", -1, 3),
    Metric("csim", "CSIM", 1, 3),
    Metric("mouth", "mouth", 1, 3),
    Metric("lips", "lips off, %", -1, 2),
    Metric("psnr", "PSNR, dB", 1, 2),
    Metric("mouth_3dmm", "mouth, 3DMM", 1, 3),
    Metric("lips_3dmm", "lips off, 3DMM, %", -1, 2),
    Metric("error", "coefficients off", -1, 3),
)
CHART_KEYS = ("fad", "csim", "mouth", "lips")
SETTING_COLOURS = ("#1f77b4", "#d95f02")


def values_by_seed(scores: Scores, setting: str, row: str, key: str) -> np.ndarray:
    """Return the values of a metric (seeds,), sorted by seed.

    Args:
        scores: of all seeds.
        setting: intra-ID or cross-ID.
        row: name of the row.
        key: of the metric.
    """
    selected = [score for score in scores if score["setting"] == setting and score["row"] == row]
    return np.array([value for _, value in sorted((int(s["seed"]), float(s[key])) for s in selected)])


def standard_deviation(values: np.ndarray) -> float:
    """Return the standard deviation over seeds; NaN for one seed."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def format_mean_std(values: np.ndarray, digits: int, sign: str = "") -> str:
    """Format mean and standard deviation over seeds.

    Args:
        values: (seeds,).
        digits: after the decimal point.
        sign: "+" prints the sign of a positive mean, too.
    """
    mean = f"{values.mean():{sign}.{digits}f}"
    return f"{mean} ± {standard_deviation(values):.{digits}f}" if len(values) > 1 else mean


def format_table(scores: Scores, setting: str, difference: bool) -> str:
    """Format the table of a setting.

    Args:
        scores: of all seeds.
        setting: intra-ID or cross-ID.
        difference: differences to the baseline of the same seed instead of the values.
    """
    labels = [f"{m.label} {'↑' if m.better > 0 else '↓'}" for m in METRICS]
    lines = ["| " + " | ".join(["", "paper's tables", *labels]) + " |", "|" + "---|" * (len(METRICS) + 2)]
    rows = [(row.name, ", ".join(map(str, row.tables))) for row in ROWS]
    for name, tables in rows[1:] if difference else [(UNCHANGED_ROW, ""), *rows]:
        cells = []
        for m in METRICS:
            values = values_by_seed(scores, setting, name, m.key)
            if difference:
                values = values - values_by_seed(scores, setting, BASELINE, m.key)
            cells.append(format_mean_std(values, m.digits, "+" if difference else ""))
        lines.append("| " + " | ".join([name, tables, *cells]) + " |")
    return "\n".join(lines)


def format_report(scores: Scores) -> str:
    """Format all tables as Markdown."""
    parts = []
    for setting in SETTINGS:
        count = len(values_by_seed(scores, setting, BASELINE, "fad"))
        parts += [f"**{setting}**, mean ± deviation over {count} seeds", format_table(scores, setting, False)]
        parts += [f"**{setting}**, difference to {BASELINE} of the same seed", format_table(scores, setting, True)]
    return "\n\n".join(parts) + "\n"


def save_chart(scores: Scores, path: Path) -> None:
    """Plot the differences to the baseline, a dot for each seed; right is better."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    metrics = [m for m in METRICS if m.key in CHART_KEYS]
    names = [row.name for row in ROWS[1:]]
    figure, axes = plt.subplots(1, len(metrics), figsize=(3.1 * len(metrics), 3.6), sharey=True)
    for axis, m in zip(axes, metrics, strict=True):
        for offset, setting, colour in zip((-0.12, 0.12), SETTINGS, SETTING_COLOURS, strict=True):
            baseline = values_by_seed(scores, setting, BASELINE, m.key)
            for number, name in enumerate(names):
                gain = m.better * (values_by_seed(scores, setting, name, m.key) - baseline)
                y, label = number + offset, setting if number == 0 else None
                axis.plot(gain, np.full(len(gain), y), "o", color=colour, alpha=0.4, markersize=4)
                deviation = standard_deviation(gain)
                axis.errorbar(gain.mean(), y, xerr=deviation, fmt="|", color=colour, capsize=3, label=label)
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


def write_report(scores: Scores, folder: Path) -> None:
    """Write the three files and print the tables."""
    (folder / "scores.jsonl").write_text("".join(json.dumps(score) + "\n" for score in scores), encoding="utf-8")
    text = format_report(scores)
    (folder / "table.md").write_text(text, encoding="utf-8")
    save_chart(scores, folder / "chart.png")
    print(text)

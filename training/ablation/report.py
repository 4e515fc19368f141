"""Report of an ablation: scores.jsonl with a line for each network or row, table.md and chart.png.

A report of an unfinished run says how many seeds are done. It compares rows of the same seed, by the comparisons that
`design.PLAN` fixed before the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.ablation.cases import CROSS_ID, INTRA_ID, SETTINGS
from training.ablation.design import PLAN, PRETRAINED, ROWS, SUPERVISIONS, Family, PlannedFamily
from training.ablation.inference import PairedEffect, holm, paired_effect, smallest_p
from training.ablation.score import UNCHANGED_ROW

Scores = Sequence[Mapping[str, Any]]
TABLE_FILE, CHART_FILE, SCORES_FILE = "table.md", "chart.png", "scores.jsonl"


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
    Metric("style_found", "style found", 1, 2),
)
METRICS_BY_KEY = {metric.key: metric for metric in METRICS}
FAMILY_KEYS: dict[Family, tuple[str, ...]] = {
    "manipulator": ("lips_3dmm", "mouth_3dmm", "error", "style_found"),
    "renderer": ("lips", "mouth", "psnr", "fad", "csim"),
    "edit": ("lips", "mouth", "psnr", "fad", "csim", "mouth_3dmm", "lips_3dmm", "error"),
}


@dataclass(frozen=True)
class SeedScores:
    """The values of one measure in one family and setting.

    Attributes:
        values: by row, then by seed.
    """

    values: Mapping[str, Mapping[int, float]]

    @classmethod
    def select(cls, scores: Scores, family: Family, setting: str, key: str) -> SeedScores:
        """Select the values of a measure.

        Args:
            scores: of all families.
            family: the family.
            setting: intra-ID or cross-ID.
            key: of the measure.
        """
        values: dict[str, dict[int, float]] = {}
        for score in scores:
            if score["family"] == family and score["setting"] == setting:
                values.setdefault(score["row"], {})[int(score["seed"])] = float(score[key])
        return cls(values)

    def of(self, row: str) -> np.ndarray:
        """Return the values of a row, (seeds,)."""
        return np.array([value for _, value in sorted(self.values.get(row, {}).items())])

    def differences(self, row: str, other: str) -> np.ndarray:
        """Return the differences of two rows at the seeds that have both, (seeds,)."""
        first, second = self.values.get(row, {}), self.values.get(other, {})
        return np.array([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())])


def format_mean_std(values: np.ndarray, digits: int) -> str:
    """Format mean and standard deviation over seeds; a dash for none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return "–"
    mean = f"{values.mean():.{digits}f}"
    return f"{mean} ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else mean


def row_names(family: Family) -> list[str]:
    """Return the rows of a family in the order of the tables."""
    if family == "edit":
        return [UNCHANGED_ROW, *(row.name for row in ROWS)]
    return [PRETRAINED, *SUPERVISIONS[family]]


def format_values(scores: Scores, family: Family, setting: str) -> str:
    """Format the means of all rows of a family.

    Args:
        scores: of all families.
        family: the family.
        setting: intra-ID or cross-ID.
    """
    metrics = [METRICS_BY_KEY[key] for key in FAMILY_KEYS[family]]
    labels = [f"{m.label} {'↑' if m.better > 0 else '↓'}" for m in metrics]
    lines = ["| " + " | ".join(["", "seeds", *labels]) + " |", "|" + "---|" * (len(metrics) + 2)]
    selected = {m.key: SeedScores.select(scores, family, setting, m.key) for m in metrics}
    for name in row_names(family):
        values = [selected[m.key].of(name) for m in metrics]
        if len(values[0]):
            cells = [format_mean_std(x, m.digits) for x, m in zip(values, metrics, strict=True)]
            lines.append("| " + " | ".join([name, str(len(values[0])), *cells]) + " |")
    return "\n".join(lines)


def planned_effects(
    scores: Scores, family: Family, key: str | None = None, setting: str = INTRA_ID
) -> list[PairedEffect]:
    """Estimate the planned comparisons of a family, the tested ones first.

    Args:
        scores: of all families.
        family: the family.
        key: of the measure; the primary one by default.
        setting: intra-ID, or cross-ID, for which nothing is planned.
    """
    plan = PLAN[family]
    selected = SeedScores.select(scores, family, setting, key or plan.measure)
    pairs = plan.comparisons + plan.described
    return [paired_effect(selected.differences(*pair), len(plan.comparisons)) for pair in pairs]


def adjusted_p_values(effects: Sequence[PairedEffect], tested: int) -> list[float]:
    """Correct the p-values of the first `tested` effects by Holm's procedure; the others have none, NaN."""
    return holm([effect.p for effect in effects[:tested]]) + [float("nan")] * (len(effects) - tested)


def format_effects(scores: Scores, family: Family, setting: str = INTRA_ID) -> str:
    """Format the comparisons of a family: the primary measure with its test, the others with intervals.

    Args:
        scores: of all families.
        family: the family.
        setting: intra-ID, or cross-ID, whose comparisons are described without a test.
    """
    plan = PLAN[family]
    tested = len(plan.comparisons) if setting == INTRA_ID else 0
    others = [key for key in FAMILY_KEYS[family] if key != plan.measure]
    primary = METRICS_BY_KEY[plan.measure]
    labels = [f"{METRICS_BY_KEY[key].label} {'↑' if METRICS_BY_KEY[key].better > 0 else '↓'}" for key in others]
    head = ["comparison", "seeds", f"**{primary.label}** {'↑' if primary.better > 0 else '↓'}"]
    head += ["p", "p, Holm", "detectable", *labels]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    effects = planned_effects(scores, family, setting=setting)
    columns = [planned_effects(scores, family, key, setting) for key in others]
    adjusted = adjusted_p_values(effects, tested)
    pairs = plan.comparisons + plan.described
    for number, (pair, effect, q) in enumerate(zip(pairs, effects, adjusted, strict=True)):
        cells = [" − ".join(pair), str(effect.seeds), format_effect_interval(effect, primary.digits)]
        test = (effect.p, q, effect.detectable) if number < tested else [float("nan")] * 3
        cells += [format_fixed(x, digits) for x, digits in zip(test, (4, 4, primary.digits), strict=True)]
        cells += [
            format_effect_interval(column[number], METRICS_BY_KEY[key].digits)
            for key, column in zip(others, columns, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def format_effect_interval(effect: PairedEffect, digits: int) -> str:
    """Format a mean difference with its interval; a dash without seeds."""
    if effect.seeds == 0:
        return "–"
    text = f"{effect.mean:+.{digits}f}"
    return text if np.isnan(effect.low) else f"{text} [{effect.low:+.{digits}f}, {effect.high:+.{digits}f}]"


def format_fixed(value: float, digits: int) -> str:
    """Format a number; a dash for NaN."""
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _describe_test(plan: PlannedFamily, seeds: Sequence[int]) -> str:
    count = len(plan.comparisons)
    if not seeds or min(seeds) == 0:
        return f"Not every one of the {count} planned comparisons has a seed yet."
    smallest = smallest_p(min(seeds), count)
    return (
        f"{count} planned comparisons, {min(seeds)} to {max(seeds)} seeds each. Intervals are 95 %, not corrected. "
        f"With {min(seeds)} seeds the smallest p-value after Holm's correction is {smallest:.4f}. A paired test at "
        f"0.05 / {count} finds the effect “detectable” with a power of 80 %."
    )


def format_report(scores: Scores) -> str:
    """Format all tables as Markdown."""
    parts = []
    for family, plan in PLAN.items():
        if not any(score["family"] == family for score in scores):
            continue
        seeds = [effect.seeds for effect in planned_effects(scores, family)[: len(plan.comparisons)]]
        parts += [f"**{plan.title}**: differences of rows of the same seed", format_effects(scores, family)]
        parts += [_describe_test(plan, seeds)]
        for setting in SETTINGS if family == "edit" else (INTRA_ID,):
            title = f"{plan.title.split(',')[0]}, {setting}" if family == "edit" else plan.title
            parts += [f"**{title}**: mean ± deviation over seeds", format_values(scores, family, setting)]
        if any(score["family"] == family and score["setting"] == CROSS_ID for score in scores):
            title = f"{plan.title.split(',')[0]}, {CROSS_ID}"
            parts += [f"**{title}**: differences, exploratory", format_effects(scores, family, CROSS_ID)]
    return "\n\n".join(parts) + "\n"


def save_chart(scores: Scores, path: Path) -> None:
    """Plot the planned comparisons: a dot for each seed, the mean with its 95 % interval; right is better."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    families = [family for family in PLAN if any(score["family"] == family for score in scores)]
    figure, axes = plt.subplots(1, max(1, len(families)), figsize=(5.2 * max(1, len(families)), 3.6), squeeze=False)
    for axis, family in zip(axes[0], families, strict=False):
        plan, metric = PLAN[family], METRICS_BY_KEY[PLAN[family].measure]
        selected = SeedScores.select(scores, family, INTRA_ID, plan.measure)
        pairs = plan.comparisons + plan.described
        for y, (pair, effect) in enumerate(zip(pairs, planned_effects(scores, family), strict=True)):
            gains = metric.better * selected.differences(*pair)
            axis.plot(gains, np.full(len(gains), y), "o", color="#1f77b4", alpha=0.35, markersize=4)
            ends = sorted(metric.better * end for end in (effect.low, effect.high))
            if np.isfinite(ends).all():
                axis.plot(ends, [y, y], "-", color="#0b3d63", linewidth=2)
                axis.plot([metric.better * effect.mean], [y], "|", color="#0b3d63", markersize=14)
        axis.axvline(0, color="#888888", linewidth=1)
        axis.set_yticks(range(len(pairs)), [" − ".join(pair) for pair in pairs], fontsize=8)
        axis.invert_yaxis()
        axis.set_title(f"{plan.title}\n{metric.label}: better by", fontsize=9)
        axis.tick_params(labelsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write_report(scores: Scores, folder: Path) -> None:
    """Write the three files."""
    (folder / SCORES_FILE).write_text("".join(json.dumps(score) + "\n" for score in scores), encoding="utf-8")
    (folder / TABLE_FILE).write_text(format_report(scores), encoding="utf-8")
    save_chart(scores, folder / CHART_FILE)

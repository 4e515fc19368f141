"""Report of the ablation of ICface: scores.jsonl and table.md, with paired differences over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.ablation.inference import MIN_SEEDS, paired_effect
from training.ablation.report import SCORES_FILE, TABLE_FILE, Metric, Scores, format_effect_interval, format_mean_std
from training.ablation.score import read_scores
from training.datasets.driven_clips import DRIVEN_SETTINGS

BASELINE = "ICface"
JOINED_TITLE = "**ICface**, one stage: networks of `training.ablate_icface`"  # of its tables in another report
METRICS = (
    Metric("psnr", "PSNR, dB", 1, 2),
    Metric("attributes", "controls off", -1, 4),
    Metric("eyes", "detail of the eyes, %", 1, 1),
    Metric("mouth", "mouth", 1, 3),
    Metric("lips", "lips off, %", -1, 2),
)


def select_values(scores: Scores, setting: str, row: str, key: str) -> dict[int, float]:
    """Select the values of a metric by seed.

    Args:
        scores: of all seeds.
        setting: edit or reenactment.
        row: name of the row.
        key: of the metric.
    """
    rows = [score for score in scores if score["setting"] == setting and score["row"] == row]
    return {int(score["seed"]): float(score[key]) for score in rows}


def format_report(scores: Scores) -> str:
    """Format all tables as Markdown, of the seeds that are done."""
    rows = list(dict.fromkeys(score["row"] for score in scores))
    parts = []
    for setting in DRIVEN_SETTINGS:
        count = len(select_values(scores, setting, BASELINE, "psnr"))
        values = {row: [_format_values(scores, setting, row, m) for m in METRICS] for row in rows}
        parts += [f"**{setting}**, mean ± deviation over {count} seeds", _format_table(values)]
        if count >= MIN_SEEDS:
            title = f"**{setting}**, difference to {BASELINE} of the same seed: mean, 95 % interval, p (not corrected)"
            effects = {
                row: [_format_effect(scores, setting, row, m) for m in METRICS] for row in rows if row != BASELINE
            }
            parts += [title, _format_table(effects)]
    return "\n\n".join(parts) + "\n"


def _format_table(rows: Mapping[str, Sequence[str]]) -> str:
    header = ["", *(f"{m.label} {'↑' if m.better > 0 else '↓'}" for m in METRICS)]
    lines = [header, *([name, *cells] for name, cells in rows.items())]
    head, *body = ("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n".join([head, "|" + "---|" * len(header), *body])


def _format_values(scores: Scores, setting: str, row: str, metric: Metric) -> str:
    return format_mean_std(np.array(list(select_values(scores, setting, row, metric.key).values())), metric.digits)


def _format_effect(scores: Scores, setting: str, row: str, metric: Metric) -> str:
    """Format mean, interval and p over the seeds in which both rows have a value."""
    ours, theirs = (select_values(scores, setting, name, metric.key) for name in (row, BASELINE))
    differences = np.array([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
    differences = differences[np.isfinite(differences)]
    if len(differences) < MIN_SEEDS:
        return "undefined"
    effect = paired_effect(differences, comparisons=1)
    return f"{format_effect_interval(effect, metric.digits)}, p {effect.p:.3f}"


def write_report(scores: Scores, folder: Path) -> None:
    """Write scores.jsonl and table.md, and print the tables."""
    (folder / SCORES_FILE).write_text("".join(json.dumps(score) + "\n" for score in scores), encoding="utf-8")
    text = format_report(scores)
    (folder / TABLE_FILE).write_text(text, encoding="utf-8")
    print(text)


def append_tables(report: Path, folder: Path) -> None:
    """Append the tables of an ablation of ICface to another report, where there are any.

    report: Markdown file. folder: of `training.ablate_icface`.
    """
    scores = read_scores(folder / SCORES_FILE)
    if scores:
        with report.open("a", encoding="utf-8") as file:
            file.write(f"\n{JOINED_TITLE}\n\n{format_report(scores)}")

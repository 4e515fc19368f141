"""Tables of a report as Markdown, LaTeX or CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from asccl.errors import SettingError
from asccl.evaluation.baselines import COPY
from asccl.evaluation.manifest import SETTINGS
from asccl.evaluation.report import Record, Report
from asccl.evaluation.scores import AVERAGE, NO_EMOTION, POOLED
from asccl.types import EMOTIONS

UP, DOWN, MISSING = "↑", "↓", "–"
SIGNIFICANT = "*"
LATEX_TEXTS = {
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "−": "$-$",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
}


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: above it.
        header: names of the columns.
        rows: cells of each row.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def report_tables(report: Report, by_emotion: bool = False) -> list[Table]:
    """Build the tables of a report.

    Args:
        report: of an evaluation.
        by_emotion: also build a table per measure with a row per emotion.

    Returns:
        For each setting: scores of all clips with intervals, differences of methods, and the tables by emotion.
    """
    tables = []
    for setting in SETTINGS:
        groups = [group for group in report.groups if group["setting"] == setting]
        if not groups:
            continue
        tables.append(_score_table(report, setting, groups))
        if any(difference["setting"] == setting for difference in report.differences):
            tables.append(_difference_table(report, setting))
        if by_emotion:
            tables += [
                _emotion_table(setting, measure, groups)
                for measure in report.protocol["measures"]
                if any(group["measure"] == measure["name"] for group in groups)
            ]
    return tables


def _score_table(report: Report, setting: str, groups: Sequence[Record]) -> Table:
    methods = _methods(groups)
    pooled = {(g["measure"], g["method"]): g for g in groups if g["emotion"] == POOLED}
    rows = [
        [measure_label(measure), *(format_interval(pooled.get((measure["name"], method))) for method in methods)]
        for measure in report.protocol["measures"]
    ]
    rows += [
        [_missing_label(name), *([MISSING] * len(methods))] for name in report.protocol.get("missing_measures", ())
    ]
    counts = {c["method"]: c for c in report.protocol["clips"] if c["setting"] == setting}
    rows.append(["clips (frames)", *(_format_count(counts.get(method)) for method in methods)])
    return Table(f"{setting}: all clips, with 95 % intervals over clips", ["measure", *methods], rows)


def _difference_table(report: Report, setting: str) -> Table:
    differences = [difference for difference in report.differences if difference["setting"] == setting]
    pairs = list(dict.fromkeys((d["first"], d["second"]) for d in differences))
    by_key = {(d["measure"], d["first"], d["second"]): d for d in differences}
    rows = [
        [measure_label(measure), *(_format_difference(by_key.get((measure["name"], *pair))) for pair in pairs)]
        for measure in report.protocol["measures"]
        if any((measure["name"], *pair) in by_key for pair in pairs)
    ]
    header = ["measure", *(f"{first} − {second}" for first, second in pairs)]
    title = f"{setting}: differences on the same clips; {SIGNIFICANT} where the interval excludes 0; (better on n of N)"
    return Table(title, header, rows)


def _emotion_table(setting: str, measure: Mapping[str, Any], groups: Sequence[Record]) -> Table:
    chosen = [group for group in groups if group["measure"] == measure["name"]]
    methods = _methods(chosen)
    by_key = {(group["emotion"], group["method"]): group for group in chosen}
    rows = [
        [emotion, *(format_interval(by_key.get((emotion, method))) for method in methods)]
        for emotion in (*EMOTIONS, NO_EMOTION, AVERAGE, POOLED)
        if any((emotion, method) in by_key for method in methods)
    ]
    return Table(f"{setting}: {measure_label(measure)} by emotion", ["emotion", *methods], rows)


def _methods(groups: Iterable[Record]) -> list[str]:
    return list(dict.fromkeys(group["method"] for group in groups))


def measure_label(measure: Mapping[str, Any]) -> str:
    """Return the name of a measure with an arrow to the better direction."""
    arrow = {True: f" {UP}", False: f" {DOWN}"}.get(measure["higher_is_better"], "")
    return f"{measure['name']}{arrow}"


def _missing_label(name: str) -> str:
    return f"{name} (not measured)"


def format_number(value: float | None) -> str:
    """Format a number with about four digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:.{digits}f}"


def format_interval(record: Record | None) -> str:
    """Format a score with its interval."""
    if record is None:
        return MISSING
    text = format_number(record["value"])
    if record["low"] is None or record["high"] is None:
        return text
    return f"{text} [{format_number(record['low'])}, {format_number(record['high'])}]"


def is_significant(difference: Record) -> bool:
    """Return whether the interval of a difference excludes 0."""
    low, high = difference["low"], difference["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _format_difference(difference: Record | None) -> str:
    if difference is None:
        return MISSING
    text = format_interval(difference) + (SIGNIFICANT if is_significant(difference) else "")
    if difference["better"] is None or difference["second"] == COPY:
        return text
    return f"{text} ({difference['better']} of {difference['clips']})"


def _format_count(count: Record | None) -> str:
    return MISSING if count is None else f"{count['clips']} ({count['faces']})"


def format_markdown(tables: Sequence[Table]) -> str:
    """Format tables as Markdown."""
    parts = []
    for table in tables:
        lines = [f"| {' | '.join(row)} |" for row in (table.header, ["---"] * len(table.header), *table.rows)]
        parts.append("\n".join([f"**{table.title}**", "", *lines]))
    return "\n\n".join(parts) + "\n"


def format_latex(tables: Sequence[Table]) -> str:
    """Format tables as LaTeX with booktabs."""
    parts = []
    for table in tables:
        lines = [r"\begin{table}", rf"\caption{{{_latex(table.title)}}}", r"\centering"]
        lines += [rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}", r"\toprule"]
        rows = [" & ".join(map(_latex, row)) + r" \\" for row in (table.header, *table.rows)]
        lines += [rows[0], r"\midrule", *rows[1:], r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _latex(text: str) -> str:
    return "".join(LATEX_TEXTS.get(letter, letter) for letter in text)


def format_csv(tables: Sequence[Table]) -> str:
    """Format tables as CSV, with the title in the first column."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for table in tables:
        writer.writerow(["table", *table.header])
        writer.writerows([table.title, *row] for row in table.rows)
    return stream.getvalue()


FORMATS = MappingProxyType({"markdown": format_markdown, "latex": format_latex, "csv": format_csv})


def format_tables(tables: Sequence[Table], name: str) -> str:
    """Format tables by the name of a format. Raises SettingError."""
    if name not in FORMATS:
        raise SettingError(f"there is no format {name!r}", f"choose from {', '.join(FORMATS)}")
    return FORMATS[name](tables)

"""The report of an evaluation as HTML: scores with bars and intervals, differences of methods, and the worst clips."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from asccl.evaluation.baselines import BASELINES
from asccl.evaluation.report import Record, Report
from asccl.evaluation.scores import POOLED
from asccl.evaluation.tables import MISSING, format_interval, format_number, is_significant, measure_label
from asccl.ui.measure_meanings import MEASURE_MEANINGS

WORST_CLIPS = 6
BASE64 = re.compile(r"[A-Za-z0-9+/]+=*")
MAX_LEFT_OUT = 20  # lines


def report_settings(report: Report) -> list[str]:
    """Return the settings of a report."""
    return list(dict.fromkeys(str(group["setting"]) for group in report.groups))


def report_methods(report: Report) -> list[str]:
    """Return the methods of a report without the baselines, unless there is nothing else."""
    methods = list(dict.fromkeys(str(group["method"]) for group in report.groups))
    return [method for method in methods if method not in BASELINES] or methods


def report_measures(report: Report, setting: str, method: str) -> list[str]:
    """Return the measures of which a better direction is known and that single clips have.

    Args:
        report: of an evaluation.
        setting: of the clips.
        method: of the clips.
    """
    clips = _clips(report, setting, method)
    return [
        measure["name"]
        for measure in report.protocol["measures"]
        if measure["higher_is_better"] is not None
        and any(_clip_value(clip, measure["name"]) is not None for clip in clips)
    ]


def overview_html(report: Report, setting: str) -> str:
    """Render the scores of a setting, the differences of its methods, and how they were measured."""
    groups = [g for g in report.groups if g["setting"] == setting and g["emotion"] == POOLED]
    parts = [_score_table(report, groups), _difference_table(report, setting), _protocol(report, setting)]
    return f'<div class="evaluation">{"".join(parts)}</div>'


def _score_table(report: Report, groups: Sequence[Record]) -> str:
    methods = list(dict.fromkeys(str(group["method"]) for group in groups))
    head = "".join(f'<th scope="col">{escape(method)}</th>' for method in methods)
    rows = []
    for measure in report.protocol["measures"]:
        cells = {g["method"]: g for g in groups if g["measure"] == measure["name"]}
        if not cells:
            continue
        low, high = _axis(list(cells.values()))
        best = _best_method(measure, cells)
        rows.append(
            f'<tr><th scope="row">{escape(measure_label(measure))}{_meaning(measure["name"])}</th>'
            + "".join(_score_cell(cells.get(method), low, high, method == best) for method in methods)
            + "</tr>"
        )
    for name, reason in report.protocol.get("missing_measures", {}).items():
        rows.append(
            f'<tr class="missing"><th scope="row">{escape(name)}{_meaning(name)}</th>'
            f'<td colspan="{len(methods)}">{escape(str(reason))}</td></tr>'
        )
    return (
        "<section><h3>Scores of all clips</h3><p>Bars are scores, whiskers 95 % intervals over clips. Bold is the best "
        "method; <em>copy</em> (the source itself) and <em>shuffled</em> do not compete.</p>"
        f'<div class="scroll"><table><thead><tr><th scope="col">Measure</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _meaning(name: str) -> str:
    """The line below the name of a measure; empty for one that is not known."""
    meaning = MEASURE_MEANINGS.get(name)
    return f"<small>{escape(meaning)}</small>" if meaning else ""


def _axis(cells: Sequence[Record]) -> tuple[float, float]:
    """Return the ends of the axis of a row of bars; it contains 0."""
    numbers = [_number(cell[name]) for cell in cells for name in ("value", "low", "high")]
    known = [number for number in numbers if number is not None] or [0.0]
    low, high = min(*known, 0.0), max(*known, 0.0)
    return (low, high) if high > low else (low, low + 1)


def _best_method(measure: Mapping[str, Any], cells: Mapping[str, Record]) -> str | None:
    values = {m: v for m, cell in cells.items() if m not in BASELINES and (v := _number(cell["value"])) is not None}
    if measure["higher_is_better"] is None or len(values) < 2:
        return None
    return (max if measure["higher_is_better"] else min)(values, key=values.__getitem__)


def _score_cell(cell: Record | None, low: float, high: float, is_best: bool) -> str:
    value = None if cell is None else _number(cell["value"])
    if cell is None or value is None:
        return f"<td>{MISSING}</td>"

    def place(number: float) -> float:
        return 100 * (number - low) / (high - low)

    zero = place(0.0)
    bar = f"left:{min(zero, place(value)):.1f}%;width:{abs(place(value) - zero):.1f}%"
    ends = [_number(cell[name]) for name in ("low", "high")]
    whisker = ""
    if ends[0] is not None and ends[1] is not None:
        whisker = (
            f'<i class="whisker" style="left:{place(ends[0]):.1f}%;width:{place(ends[1]) - place(ends[0]):.1f}%"></i>'
        )
    number = f"<strong>{format_number(value)}</strong>" if is_best else format_number(value)
    return (
        f'<td title="{escape(format_interval(cell))}"><span>{number}</span>'
        f'<span class="track" aria-hidden="true"><i class="bar" style="{bar}"></i>{whisker}</span></td>'
    )


def _difference_table(report: Report, setting: str) -> str:
    differences = [d for d in report.differences if d["setting"] == setting]
    pairs = list(dict.fromkeys((str(d["first"]), str(d["second"])) for d in differences))
    if not pairs:
        return ""
    head = "".join(f'<th scope="col">{escape(first)} − {escape(second)}</th>' for first, second in pairs)
    by_key = {(d["measure"], d["first"], d["second"]): d for d in differences}
    rows = "".join(
        f'<tr><th scope="row">{escape(measure_label(measure))}</th>'
        + "".join(_difference_cell(measure, by_key.get((measure["name"], *pair))) for pair in pairs)
        + "</tr>"
        for measure in report.protocol["measures"]
        if any((measure["name"], *pair) in by_key for pair in pairs)
    )
    return (
        "<section><h3>Differences on the same clips</h3><p>Green is better and red is worse, where the 95 % interval "
        f'excludes 0.</p><div class="scroll"><table><thead><tr><th scope="col">Measure</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _difference_cell(measure: Mapping[str, Any], difference: Record | None) -> str:
    if difference is None:
        return f"<td>{MISSING}</td>"
    colour = ""
    if is_significant(difference) and measure["higher_is_better"] is not None:
        colour = " class=good" if (difference["low"] > 0) == measure["higher_is_better"] else " class=bad"
    return f"<td{colour}>{escape(format_interval(difference))}</td>"


def _protocol(report: Report, setting: str) -> str:
    protocol = report.protocol
    counts = "".join(
        f"<li>{escape(str(c['method']))}: {c['clips']} clips, {c['faces']} of {c['frames']} frames with a face</li>"
        for c in protocol["clips"]
        if c["setting"] == setting
    )
    weights = "".join(f"<li>{_describe_weights(entry)}</li>" for entry in protocol["weights"])
    left_out = "".join(
        f"<li>{escape(str(r['name']))}: {escape(str(r['reason']))}</li>" for r in report.left_out[:MAX_LEFT_OUT]
    )
    more = len(report.left_out) - MAX_LEFT_OUT
    left_out += f"<li>and {more} more</li>" if more > 0 else ""
    version = f"ASCCL {escape(str(protocol['asccl']))}, commit {escape(str(protocol['commit'] or 'unknown'))}"
    return (
        f"<details><summary>How it was measured</summary><p>{version}. {escape(str(protocol['intervals']))}.</p>"
        f"<ul>{counts}</ul><ul>{weights}</ul>"
        + (f"<h4>Left out</h4><ul>{left_out}</ul>" if left_out else "")
        + "</details>"
    )


def _describe_weights(entry: Mapping[str, Any]) -> str:
    name, file, digest = (escape(str(entry.get(key))) for key in ("name", "file", "sha256"))
    return f"{name}: {file}, sha256 <code>{digest[:16]}…</code>"


def worst_clips_html(report: Report, setting: str, method: str, measure: str) -> str:
    """Render the clips with the worst scores: source, reference and generated frame side by side.

    Args:
        report: of an evaluation.
        setting: of the clips.
        method: of the clips.
        measure: by which they are sorted.
    """
    is_higher_better = {m["name"]: m["higher_is_better"] for m in report.protocol["measures"]}.get(measure)
    scored = [
        (value, clip) for clip in _clips(report, setting, method) if (value := _clip_value(clip, measure)) is not None
    ]
    if is_higher_better is None or not scored:
        return "<p>No clip has this score.</p>"
    scored.sort(key=lambda pair: pair[0], reverse=not is_higher_better)
    figures = "".join(_clip_figure(clip, value) for value, clip in scored[:WORST_CLIPS])
    rule = escape(str(report.protocol.get("moment", "")))
    return (
        f'<div class="worst"><p>Source, reference and generated frame: {rule}.</p>'
        f'<div class="worst-grid">{figures}</div></div>'
    )


def _clip_figure(clip: Record, value: float) -> str:
    picture = str(clip["picture"])
    image = "<p>no picture</p>"
    if BASE64.fullmatch(picture):
        image = f'<img src="data:image/jpeg;base64,{picture}" alt="source, reference and generated frame">'
    name, emotion = escape(str(clip["id"])), escape(str(clip["emotion"] or "no emotion"))
    return f"<figure>{image}<figcaption><b>{format_number(value)}</b> {name} · {emotion}</figcaption></figure>"


def _clips(report: Report, setting: str, method: str) -> list[Record]:
    return [clip for clip in report.clips if clip["setting"] == setting and clip["method"] == method]


def _clip_value(clip: Record, measure: str) -> float | None:
    score = clip["scores"].get(measure)
    return _number(score.get("value")) if isinstance(score, dict) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None

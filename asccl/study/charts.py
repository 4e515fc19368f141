"""Charts of results as SVG without style attributes, for pages that allow none: rates with their intervals."""

from __future__ import annotations

from html import escape
from typing import Any

from asccl.study.tables import interval, percent, rows_of

WIDTH, ROW, HEAD, LABELS, NUMBERS = 760, 26, 78, 120, 130  # pixels
AXIS = (0, 25, 50, 75, 100)  # per cent


def chart(found: dict[str, Any], reading: str, question: str, first: str, second: str) -> str:
    """One question, one pair of methods: a row for each emotion, setting, and all together."""
    rows = [(label, by[question]) for label, by in rows_of(found[reading], first, second)]
    height = HEAD + ROW * len(rows) + 10
    title = f"{found['questions'][question]}: {first} against {second}"
    lines = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">',
        f'<text x="0" y="14" fill="currentColor" font-size="14" font-weight="700">{escape(title)}</text>',
        f'<text x="{LABELS}" y="40" fill="currentColor">◂ {escape(_short(second))} preferred</text>',
        f'<text x="{WIDTH - NUMBERS}" y="40" fill="currentColor" text-anchor="end">'
        f"{escape(_short(first))} preferred ▸</text>",
    ]
    for value in AXIS:
        x, weight = _x(value / 100), 1.5 if value == 50 else 0.5
        lines.append(
            f'<path d="M{x:.1f} {HEAD - 12}V{height - 8}" stroke="currentColor" stroke-width="{weight}" '
            f'opacity="0.35"/><text x="{x:.1f}" y="{HEAD - 17}" text-anchor="middle" fill="currentColor" '
            f'opacity="0.7">{value} %</text>'
        )
    for index, (label, row) in enumerate(rows):
        lines += _row(label, row, HEAD + ROW * index + 8, label == "All")
    return "\n".join([*lines, "</svg>"])


def _row(label: str, row: dict[str, Any], y: int, whole: bool) -> list[str]:
    weight = "700" if whole else "400"
    lines = [f'<text x="0" y="{y + 4}" fill="currentColor" font-weight="{weight}">{escape(label)}</text>']
    if row["rate"] is None:
        return lines
    low, high = (row["clustered"]["low"], row["clustered"]["high"]) if row["clustered"] else row["wilson"]
    said = f"{percent(row)[0]} {interval(row)}"
    return [
        *lines,
        f'<path d="M{_x(low):.1f} {y}H{_x(high):.1f}" stroke="#d06a35" stroke-width="{4 if whole else 2.5}" '
        'stroke-linecap="round"/>',
        f'<circle cx="{_x(row["rate"]):.1f}" cy="{y}" r="{6 if whole else 4.5}" fill="#d06a35"/>',
        f'<text x="{WIDTH}" y="{y + 4}" text-anchor="end" fill="currentColor" font-weight="{weight}">{said}</text>',
    ]


def _x(rate: float) -> float:
    return LABELS + rate * (WIDTH - LABELS - NUMBERS)


def _short(text: str) -> str:
    return text if len(text) < 40 else text[:38] + "…"

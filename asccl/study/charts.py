"""Charts of results as SVG without style attributes, for pages that forbid them: rates with their intervals."""

from __future__ import annotations

from html import escape
from typing import Any

from asccl.study.tables import best_interval, format_interval, format_rates, table_rows

WIDTH, HEADER_HEIGHT, ROW_HEIGHT = 760, 78, 26  # pixels
LABEL_WIDTH, NUMBER_WIDTH = 120, 130  # pixels, of the columns left and right of the plot
AXIS_TICKS = (0, 25, 50, 75, 100)  # per cent
MAX_TITLE_LENGTH = 39  # characters of a method's name
COLOUR = "#d06a35"


def draw_chart(results: dict[str, Any], summary: str, question: str, first: str, second: str) -> str:
    """Return the chart of one question and one pair of methods: a row for each emotion, each setting, and all together.

    Args:
        results: of `results.compute_results`.
        summary: "all" or "kept".
        question: id of the question.
        first: the method whose rate is drawn.
        second: the other method.
    """
    rows = [(label, by_question[question]) for label, by_question in table_rows(results[summary], first, second)]
    height = HEADER_HEIGHT + ROW_HEIGHT * len(rows) + 10
    title = f"{results['questions'][question]}: {first} against {second}"
    lines = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">',
        f'<text x="0" y="14" fill="currentColor" font-size="14" font-weight="700">{escape(title)}</text>',
        f'<text x="{LABEL_WIDTH}" y="40" fill="currentColor">◂ {escape(_shorten(second))} preferred</text>',
        f'<text x="{WIDTH - NUMBER_WIDTH}" y="40" fill="currentColor" text-anchor="end">'
        f"{escape(_shorten(first))} preferred ▸</text>",
    ]
    for value in AXIS_TICKS:
        x, weight = _x(value / 100), 1.5 if value == 50 else 0.5
        lines.append(
            f'<path d="M{x:.1f} {HEADER_HEIGHT - 12}V{height - 8}" stroke="currentColor" stroke-width="{weight}" '
            f'opacity="0.35"/><text x="{x:.1f}" y="{HEADER_HEIGHT - 17}" text-anchor="middle" fill="currentColor" '
            f'opacity="0.7">{value} %</text>'
        )
    for index, (label, row) in enumerate(rows):
        lines += _draw_row(label, row, HEADER_HEIGHT + ROW_HEIGHT * index + 8, label == "All")
    return "\n".join([*lines, "</svg>"])


def _draw_row(label: str, row: dict[str, Any], y: int, bold: bool) -> list[str]:
    weight = "700" if bold else "400"
    lines = [f'<text x="0" y="{y + 4}" fill="currentColor" font-weight="{weight}">{escape(label)}</text>']
    if row["rate"] is None:
        return lines
    low, high = best_interval(row)
    numbers = f"{format_rates(row)[0]} {format_interval(row)}"
    return [
        *lines,
        f'<path d="M{_x(low):.1f} {y}H{_x(high):.1f}" stroke="{COLOUR}" stroke-width="{4 if bold else 2.5}" '
        'stroke-linecap="round"/>',
        f'<circle cx="{_x(row["rate"]):.1f}" cy="{y}" r="{6 if bold else 4.5}" fill="{COLOUR}"/>',
        f'<text x="{WIDTH}" y="{y + 4}" text-anchor="end" fill="currentColor" font-weight="{weight}">{numbers}</text>',
    ]


def _x(rate: float) -> float:
    return LABEL_WIDTH + rate * (WIDTH - LABEL_WIDTH - NUMBER_WIDTH)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TITLE_LENGTH else text[: MAX_TITLE_LENGTH - 1] + "…"

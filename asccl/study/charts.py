"""Charts of results as SVG without style attributes, for pages that forbid them: rates with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from asccl.study.tables import best_interval, format_rate_interval, format_rates, table_rows

HEADER_HEIGHT, ROW_HEIGHT = 78, 26  # pixels
COLOUR = "#d06a35"


@dataclass(frozen=True)
class ChartLayout:
    """Sizes of a chart.

    Attributes:
        width: pixels of the whole chart.
        label_width: pixels of the column left of the plot.
        number_width: pixels of the column right of the plot.
        name_x: pixels at which the names above the plot begin and, from the right, end.
        ticks: percent that the axis names.
        max_name_length: characters of a method's name above the plot.
        max_title_length: characters of the title.
    """

    width: int
    label_width: int
    number_width: int
    name_x: tuple[int, int]
    ticks: tuple[int, ...]
    max_name_length: int
    max_title_length: int

    def x(self, rate: float) -> float:
        """Return the position of a rate in pixels."""
        return self.label_width + rate * (self.width - self.label_width - self.number_width)


WIDE_LAYOUT = ChartLayout(760, 120, 130, (120, 130), (0, 25, 50, 75, 100), 39, 90)
NARROW_LAYOUT = ChartLayout(350, 72, 102, (0, 0), (0, 50, 100), 13, 46)  # for phones


def draw_chart(
    results: dict[str, Any], summary: str, question: str, first: str, second: str, layout: ChartLayout = WIDE_LAYOUT
) -> str:
    """Return the chart of one question and one pair of methods: a row for each emotion, each setting, and all together.

    Args:
        results: of `results.compute_results`.
        summary: "all" or "kept".
        question: id of the question.
        first: the method whose rate is drawn.
        second: the other method.
        layout: sizes of the chart.
    """
    rows = [(label, by_question[question]) for label, by_question in table_rows(results[summary], first, second)]
    height = HEADER_HEIGHT + ROW_HEIGHT * len(rows) + 10
    title = f"{results['questions'][question]}: {first} against {second}"
    lines = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.width} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">',
        f'<text x="0" y="14" fill="currentColor" font-size="14" font-weight="700">'
        f"{escape(_shorten(title, layout.max_title_length))}</text>",
        f'<text x="{layout.name_x[0]}" y="40" fill="currentColor">'
        f"◂ {escape(_shorten(second, layout.max_name_length))} preferred</text>",
        f'<text x="{layout.width - layout.name_x[1]}" y="40" fill="currentColor" text-anchor="end">'
        f"{escape(_shorten(first, layout.max_name_length))} preferred ▸</text>",
    ]
    for value in layout.ticks:
        x, weight = layout.x(value / 100), 1.5 if value == 50 else 0.5
        lines.append(
            f'<path d="M{x:.1f} {HEADER_HEIGHT - 12}V{height - 8}" stroke="currentColor" stroke-width="{weight}" '
            f'opacity="0.35"/><text x="{x:.1f}" y="{HEADER_HEIGHT - 17}" text-anchor="middle" fill="currentColor" '
            f'opacity="0.7">{value} %</text>'
        )
    for index, (label, row) in enumerate(rows):
        lines += _draw_row(label, row, HEADER_HEIGHT + ROW_HEIGHT * index + 8, layout)
    return "\n".join([*lines, "</svg>"])


def _draw_row(label: str, row: dict[str, Any], y: int, layout: ChartLayout) -> list[str]:
    bold = label == "All"
    weight = "700" if bold else "400"
    lines = [f'<text x="0" y="{y + 4}" fill="currentColor" font-weight="{weight}">{escape(label)}</text>']
    if row["rate"] is None:
        return lines
    low, high = best_interval(row)
    left, right, middle = layout.x(low), layout.x(high), layout.x(row["rate"])
    numbers = f"{format_rates(row)[0]} {format_rate_interval(row)}"
    return [
        *lines,
        f'<path d="M{left:.1f} {y}H{right:.1f}" stroke="{COLOUR}" stroke-width="{4 if bold else 2.5}" '
        'stroke-linecap="round"/>',
        f'<circle cx="{middle:.1f}" cy="{y}" r="{6 if bold else 4.5}" fill="{COLOUR}"/>',
        f'<text x="{layout.width}" y="{y + 4}" text-anchor="end" fill="currentColor" font-weight="{weight}">'
        f"{numbers}</text>",
    ]


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

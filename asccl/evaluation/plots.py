"""Bar charts of a report: one small chart per measure, one file per setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.evaluation.manifest import SETTINGS
from asccl.evaluation.report import Record, Report
from asccl.evaluation.scores import POOLED
from asccl.evaluation.tables import measure_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4  # charts side by side
CHART_SIZE = (2.9, 2.2)  # inches
DPI = 130
COLOURS = ("#9a948c", "#d8d4ce", "#c2571a", "#2f6f8f", "#7a8f2f", "#8f2f6f", "#b0902a", "#4a4a8f")


def write_charts(report: Report, folder: Path) -> list[Path]:
    """Write a PNG and an SVG file per setting into an existing folder. Returns the files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paths: list[Path] = []
    for setting in SETTINGS:
        groups = [g for g in report.groups if g["setting"] == setting and g["emotion"] == POOLED]
        measures = [m for m in report.protocol["measures"] if any(g["measure"] == m["name"] for g in groups)]
        if not measures:
            continue
        rows = -(-len(measures) // COLUMNS)
        figure = Figure((COLUMNS * CHART_SIZE[0], rows * CHART_SIZE[1]), layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(rows, COLUMNS, squeeze=False).ravel())
        for axis, measure in zip(axes, measures, strict=False):
            _draw_bars(axis, measure, [g for g in groups if g["measure"] == measure["name"]])
        for axis in axes[len(measures) :]:
            axis.axis("off")
        figure.suptitle(f"{setting}: all clips, 95 % intervals over clips", x=0.01, ha="left", fontsize=11)
        for suffix in (".png", ".svg"):
            paths.append(folder / f"{setting}{suffix}")
            figure.savefig(paths[-1], dpi=DPI)
    return paths


def _draw_bars(axis: Axes, measure: Mapping[str, Any], groups: Sequence[Record]) -> None:
    for index, group in enumerate(groups):
        value = group["value"] or 0.0
        axis.barh(index, value, color=COLOURS[index % len(COLOURS)], height=0.7)
        if group["low"] is not None and group["high"] is not None:
            axis.plot([group["low"], group["high"]], [index, index], color="#222222", linewidth=1.2)
    axis.set_yticks(range(len(groups)), [group["method"] for group in groups], fontsize=8)
    axis.invert_yaxis()
    axis.tick_params(axis="x", labelsize=7)
    axis.set_title(measure_label(measure), fontsize=9, loc="left")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)

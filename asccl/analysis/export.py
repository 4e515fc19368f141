"""Write results as files: JSON and CSV tables, and charts as HTML, PNG and SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.analysis import plots, static_plots
from asccl.analysis.metric_variants import REPORT_KEYS
from asccl.analysis.result import CorrelationResult
from asccl.analysis.statistics import MEASURES
from asccl.metric.statistics import PAIR_KINDS
from asccl.types import Image

if TYPE_CHECKING:
    import plotly.graph_objects as go

LabelledResults = Sequence[tuple[str, CorrelationResult]]


def similarity_csv(results: LabelledResults) -> str:
    """Return CSV with one row for each comparison, variant, map, measure and pair kind."""
    return _csv({"pair": label, **row} for label, result in results for row in result.table_rows())


def frames_csv(results: LabelledResults) -> str:
    """Return CSV with one row for each compared pair of frames."""
    return _csv(row for label, result in results for row in _frame_rows(label, result))


def _frame_rows(label: str, result: CorrelationResult) -> Iterable[dict[str, Any]]:
    curves = result.report()["curves"]
    columns = {name: curve for name, curve in curves.items() if isinstance(curve, list)}
    for kind in PAIR_KINDS:
        columns |= {f"{kind}_{heads}": curve for heads, curve in curves[kind].items()}
    for values in zip(*columns.values(), strict=True):
        yield {"pair": label, **dict(zip(columns, values, strict=True))}


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    text, writer = io.StringIO(), None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, row.keys(), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return text.getvalue()


def build_figures(results: LabelledResults) -> dict[str, go.Figure]:
    """Build all charts by name: those of a single comparison, or those by emotion for several."""
    figures: dict[str, Any] = {}
    if len(results) > 1:
        for heads in results[0][1].heads:
            for measure in MEASURES:
                figures[f"emotions-{REPORT_KEYS[heads]}-{measure}"] = plots.plot_emotions(results, heads, measure)
        return figures
    result = results[0][1]
    for measure in MEASURES:
        figures[f"mappings-{measure}"] = plots.plot_mappings(result, measure)
        for heads in result.heads:
            figures[f"maps-{REPORT_KEYS[heads]}-{measure}"] = plots.plot_maps(result, heads, measure)
    leading = result.heads[0]
    figures["time"] = plots.plot_timeline(result, leading)
    background = jpeg_data_url(result.first.crops[0])
    for index in range(len(result.region_statistics[leading])):
        for kind in ("corresponding", "daas"):
            figure = plots.plot_face(result, leading, index, kind, background)
            figures[f"face-{kind}-map{index + 1}"] = figure
    return figures


def write_plots(results: LabelledResults, folder: Path) -> list[Path]:
    """Write all charts as HTML, PNG and SVG and the tables as CSV into an existing folder.

    The HTML files are interactive and need the plotly.min.js that is written beside them.

    Returns:
        The written charts and tables.
    """
    paths = []
    for name, figure in build_figures(results).items():
        html, *static = (folder / f"{name}{suffix}" for suffix in (".html", ".png", ".svg"))
        figure.write_html(html, include_plotlyjs="directory", config={"displaylogo": False})
        static_plots.save_static(figure, *static)
        paths += [html, *static]
    for name, text in (("similarity.csv", similarity_csv(results)), ("frames.csv", frames_csv(results))):
        (folder / name).write_text(text, encoding="utf-8")
        paths.append(folder / name)
    return paths


def jpeg_data_url(image: Image) -> str:
    """Encode an image (H, W, 3) uint8 RGB as a JPEG data URL."""
    import base64

    import cv2

    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"

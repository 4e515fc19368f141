"""Results as files: JSON and CSV tables, and charts as HTML, PNG and SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.analysis import plots, static_plots
from asccl.analysis.result import CorrelationResult
from asccl.types import Image

if TYPE_CHECKING:
    import plotly.graph_objects as go

Labelled = Sequence[tuple[str, CorrelationResult]]


def similarity_csv(found: Labelled) -> str:
    """CSV, one row for each comparison, mapping, map, measure and side."""
    return _csv({"pair": label, **row} for label, each in found for row in each.rows())


def frames_csv(found: Labelled) -> str:
    """CSV, one row for each compared pair of frames."""
    return _csv(row for label, each in found for row in _moments(label, each))


def _moments(label: str, found: CorrelationResult) -> Iterable[dict[str, Any]]:
    curves = found.report()["curves"]
    columns = {name: line for name, line in curves.items() if isinstance(line, list)}
    for side in ("corresponding", "non_corresponding"):
        columns |= {f"{side}_{head}": line for head, line in curves[side].items()}
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


def build_figures(found: Labelled) -> dict[str, go.Figure]:
    """All charts by name, with the leading mapping; those of one comparison where there is but one."""
    out: dict[str, Any] = {}
    if len(found) > 1:
        for head in found[0][1].heads:
            for measure in ("cosine", "pearson"):
                out[f"emotions-{head}-{measure}"] = plots.plot_emotions(found, head, measure)
        return out
    result = found[0][1]
    for measure in ("cosine", "pearson"):
        out[f"mappings-{measure}"] = plots.plot_mappings(result, measure)
        out |= {f"maps-{head}-{measure}": plots.plot_maps(result, head, measure) for head in result.heads}
    lead = result.heads[0]
    out["time"] = plots.plot_timeline(result, lead)
    picture = jpeg_data_url(result.first.crops[0])
    for number in range(len(result.region_statistics[lead])):
        for kind in ("corresponding", "daas"):
            out[f"face-{kind}-map{number + 1}"] = plots.plot_face(result, lead, number, kind, picture)
    return out


def write_plots(found: Labelled, folder: Path) -> list[Path]:
    """Every chart as HTML (interactive; needs the plotly.min.js that is written beside it), PNG and SVG, and the tables
    as CSV. The folder exists."""
    written = []
    for name, figure in build_figures(found).items():
        paths = [folder / f"{name}{suffix}" for suffix in (".html", ".png", ".svg")]
        figure.write_html(paths[0], include_plotlyjs="directory", config={"displaylogo": False})
        static_plots.save_static(figure, *paths[1:])
        written += paths
    for name, text in (("similarity.csv", similarity_csv(found)), ("frames.csv", frames_csv(found))):
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def jpeg_data_url(image: Image) -> str:
    """(H, W, 3) uint8 RGB -> a JPEG."""
    import base64

    import cv2

    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"

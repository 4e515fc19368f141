"""Charts of a comparison as plotly figures, for the app, the HTML files and (by `static_plots`) PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asccl.analysis.result import CorrelationResult, round_values
from asccl.analysis.statistics import MeanStd
from asccl.metric.statistics import PAIR_KINDS

if TYPE_CHECKING:
    import plotly.graph_objects as go

# One colour a meaning: orange and grey are kinds of regions, the blues are mouths.
COLOURS = {"corresponding": "#df6b33", "non_corresponding": "#8f8a86", "source": "#7fa6d6", "generated": "#2f5f9e"}
LABELS = {  # short: those of the mappings stand below bars
    "corresponding": "Corresponding regions",
    "non_corresponding": "Non-corresponding regions",
    "trained": "Trained",
    "random": "Untrained",
    "identity": "No mapping",
    "cosine": "Mean cosine along the channels",
    "pearson": "Mean Pearson coefficient along the channels",
    "daas": "DAAS weight",
}
SHORT_LABELS = {"cosine": "Mean cosine", "pearson": "Mean Pearson"}
# Low similarities are opaque and high ones transparent, so that the face shows; DAAS weights the other way round.
SIMILARITY_COLOURS: list[tuple[float, str]] = [
    (0.0, "rgba(59,42,107,0.92)"),
    (0.5, "rgba(150,59,110,0.8)"),
    (0.8, "rgba(223,107,51,0.6)"),
    (1.0, "rgba(255,225,150,0.08)"),
]
DAAS_COLOURS = [(1 - level, colour) for level, colour in reversed(SIMILARITY_COLOURS)]
GRID_COLOURS = {"gridcolor": "rgba(140,131,122,0.28)", "zerolinecolor": "rgba(140,131,122,0.6)"}
COLOUR_BAR_TITLES = {"corresponding": "cosine", "non_corresponding": "cosine", "daas": "weight"}
MAX_CURVE_POINTS = 1500

Similarities = dict[str, list[MeanStd]]  # pair kind -> values of the bars


def plot_maps(result: CorrelationResult, heads: str, measure: str = "cosine") -> go.Figure:
    """Draw bars for each feature map and for all maps; the whiskers show the standard deviation.

    Args:
        result: one comparison.
        heads: variant of the metric.
        measure: one of `MEASURES`.
    """
    maps = result.region_statistics[heads]
    sizes = [f"{statistics.size[0]} × {statistics.size[1]}" for statistics in maps]
    names = ["All maps", *(f"Map {index + 1}<br>{size}" for index, size in enumerate(sizes))]
    indices = [None, *range(len(maps))]
    bars = {kind: [result.mean_std(heads, measure, kind, index) for index in indices] for kind in PAIR_KINDS}
    title = f"By feature map · {LABELS[heads].lower()}"
    return _bar_chart(names, bars, measure, title, "Feature map, fine to coarse")


def plot_mappings(result: CorrelationResult, measure: str = "cosine") -> go.Figure:
    """Draw bars over all maps for each variant: Figures 2 and 6 of the paper for one pair of clips."""
    bars = {kind: [result.mean_std(heads, measure, kind) for heads in result.heads] for kind in PAIR_KINDS}
    return _bar_chart([LABELS[heads] for heads in result.heads], bars, measure, "All maps, by mapping", "Mapping")


def plot_emotions(
    results: Sequence[tuple[str, CorrelationResult]],
    heads: str,
    measure: str = "cosine",
    map_index: int | None = None,
) -> go.Figure:
    """Draw a pair of bars for each labelled comparison: Figures 2 and 6 of the paper.

    Args:
        results: label and result of each comparison.
        heads: variant of the metric.
        measure: one of `MEASURES`.
        map_index: 0 to 3 for one feature map; None for all maps.
    """
    bars = {kind: [r.mean_std(heads, measure, kind, map_index) for _, r in results] for kind in PAIR_KINDS}
    maps = "all maps" if map_index is None else f"map {map_index + 1}"
    labels = [label for label, _ in results]
    title = f"By pair of emotions · {LABELS[heads].lower()}, {maps}"
    return _bar_chart(labels, bars, measure, title, "Pair of emotions")


def plot_timeline(result: CorrelationResult, heads: str, measure: str = "cosine") -> go.Figure:
    """Draw the similarity of each frame pair over time, and below it the opening of both mouths.

    Args:
        result: one comparison.
        heads: variant of the metric.
        measure: one of `MEASURES`.
    """
    import plotly.graph_objects as go

    rows = np.unique(np.linspace(0, len(result.curves) - 1, MAX_CURVE_POINTS).round().astype(int))
    times, lip_gaps = np.array(result.curves.times)[rows], np.array(result.curves.lip_gaps)[rows]
    figure = go.Figure(layout=_layout("Over time · " + LABELS[heads].lower()))
    shared = {
        "x": round_values(times[:, 0], 3),
        "mode": "lines" if len(rows) > 1 else "markers",
        "customdata": [round_values(pair, 4) for pair in times],
        "hovertemplate": "%{x:.2f} s: %{y:.3f}<extra></extra>",
    }
    for kind in PAIR_KINDS:
        similarity = round_values(result.curves.similarity(heads, measure, kind)[rows])
        line = {"color": COLOURS[kind], "width": 2}
        figure.add_scatter(y=similarity, name=LABELS[kind], line=line, **shared)
    for column, (video, dash) in enumerate((("source", "dot"), ("generated", "solid"))):
        line = {"color": COLOURS[video], "width": 2, "dash": dash}
        gaps = round_values(lip_gaps[:, column], 4)
        figure.add_scatter(y=gaps, name=f"Mouth, {video}", yaxis="y2", line=line, **shared)
    figure.update_layout(
        hovermode="x",
        xaxis={"title": {"text": "Seconds of the source"}, "anchor": "y2"},
        yaxis={"domain": [0.42, 1.0], "title": {"text": SHORT_LABELS[measure]}},
        yaxis2={"domain": [0.0, 0.32], "title": {"text": "Mouth opening<br>/ eye distance"}, "rangemode": "tozero"},
    )
    return figure


def plot_face(
    result: CorrelationResult,
    heads: str,
    map_index: int,
    kind: str = "corresponding",
    background: str | None = None,
) -> go.Figure:
    """Draw a heat map of the regions of one feature map.

    Args:
        result: one comparison.
        heads: variant of the metric.
        map_index: 0 to 3.
        kind: "corresponding", "non_corresponding" or "daas".
        background: data URL of the face crop under the heat map.
    """
    import plotly.graph_objects as go

    figure = go.Figure(face_json(result, heads, map_index, kind))
    if background is not None:
        place = {"xref": "x", "yref": "y", "x": 0, "y": 0, "sizex": 1, "sizey": 1}
        figure.add_layout_image(source=background, sizing="stretch", layer="below", **place)
    return figure


def face_json(result: CorrelationResult, heads: str, map_index: int, kind: str) -> dict[str, Any]:
    """Return the figure of `plot_face` as JSON data, without plotly's checks, which take a second for 24 of them.

    Args:
        result: one comparison.
        heads: variant of the metric.
        map_index: 0 to 3.
        kind: "corresponding", "non_corresponding" or "daas".
    """
    statistics = result.region_statistics[heads][map_index]
    means = statistics.region_means()[(*PAIR_KINDS, "daas").index(kind)]
    centres = statistics.region_centres().reshape(*means.shape, 2)
    heat: dict[str, Any] = {
        "type": "heatmap",
        "z": round_values(means, 3),
        "x": round_values(centres[0, :, 0], 4),
        "y": round_values(centres[:, 0, 1], 4),
        "zsmooth": False,
        "colorscale": [list(step) for step in (DAAS_COLOURS if kind == "daas" else SIMILARITY_COLOURS)],
        "hovertemplate": "%{z:.2f}<extra></extra>",
        "colorbar": {"thickness": 12, "outlinewidth": 0, "len": 0.9, "title": {"text": COLOUR_BAR_TITLES[kind]}},
    }
    if kind != "daas":
        lowest = float(np.nanmin(means)) if np.isfinite(means).any() else 0.0
        heat |= {"zmin": min(float(np.floor(10 * lowest)) / 10, 0.9), "zmax": 1.0}
    layout = _layout(f"{LABELS[kind]}, map {map_index + 1} · {LABELS[heads].lower()}")
    axis = {"range": [0, 1], "visible": False, "fixedrange": True}
    square = {"range": [1, 0], "scaleanchor": "x", "constrain": "domain"}
    return {"data": [heat], "layout": {**layout, "xaxis": axis, "yaxis": {**axis, **square}}}


def _bar_chart(names: list[str], bars: Similarities, measure: str, title: str, x_title: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(title))
    for kind, values in bars.items():
        means = [round(value.mean, 4) for value in values]
        figure.add_bar(
            x=names,
            y=means,
            name=LABELS[kind],
            marker={"color": COLOURS[kind]},
            text=[f"{mean:.2f}" for mean in means],
            textposition="inside",
            insidetextanchor="start",
            textangle=0,
            textfont={"color": "#ffffff"},
            error_y={"array": [round(value.deviation, 4) for value in values], "thickness": 1.2, "width": 4},
            hovertemplate="%{y:.3f} ± %{error_y.array:.3f}<extra>" + LABELS[kind] + "</extra>",
        )
    everything = [value for values in bars.values() for value in values]
    low = min([0.0, *(v.mean - v.deviation for v in everything)])
    high = max([1.0, *(v.mean + v.deviation for v in everything)])
    figure.update_layout(barmode="group", bargap=0.28, yaxis={"range": [low - 0.02, high + 0.02]})
    figure.update_yaxes(title_text=LABELS[measure])
    figure.update_xaxes(title_text=x_title)
    return figure


def _layout(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "x": 0, "xanchor": "left", "font": {"size": 15}},
        "template": "none",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#3c3630"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 52, "r": 12, "t": 44, "b": 56},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        "xaxis": {"automargin": True},
        "yaxis": GRID_COLOURS,
        "yaxis2": GRID_COLOURS,
    }

"""The charts: plotly figures that the app, the HTML files and, through `printed`, PNG and SVG share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asccl.analysis.result import CorrelationResult, round_values
from asccl.analysis.statistics import PAIR_KINDS

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = {"corresponding": "#df6b33", "non_corresponding": "#8f8a86", "source": "#8f8a86", "generated": "#df6b33"}
LABELS = {
    "corresponding": "Corresponding regions", "non_corresponding": "Non-corresponding regions",
    "trained": "Trained", "untrained": "Untrained", "bare": "No mapping",
    "cosine": "Mean cosine along the channels", "pearson": "Mean Pearson coefficient along the channels",
    "daas": "DAAS weight",
}  # fmt: skip
# clear where all is well, so that the face shows; the weight the other way round
LOW_IS_LOUD: list[tuple[float, str]] = [
    (0.0, "rgba(59,42,107,0.92)"), (0.5, "rgba(150,59,110,0.8)"), (0.8, "rgba(223,107,51,0.6)"),
    (1.0, "rgba(255,225,150,0.08)"),
]  # fmt: skip
HIGH_IS_LOUD = [(1 - at, colour) for at, colour in reversed(LOW_IS_LOUD)]
CURVE_POINTS = 1500  # of a drawn line


def plot_maps(found: CorrelationResult, head: str, measure: str = "cosine") -> go.Figure:
    """Corresponding against non-corresponding regions on each feature map and overall; whiskers: the deviation."""
    numbers = [None, *range(len(found.region_statistics[head]))]
    sizes = [f"{sums.size[0]} × {sums.size[1]}" for sums in found.region_statistics[head]]
    names = ["All maps", *(f"Map {n + 1}<br>{size}" for n, size in enumerate(sizes))]
    spreads = {side: [found.mean_std(head, measure, side, n) for n in numbers] for side in PAIR_KINDS}
    return _bars(names, spreads, measure, f"By feature map · {LABELS[head].lower()}")


def plot_mappings(found: CorrelationResult, measure: str = "cosine") -> go.Figure:
    """The same overall, for each mapping: the paper's Figures 2 and 6 for this pair."""
    spreads = {side: [found.mean_std(head, measure, side) for head in found.heads] for side in PAIR_KINDS}
    return _bars([LABELS[head] for head in found.heads], spreads, measure, "All maps, by mapping")


def plot_emotions(
    found: Sequence[tuple[str, CorrelationResult]], head: str, measure: str = "cosine", number: int | None = None
) -> go.Figure:
    """One pair of bars for each labelled comparison: the paper's Figures 2 and 6."""
    spreads = {side: [c.mean_std(head, measure, side, number) for _, c in found] for side in PAIR_KINDS}
    where = "all maps" if number is None else f"map {number + 1}"
    return _bars(
        [label for label, _ in found], spreads, measure, f"By pair of emotions · {LABELS[head].lower()}, {where}"
    )


def plot_timeline(found: CorrelationResult, head: str) -> go.Figure:
    """Similarity of each pair of frames above, opening of both mouths below."""
    import plotly.graph_objects as go

    few = np.unique(np.linspace(0, len(found.curves) - 1, CURVE_POINTS).round().astype(int))
    times, gaps = np.array(found.curves.times)[few], np.array(found.curves.lip_gaps)[few]
    figure = go.Figure(layout=_layout("Over time · " + LABELS[head].lower()))
    mode = "lines" if len(few) > 1 else "markers"
    for side in PAIR_KINDS:
        line = round_values(found.curves.similarity(head, side=side)[few])
        figure.add_scatter(
            x=round_values(times[:, 0], 3), y=line, name=LABELS[side], mode=mode, line={"color": COLOURS[side], "width": 2},
            customdata=[round_values(pair, 4) for pair in times], hovertemplate="%{x:.2f} s: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    for column, which in enumerate(("source", "generated")):
        figure.add_scatter(
            x=round_values(times[:, 0], 3), y=round_values(gaps[:, column], 4), name=f"Mouth, {which}", mode=mode, yaxis="y2",
            line={"color": COLOURS[which], "width": 2, "dash": "solid" if column else "dot"},
            customdata=[round_values(pair, 4) for pair in times], hovertemplate="%{x:.2f} s: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        hovermode="x",
        xaxis={"title": {"text": "Seconds of the source"}, "anchor": "y2"},
        yaxis={"domain": [0.42, 1.0], "title": {"text": "Cosine"}},
        yaxis2={"domain": [0.0, 0.32], "title": {"text": "Mouth opening"}, "rangemode": "tozero"},
    )
    return figure


def plot_face(found: CorrelationResult, head: str, number: int, kind: str = "corresponding", picture: str | None = None) \
        -> go.Figure:  # fmt: skip
    """A heat map of one feature map's regions. kind: corresponding, non_corresponding or daas. picture: the crop to lay
    it over, as a data URL."""
    import plotly.graph_objects as go

    sums = found.region_statistics[head][number]
    grid = sums.region_means()[(*PAIR_KINDS, "daas").index(kind)]
    rows, columns = grid.shape
    centres = sums.region_centres().reshape(rows, columns, 2)
    heat = go.Heatmap(
        z=round_values(grid, 3), x=round_values(centres[0, :, 0], 4), y=round_values(centres[:, 0, 1], 4), zsmooth=False,
        colorscale=HIGH_IS_LOUD if kind == "daas" else LOW_IS_LOUD, hovertemplate="%{z:.2f}<extra></extra>",
        colorbar={"thickness": 12, "outlinewidth": 0, "len": 0.9},
    )  # fmt: skip
    if kind != "daas":
        low = float(np.nanmin(grid)) if np.isfinite(grid).any() else 0.0
        heat.update(zmin=min(np.floor(10 * low) / 10, 0.9), zmax=1.0)  # the bar beside it tells
    figure = go.Figure(heat, layout=_layout(f"{LABELS[kind]}, map {number + 1} · {LABELS[head].lower()}"))
    axis = {"range": [0, 1], "visible": False, "fixedrange": True}
    figure.update_layout(xaxis=axis, yaxis={**axis, "range": [1, 0], "scaleanchor": "x", "constrain": "domain"})
    if picture is not None:
        figure.add_layout_image(
            source=picture, xref="x", yref="y", x=0, y=0, sizex=1, sizey=1, sizing="stretch", layer="below"
        )
    return figure


def _bars(names: list[str], spreads: dict[str, Any], measure: str, title: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(title))
    for side, values in spreads.items():
        means = [round(value.mean, 4) for value in values]
        figure.add_bar(
            x=names, y=means, name=LABELS[side], marker={"color": COLOURS[side]}, text=[f"{m:.2f}" for m in means],
            textposition="inside", insidetextanchor="start", textangle=0, textfont={"color": "#ffffff"},
            error_y={"array": [round(value.deviation, 4) for value in values], "thickness": 1.2, "width": 4},
            hovertemplate="%{y:.3f} ± %{error_y.array:.3f}<extra>" + LABELS[side] + "</extra>",
        )  # fmt: skip
    top = max([1.0, *(v.mean + v.deviation for vs in spreads.values() for v in vs)])
    low = min([0.0, *(v.mean - v.deviation for vs in spreads.values() for v in vs)])
    figure.update_layout(barmode="group", bargap=0.28, yaxis={"range": [low - 0.02, top + 0.02]})
    figure.update_yaxes(title_text=LABELS[measure])
    return figure


def _layout(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "x": 0, "xanchor": "left", "font": {"size": 15}},
        "template": "none",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#3c3630"},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 52, "r": 12, "t": 44, "b": 44},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        "xaxis": {"automargin": True},
        "yaxis": {"gridcolor": "rgba(140,131,122,0.28)", "zerolinecolor": "rgba(140,131,122,0.6)"},
        "yaxis2": {"gridcolor": "rgba(140,131,122,0.28)", "zerolinecolor": "rgba(140,131,122,0.6)"},
    }  # fmt: skip

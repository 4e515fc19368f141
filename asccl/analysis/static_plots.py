"""Our plotly figures as PNG and SVG without a browser: matplotlib draws what `plots` makes of bars, lines and heat."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes

WIDTH, HEIGHT, DOTS = 9.0, 4.6, 150  # inches, dots an inch


def save_static(figure: go.Figure, *paths: Path) -> None:
    """Write a figure; each path's suffix says how (.png, .svg)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    square = any(trace.type == "heatmap" for trace in figure.data)
    paper = Figure((HEIGHT + 0.8, HEIGHT) if square else (WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(paper)
    names = sorted({trace.yaxis or "y" for trace in figure.data})
    grid = paper.subplots(len(names), sharex=True, squeeze=False, height_ratios=[2, 1][: len(names)])
    axes: dict[str, Any] = dict(zip(names, grid[:, 0], strict=True))
    bars = [trace for trace in figure.data if trace.type == "bar"]
    for trace in figure.data:
        at = axes[trace.yaxis or "y"]
        if trace.type == "bar":
            _bar(at, trace, bars.index(trace), len(bars))
        elif trace.type == "scatter":
            style = {"solid": "-", "dot": ":"}[trace.line.dash or "solid"]
            marker = "o" if trace.mode == "markers" else None
            at.plot(trace.x, _numbers(trace.y), style, marker=marker, color=trace.line.color, label=trace.name)
        else:
            colours = LinearSegmentedColormap.from_list(
                "heat", [(at, _rgba(colour)) for at, colour in trace.colorscale]
            )
            _heat(paper, at, trace, figure.layout.images, colours)
    for name, at in axes.items():
        _label(at, figure.layout[name.replace("y", "yaxis")], square)
    grid[-1, 0].set_xlabel(figure.layout.xaxis.title.text or "")
    paper.suptitle(figure.layout.title.text, x=0.02, ha="left", fontsize=11)
    for path in paths:
        paper.savefig(path, dpi=DOTS)


def _bar(at: Axes, trace: Any, number: int, count: int) -> None:
    width = 0.72 / count
    place = np.arange(len(trace.x)) + (number - (count - 1) / 2) * width
    drawn = at.bar(
        place, trace.y, width, yerr=trace.error_y.array, color=trace.marker.color, label=trace.name,
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "#3c3630"},
    )  # fmt: skip
    at.bar_label(drawn, trace.text, label_type="center", color="white", fontsize=8)
    at.set_xticks(np.arange(len(trace.x)), [name.replace("<br>", "\n") for name in trace.x])


def _heat(paper: Any, at: Axes, trace: Any, pictures: Any, colours: Any) -> None:
    whole = (0, 1, 1, 0)
    for picture in pictures:
        from PIL import Image

        data = base64.b64decode(picture.source.partition(",")[2])
        at.imshow(np.asarray(Image.open(io.BytesIO(data))), extent=whole)
    grid = np.array([_numbers(row) for row in trace.z])
    drawn = at.imshow(grid, cmap=colours, extent=whole, vmin=trace.zmin, vmax=trace.zmax)
    at.set_axis_off()
    paper.colorbar(drawn, ax=at, shrink=0.9)


def _label(at: Axes, axis: Any, square: bool) -> None:
    if square:
        return
    if axis.range:
        at.set_ylim(*axis.range)
    at.set_ylabel(axis.title.text or "")
    at.spines[["top", "right"]].set_visible(False)
    at.grid(axis="y", color="#8c837a", alpha=0.28)
    at.set_axisbelow(True)
    at.legend(frameon=False, ncols=2, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))


def _rgba(colour: str) -> tuple[float, ...]:
    """rgba(r,g,b,a) as plotly writes it -> four shares of 1."""
    red, green, blue, alpha = (float(part) for part in colour.removeprefix("rgba(").rstrip(")").split(","))
    return red / 255, green / 255, blue / 255, alpha


def _numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], np.float64)

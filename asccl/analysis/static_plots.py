"""Draw the plotly figures of `plots` (bars, lines and heat maps) by matplotlib as PNG and SVG, without a browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 9.0, 4.6, 150  # inches, dots per inch
COLOUR_BAR_WIDTH = 0.8  # inches
CROP_EXTENT = (0, 1, 1, 0)  # of a heat map: the crop is the unit square with y downward


def save_static(figure: go.Figure, *paths: Path) -> None:
    """Draw a figure and write it to each path in the format of its suffix (.png, .svg)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    is_heat_map = any(trace.type == "heatmap" for trace in figure.data)
    canvas = Figure((HEIGHT + COLOUR_BAR_WIDTH, HEIGHT) if is_heat_map else (WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(canvas)
    names = sorted({trace.yaxis or "y" for trace in figure.data})
    grid = canvas.subplots(len(names), sharex=True, squeeze=False, height_ratios=[2, 1][: len(names)])
    axes: dict[str, Any] = dict(zip(names, grid[:, 0], strict=True))
    bars = [trace for trace in figure.data if trace.type == "bar"]
    for trace in figure.data:
        axis = axes[trace.yaxis or "y"]
        if trace.type == "bar":
            _draw_bars(axis, trace, bars.index(trace), len(bars))
        elif trace.type == "scatter":
            _draw_line(axis, trace)
        else:
            _draw_heat_map(canvas, axis, trace, figure.layout.images)
    if not is_heat_map:
        for name, axis in axes.items():
            _style_axis(axis, figure.layout[name.replace("y", "yaxis")])
    grid[-1, 0].set_xlabel(figure.layout.xaxis.title.text or "")
    canvas.suptitle(figure.layout.title.text, x=0.02, ha="left", fontsize=11)
    for path in paths:
        canvas.savefig(path, dpi=DPI)


def _draw_bars(axis: Axes, trace: Any, index: int, count: int) -> None:
    """Draw bar series `index` of `count`."""
    width = 0.72 / count
    positions = np.arange(len(trace.x)) + (index - (count - 1) / 2) * width
    bars = axis.bar(
        positions,
        trace.y,
        width,
        yerr=trace.error_y.array,
        color=trace.marker.color,
        label=trace.name,
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "#3c3630"},
    )
    axis.bar_label(bars, trace.text, label_type="center", color="white", fontsize=8)
    axis.set_xticks(np.arange(len(trace.x)), [name.replace("<br>", "\n") for name in trace.x])


def _draw_line(axis: Axes, trace: Any) -> None:
    style = {"solid": "-", "dot": ":"}[trace.line.dash or "solid"]
    marker = "o" if trace.mode == "markers" else None
    axis.plot(trace.x, _to_array(trace.y), style, marker=marker, color=trace.line.color, label=trace.name)


def _draw_heat_map(canvas: Figure, axis: Axes, trace: Any, backgrounds: Sequence[Any]) -> None:
    for background in backgrounds:
        from PIL import Image

        data = base64.b64decode(background.source.partition(",")[2])
        axis.imshow(np.asarray(Image.open(io.BytesIO(data))), extent=CROP_EXTENT)
    values = np.array([_to_array(row) for row in trace.z])
    colours = _colour_map(trace.colorscale)
    heat = axis.imshow(values, cmap=colours, extent=CROP_EXTENT, vmin=trace.zmin, vmax=trace.zmax)
    axis.set_axis_off()
    canvas.colorbar(heat, ax=axis, shrink=0.9)


def _style_axis(axis: Axes, layout: Any) -> None:
    if layout.range:
        axis.set_ylim(*layout.range)
    axis.set_ylabel(layout.title.text or "")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color="#8c837a", alpha=0.28)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, ncols=2, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))


def _colour_map(scale: Sequence[tuple[float, str]]) -> Colormap:
    """Convert a plotly colour scale with colours rgba(r,g,b,a)."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = []
    for level, text in scale:
        red, green, blue, alpha = (float(part) for part in text.removeprefix("rgba(").rstrip(")").split(","))
        colours.append((level, (red / 255, green / 255, blue / 255, alpha)))
    return LinearSegmentedColormap.from_list("heat", colours)


def _to_array(values: Any) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], np.float64)

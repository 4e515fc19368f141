"""Two parts of the page: the charts of a comparison, and the heat map over the face with its neighbours.

The server builds the figures. In the browser, plotly.js from the Python package plotly draws and saves them.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Any

import gradio as gr
import numpy as np
from starlette.responses import FileResponse
from starlette.routing import Route

from asccl.analysis import plots, populations
from asccl.analysis.export import LabelledResults
from asccl.analysis.result import CorrelationResult
from asccl.analysis.statistics import MEASURES
from asccl.metric.statistics import PAIR_KINDS
from asccl.ui.components import Value, html_widget, read_script, shrink, to_data_url
from asccl.ui.messages import format_seconds

THUMBNAIL_SIDE = 132  # pixels
FACE_MAPS = {"corresponding": "Similarity", "daas": "DAAS weight"}
MEASURE_LABELS = {"cosine": "Cosine", "pearson": "Pearson"}
PAIRING_TEXTS = {
    "time": "the same moments of both",
    "sound": "paired by their sound",
    "mouth": "paired by the movement of the mouth",
}
ALIGNMENT_TEXTS = {"place": "cropped at the same place", "landmarks": "rotated into the source's pose"}

CHARTS_TEMPLATE = """${value ? `
<div class="charts">
  <p class="verdict"><strong data-part="verdict" aria-live="polite"></strong> <span>${value.facts}</span></p>
  <div class="scale-box" data-part="scale"></div>
  <div class="toolbar">
    <div class="switch" role="radiogroup" aria-label="Similarity" data-part="measure"></div>
    <div class="switch" role="radiogroup" aria-label="Mapping" data-part="head"></div>
  </div>
  <div class="chart-grid" data-part="grid"></div>
  <div class="moments" data-part="moments"></div>
</div>` : `<div class="compare-empty">Choose two videos or photos of one person,<br>or several clips named by emotion.
<br>The charts appear here.</div>`}"""

FACE_TEMPLATE = """${value ? `
<div class="face">
  <div class="toolbar">
    <div class="switch" role="radiogroup" aria-label="What the colours show" data-part="kind"></div>
    <div class="switch" role="radiogroup" aria-label="Feature map" data-part="map"></div>
    <button type="button" data-part="summary" class="quiet" hidden>Back to the whole video</button>
  </div>
  <p class="face-about" data-part="about" aria-live="polite"></p>
  <div class="face-pair">
    <figure class="chart"><div class="face-plot" data-part="plot" tabindex="0" role="application"
      aria-label="Heat map over the face. Arrow keys choose a region; its neighbours are listed beside it."></div>
      <div class="chart-save" data-part="save"></div></figure>
    <div class="ring" data-part="ring" aria-live="polite"></div>
  </div>
</div>` : ""}"""


def charts_widget(**settings: Any) -> gr.HTML:
    """Build a widget with bar charts, a time line, and the least similar moments.

    Args:
        settings: further arguments of `gr.HTML`.

    Returns:
        The widget. Its value comes from `charts_value` or `emotion_charts_value`, or is None. A click on a moment
        triggers the event `pick` with the field `times`, the seconds in both videos.
    """
    return html_widget(
        html_template=CHARTS_TEMPLATE, js_on_load=read_script("plotting") + read_script("charts"), **settings
    )


def face_map_widget(**settings: Any) -> gr.HTML:
    """Build a widget with a heat map over the face; a click lists a region's neighbours.

    Args:
        settings: further arguments of `gr.HTML`.

    Returns:
        The widget. Its value comes from `face_map_value`, or is None.
    """
    return html_widget(
        html_template=FACE_TEMPLATE, js_on_load=read_script("plotting") + read_script("face"), **settings
    )


def plotly_route() -> Route:
    """Build the route that serves plotly.js from the installed package, so that no other server is asked."""
    path = str(files("plotly").joinpath("package_data/plotly.min.js"))
    headers = {"Cache-Control": "public, max-age=86400"}
    return Route("/plotly.min.js", lambda _: FileResponse(path, media_type="text/javascript", headers=headers))


def charts_value(result: CorrelationResult) -> Value:
    """Build the value of the charts of one comparison."""
    maps = {head: {m: _to_json(plots.plot_maps(result, head, m)) for m in MEASURES} for head in result.heads}
    mappings = {m: _to_json(plots.plot_mappings(result, m)) for m in MEASURES}
    sections = {"maps": maps, "mappings": dict.fromkeys(result.heads, mappings)}
    moments = []
    if len(result.curves) > 1:
        sections["time"] = {
            head: {m: _to_json(plots.plot_timeline(result, head, m)) for m in MEASURES} for head in result.heads
        }
        if not result.source.is_still:
            moments = [_moment_value(result, index) for index in range(len(result.worst))]
    headlines = {head: {m: _headline(result, head, m) for m in MEASURES} for head in result.heads}
    return _value(result.heads, sections, headlines, _facts(result), moments)


def emotion_charts_value(results: LabelledResults) -> Value:
    """Build the value of the charts of several pairs of emotions: Figures 2 and 6 of the paper."""
    heads = results[0][1].heads
    labelled = [(label.replace(" – ", "<br>"), result) for label, result in _unique_labels(results)]
    sections = {
        f"emotions-{name}": {
            head: {m: _to_json(plots.plot_emotions(labelled, head, m, index)) for m in MEASURES} for head in heads
        }
        for name, index in (("all", None), ("map4", 3))
    }
    headlines = {head: {m: _emotions_headline(results, head, m) for m in MEASURES} for head in heads}
    frames = sum(len(result.curves) for _, result in results)
    return _value(heads, sections, headlines, f"{frames} pairs of frames.", [])


def face_map_value(result: CorrelationResult, is_summary: bool) -> Value:
    """Build the value of the face map: of all compared frames together, or of one moment."""
    time = result.first.times[0]
    return {
        "whole": is_summary,
        "about": "All compared frames together." if is_summary else f"At {format_seconds(time)} of the source.",
        "picture": to_data_url(result.first.crops[0]),
        "heads": _labelled_heads(result.heads),
        "kinds": [list(item) for item in FACE_MAPS.items()],
        "figures": _to_text(
            {
                head: [
                    {kind: plots.face_json(result, head, index, kind) for kind in FACE_MAPS}
                    for index in range(len(statistics))
                ]
                for head, statistics in result.region_statistics.items()
            }
        ),
        "rings": _to_text(
            {
                head: [_neighbour_lists(each.neighbour_means()) for each in statistics]
                for head, statistics in result.region_statistics.items()
            }
        ),
    }


def _unique_labels(results: LabelledResults) -> list[tuple[str, CorrelationResult]]:
    """Add the file name to labels that occur more than once."""
    labels = [label for label, _ in results]
    return [
        (f"{label}<br>{escape(result.generated.path.stem)}" if labels.count(label) > 1 else label, result)
        for label, result in results
    ]


def _headline(result: CorrelationResult, head: str, measure: str) -> Value:
    """Return the headline of one choice of mapping and measure, with its place on the scale of known populations."""
    corresponding, others = (result.mean_std(head, measure, kind).mean for kind in PAIR_KINDS)
    scale = populations.find_scale(result.settings, head, measure)
    return {
        "text": f"Corresponding regions agree by {corresponding:.2f}, others by {others:.2f}",
        "value": round(corresponding, 4),
        "scale": [[population.label, *population.quantiles] for population in scale],
        "remark": populations.describe_place(corresponding, scale),
    }


def _emotions_headline(results: LabelledResults, head: str, measure: str) -> Value:
    means = [result.mean_std(head, measure, "corresponding").mean for _, result in results]
    text = f"{len(results)} pairs of emotions, {min(means):.2f} to {max(means):.2f} for corresponding regions"
    return {"text": text, "value": round(float(np.mean(means)), 4), "scale": [], "remark": ""}


def _facts(result: CorrelationResult) -> str:
    alignment = ALIGNMENT_TEXTS[result.settings.alignment]
    if result.source.is_still:
        return f"Two stills, {alignment}."
    return f"{len(result.curves)} pairs of frames, {PAIRING_TEXTS[result.settings.pairing]}, {alignment}."


def _value(
    heads: list[str],
    sections: dict[str, Any],
    headlines: dict[str, dict[str, Value]],
    facts: str,
    moments: list[dict[str, Any]],
) -> Value:
    return {
        "headlines": headlines,
        "facts": escape(facts),
        "heads": _labelled_heads(heads),
        "measures": [[measure, MEASURE_LABELS[measure]] for measure in MEASURES],
        "sections": [{"name": name, "figures": _to_text(figures)} for name, figures in sections.items()],
        "moments": moments,
    }


def _labelled_heads(heads: list[str]) -> list[list[str]]:
    return [[head, plots.LABELS[head]] for head in heads]


def _moment_value(result: CorrelationResult, index: int) -> dict[str, Any]:
    moment = result.worst[index]
    thumbnails = np.hstack([shrink(crop, THUMBNAIL_SIDE) for crop in moment.crops])
    text = f"{format_seconds(moment.times[0])} · {moment.similarity:.2f}"
    return {"picture": to_data_url(thumbnails), "text": text, "times": moment.times}


def _neighbour_lists(means: np.ndarray) -> list[list[int | None]]:
    """(3, N, 8) -> three flat lists in hundredths, None where no frame counts."""
    flat = means.reshape(len(means), -1)
    is_finite = np.isfinite(flat)
    hundredths = np.where(is_finite, np.round(100 * np.where(is_finite, flat, 0.0)), 0).astype(np.int64).astype(object)
    hundredths[~is_finite] = None
    return hundredths.tolist()


def _to_text(data: Any) -> str:
    """Return JSON text. Gradio's page wraps every object of a value in a proxy, which takes seconds for figures."""
    return json.dumps(data, separators=(",", ":"))


def _to_json(figure: Any) -> dict[str, Any]:
    return figure.to_plotly_json()

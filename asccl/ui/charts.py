"""Two parts of the page: the charts of a comparison, and the heat map over the face with its neighbours.

The server makes figures; drawing, choosing and saving happen in the browser, by the plotly.js that comes with plotly.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

import gradio as gr
import numpy as np
from starlette.responses import FileResponse
from starlette.routing import Route

from asccl.analysis import plots
from asccl.analysis.result import CorrelationResult
from asccl.analysis.statistics import MEASURES
from asccl.metric.statistics import PAIR_KINDS
from asccl.ui.components import Value, markup, picture, script, shrink
from asccl.ui.limits import clock

THUMBNAIL = 132  # pixels
KINDS = ("corresponding", "daas")
MEASURE_WORDS = {"cosine": "Cosine", "pearson": "Pearson"}
HOW_WORDS = {
    "time": "the same moments of both", "sound": "paired by what is heard", "mouth": "paired by how the mouth moves",
}  # fmt: skip
ALIGN_WORDS = {"place": "cut at the same place", "landmarks": "turned into the source's pose"}

CHARTS = """${value ? `
<div class="charts">
  <p class="verdict"><strong>${value.verdict}</strong> <span>${value.facts}</span></p>
  <div class="toolbar">
    <div class="switch" role="radiogroup" aria-label="Similarity" data-part="measure"></div>
    <div class="switch" role="radiogroup" aria-label="Mapping" data-part="head"></div>
  </div>
  <div class="chart-grid" data-part="grid"></div>
  <div class="moments" data-part="moments"></div>
</div>` : `<div class="compare-empty">Choose two videos or photos of one person,<br>or several clips named by emotion.
<br>The charts appear here.</div>`}"""

FACE = """${value ? `
<div class="face">
  <div class="toolbar">
    <div class="switch" role="radiogroup" aria-label="What the colours show" data-part="kind"></div>
    <div class="switch" role="radiogroup" aria-label="Feature map" data-part="map"></div>
    <button type="button" data-part="whole" class="quiet" hidden>Back to the whole video</button>
  </div>
  <p class="face-about" data-part="about" aria-live="polite"></p>
  <div class="face-pair">
    <figure class="chart"><div class="face-plot" data-part="plot" tabindex="0" role="application"
      aria-label="Heat map over the face. Arrow keys choose a region; its neighbours are listed beside it."></div>
      <div class="chart-save" data-part="save"></div></figure>
    <div class="ring" data-part="ring" aria-live="polite"></div>
  </div>
</div>` : ""}"""


def charts(**settings: Any) -> gr.HTML:
    """Bars, a time line, and the worst moments. Value: `drawn(...)`, `drawn_emotions(...)` or None. The event `pick`
    brings `times`, the seconds in both videos that were clicked."""
    return markup(html_template=CHARTS, js_on_load=script("plotting") + script("charts"), **settings)


def face(**settings: Any) -> gr.HTML:
    """A heat map over the face; a click shows a region's neighbours. Value: `mapped(...)` or None."""
    return markup(html_template=FACE, js_on_load=script("plotting") + script("face"), **settings)


def plotly_js() -> Route:
    """Serves the plotly.js of the installed package, so that nothing is fetched from elsewhere."""
    path = str(files("plotly").joinpath("package_data/plotly.min.js"))
    headers = {"Cache-Control": "public, max-age=86400"}
    return Route("/plotly.min.js", lambda _: FileResponse(path, media_type="text/javascript", headers=headers))


def drawn(found: CorrelationResult) -> Value:
    """Everything the charts of one comparison need."""
    sections = [("maps", {h: {m: _json(plots.plot_maps(found, h, m)) for m in MEASURES} for h in found.heads})]
    if len(found.curves) > 1:
        sections.append(
            ("time", {h: dict.fromkeys(MEASURES, _json(plots.plot_timeline(found, h))) for h in found.heads})
        )
    mapping = {m: _json(plots.plot_mappings(found, m)) for m in MEASURES}
    sections.insert(1, ("mappings", dict.fromkeys(found.heads, mapping)))
    still = found.source.is_still
    moments = [] if still or len(found.curves) < 2 else [_thumb(found, i) for i in range(len(found.worst))]
    return _value([found], sections, verdict(found), facts(found), moments)


def drawn_emotions(found: Sequence[tuple[str, CorrelationResult]]) -> Value:
    """The same for several pairs of emotions: the paper's Figures 2 and 6."""
    heads = found[0][1].heads
    labelled = [(name.replace(" – ", "<br>"), each) for name, each in unique(found)]
    sections = [
        (f"emotions-{where}", {h: {m: _json(plots.plot_emotions(labelled, h, m, n)) for m in MEASURES} for h in heads})
        for where, n in (("all", None), ("map4", 3))
    ]
    lead = [each.mean_std(heads[0], "cosine", "corresponding").mean for _, each in found]
    text = f"{len(found)} pairs of emotions, {min(lead):.2f} to {max(lead):.2f} for corresponding regions"
    frames = sum(len(each.curves) for _, each in found)
    return _value([each for _, each in found], sections, text, f"{frames} pairs of frames.", [])


def unique(found: Sequence[tuple[str, CorrelationResult]]) -> list[tuple[str, CorrelationResult]]:
    """A label that comes twice is told by its file."""
    names = [name for name, _ in found]
    return [(f"{n}<br>{escape(c.generated.path.stem)}" if names.count(n) > 1 else n, c) for n, c in found]


def mapped(found: CorrelationResult, whole: bool) -> Value:
    """The heat maps of a comparison, or (not whole) of one moment of it."""
    source = found.first.crops[0]
    when = found.first.times[0]
    return {
        "whole": whole,
        "about": "All compared frames together." if whole else f"At {clock(when)} of the source.",
        "picture": picture(source),
        "heads": _heads([found]),
        "kinds": [["corresponding", "Similarity"], ["daas", "DAAS weight"]],
        "figures": {
            h: [
                {k: _json(plots.plot_face(found, h, n, k)) for k in KINDS}
                for n in range(len(found.region_statistics[h]))
            ]
            for h in found.heads
        },
        "rings": {h: [_ring(sums.neighbour_means()) for sums in found.region_statistics[h]] for h in found.heads},
    }


def verdict(found: CorrelationResult) -> str:
    lead = found.heads[0]
    same, other = (found.mean_std(lead, "cosine", side).mean for side in PAIR_KINDS)
    return f"Corresponding regions agree by {same:.2f}, others by {other:.2f}"


def facts(found: CorrelationResult) -> str:
    used = found.settings
    if found.source.is_still:
        return f"Two stills, {ALIGN_WORDS[used.alignment]}."
    return f"{len(found.curves)} pairs of frames, {HOW_WORDS[used.pairing]}, {ALIGN_WORDS[used.alignment]}."


def _value(found: list[CorrelationResult], sections: list, verdict: str, facts: str, moments: list) -> Value:
    return {
        "verdict": escape(verdict), "facts": escape(facts), "heads": _heads(found),
        "measures": [[m, MEASURE_WORDS[m]] for m in MEASURES],
        "sections": [{"name": name, "figures": figures} for name, figures in sections], "moments": moments,
    }  # fmt: skip


def _heads(found: list[CorrelationResult]) -> list[list[str]]:
    return [[head, plots.LABELS[head]] for head in found[0].heads]


def _thumb(found: CorrelationResult, number: int) -> dict[str, Any]:
    worst = found.worst[number]
    both = np.hstack([shrink(crop, THUMBNAIL) for crop in worst.crops])
    return {"picture": picture(both), "text": f"{clock(worst.times[0])} · {worst.similarity:.2f}", "times": worst.times}


def _ring(neighbours: np.ndarray) -> list[list[int | None]]:
    """(3, N, 8) -> three flat lists in hundredths."""
    return [[int(v) if np.isfinite(v) else None for v in np.round(100 * row.ravel())] for row in neighbours]


def _json(figure: Any) -> dict[str, Any]:
    return figure.to_plotly_json()

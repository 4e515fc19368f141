"""The report of an edit as HTML: metrics with their meaning in words, emotion probabilities, and the lip opening."""

from __future__ import annotations

from fractions import Fraction
from html import escape
from typing import Any

from asccl.editing.media_report import media_notes
from asccl.editing.occlusion_report import describe_occlusion
from asccl.provenance.signer import describe_signature
from asccl.types import EMOTIONS
from asccl.ui.messages import format_seconds

TIMED_STEPS = {  # keys of report["seconds"]
    "reference": "Analyzing the reference",
    "track and fit": "Tracking and measuring the face",
    "direct": "Planning the expression",
    "decode": "Reading frames",
    "render": "Changing the expression",
    "read out": "Measuring the result",
    "encode": "Writing frames",
}
REASONS = {  # why frames stayed unchanged
    "missing": "no face detected",
    "cut off": "face cut off by the edge",
    "turned": "face turned too far",
    "hidden": "face hidden",
}
RENDERERS = {"neural": "a network", "warp": "warping", "icface": "ICface"}


def report_html(report: dict[str, Any]) -> str:
    """Render the report of an edit. A metric that could not be measured is left out."""
    parts = [
        _metrics_table(report),
        _probability_bars(report["emotion"]),
        _lip_curves(report["curves"]),
        _dropped_metadata(report),
        _signature(report),
        _details(report),
    ]
    return f'<div class="edit-report">{"".join(parts)}</div>'


def _metrics_table(report: dict[str, Any]) -> str:
    rows = "".join([*_quality_rows(report), *_frame_rows(report["frames"]), *_media_rows(report)])
    return f'<section class="facts"><h3>Metrics</h3><table>{rows}</table></section>'


def _dropped_metadata(report: dict[str, Any]) -> str:
    """One sentence about metadata of a photo that its copy could not keep; empty without any."""
    dropped = report.get("metadata", {}).get("dropped")
    return f"<p>Metadata that could not be kept: {escape(', '.join(dropped))}.</p>" if dropped else ""


def _signature(report: dict[str, Any]) -> str:
    """One sentence about the signature of the file; empty for reports without one."""
    text = describe_signature(report.get("signature"))
    return f"<p>Signature: {escape(text)}.</p>" if text else ""


def _quality_rows(report: dict[str, Any]) -> list[str]:
    speech, emotion, rows = report["speech"], report["emotion"], []
    if (correlation := speech.get("lip_gap_correlation")) is not None:
        meaning = "1.00: they open and close exactly as before"
        rows.append(_row("Lip movement kept", f"{correlation:.2f}", meaning, correlation))
    if (closed := speech.get("closures_kept")) is not None:
        count = speech.get("closed_frames")
        meaning = f"in {count} frames where the original closes them" if count else "for p, b and m"
        rows.append(_row("Lip closures kept", f"{closed:.0%}", meaning, closed))
    if (distance := speech.get("lip_distance_percent")) is not None:
        rows.append(_row("Lips moved by", f"{distance:.1f}%", "100% would be the distance from one eye to the other"))
    if (similarity := report["identity"].get("similarity")) is not None:
        meaning = "1.00: face recognition sees the same face; 0.5 and more: the same person"
        rows.append(_row("Identity kept", f"{similarity:.2f}", meaning, similarity))
    before, after = emotion.get("before"), emotion.get("after")
    if emotion.get("target") and before is not None and after is not None:
        label, value = f"Looks {escape(emotion['target'])}", f"{before:.0%} → {after:.0%}"
        rows.append(_row(label, value, "as a network reads the expression, before and after", after))
    if reason := emotion.get("reason"):
        rows.append(_row("The emotion is weak", "Raise the intensity", escape(reason)))
    return rows


def _frame_rows(frames: dict[str, Any]) -> list[str]:
    rows = []
    if frames["total"] > 1:
        unchanged = frames["passed_through"]
        meaning = f"{unchanged} left unchanged" if unchanged else "all of them"
        rows.append(_row("Frames edited", f"{frames['edited']} of {frames['total']}", meaning))
    if unreadable := frames["unreadable"]:
        rows.append(_row("Frames missing", f"{unreadable}", "could not be read: the file is damaged or cut off"))
    return rows


def _media_rows(report: dict[str, Any]) -> list[str]:
    """What lies before the face, and what was not carried over unchanged of sound, subtitles, chapters and clock."""
    notes = media_notes(report)
    if occlusion := describe_occlusion(report):
        notes = {"before the face": occlusion, **notes}
    return [_row(label.capitalize(), "", escape(text)) for label, text in notes.items()]


def _row(label: str, value: str, meaning: str, share: float | None = None) -> str:
    """A row of the table; a share in [0, 1] gets a bar."""
    bar = ""
    if share is not None:
        bar = f'<span class="meter" aria-hidden="true"><i style="width:{min(max(share, 0.0), 1.0):.1%}"></i></span>'
    return f'<tr><th scope="row">{label}<small>{meaning}</small></th><td>{value}{bar}</td></tr>'


def _probability_bars(emotion: dict[str, Any]) -> str:
    """Two bars for each of the seven emotions; empty where the expression network was given no face."""
    before, after = emotion.get("probabilities_before"), emotion.get("probabilities_after")
    if not before or not after:
        return ""
    rows = "".join(
        f'<tr{" class=target" if name == emotion.get("target") else ""}><th scope="row">{name}</th>'
        f'<td><span class="bar source" style="width:{before[name]:.1%}"></span>'
        f'<span class="bar edited" style="width:{after[name]:.1%}"></span></td>'
        f"<td>{before[name]:.0%}</td><td>{after[name]:.0%}</td></tr>"
        for name in EMOTIONS
    )
    return (
        '<section class="chances"><h3>Recognized emotions</h3><table><thead><tr><th scope="col">Emotion</th><td></td>'
        f'<th scope="col">Original</th><th scope="col">Edited</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _lip_curves(curves: dict[str, Any] | None) -> str:
    """The lip opening over time. The curves stretch with the page, the texts beside them do not."""
    if not curves or len(curves.get("time") or ()) < 2:
        return ""
    times = curves["time"]
    gaps = {name: curves[f"lip_gap_{name}"] for name in ("source", "edited")}
    max_gap = max((gap for values in gaps.values() for gap in values if gap is not None), default=0.0)
    start, duration = times[0], (times[-1] - times[0]) or 1.0
    paths = "".join(
        f'<path class="{name}" d="{_svg_path(times, values, 1.08 * max_gap or 1.0)}" '
        'vector-effect="non-scaling-stroke"/>'
        for name, values in gaps.items()
    )
    ticks = "".join(f"<span>{format_seconds(start + duration * k / 4)}</span>" for k in range(5))
    return (
        '<section class="curves"><h3>Lip opening over time</h3>'
        '<p class="legend"><span class="source">Original</span><span class="edited">Edited</span></p>'
        '<div class="plot"><span class="axis">open</span>'
        '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        'aria-label="Opening of the lips over time: the edited curve beside the original one">'
        f'<path class="grid" d="M0 33H1000M0 66H1000" vector-effect="non-scaling-stroke"/>{paths}</svg>'
        f'<span class="axis">closed</span></div><p class="ticks">{ticks}</p></section>'
    )


def _svg_path(times: list[float], values: list[float | None], max_value: float) -> str:
    """A curve in a view box of 1000 x 100 from 0 to `max_value`; interrupted where a value is missing."""
    start, duration = times[0], (times[-1] - times[0]) or 1.0
    command, points = "M", []
    for time, value in zip(times, values, strict=False):
        if value is None:
            command = "M"
            continue
        x, y = 1000 * (time - start) / duration, 100 - 100 * max(value, 0.0) / max_value
        points.append(f"{command}{x:.1f} {y:.1f}")
        command = "L"
    return "".join(points)


def _details(report: dict[str, Any]) -> str:
    source, seconds = report["source"], report["seconds"]
    spans = "".join(
        f"<li>{format_seconds(span['start'])} to {format_seconds(span['end'])}: "
        f"{REASONS.get(span['reason'], escape(span['reason']))}</li>"
        for span in report["frames"]["spans"]
    )
    steps = "".join(
        f"<tr><th scope=row>{TIMED_STEPS.get(name, escape(name.capitalize()))}</th><td>{value:.2f} s</td></tr>"
        for name, value in seconds.items()
        if name != "total"
    )
    weights = "".join(
        f"<tr><th scope=row>{escape(weight['name'])}<small>{escape(weight['file'])}</small></th>"
        f'<td><code title="{escape(weight["sha256"])}">{escape(weight["sha256"][:12])}…</code></td></tr>'
        for weight in report["weights"]
    )
    size = f"{source['width']} × {source['height']} pixels"
    if source.get("duration"):
        rate = float(Fraction(str(source["frame_rate"])))
        size += f", {format_seconds(source['duration'])}, {rate:.4g} frames per second"
    total = f"Done in {format_seconds(seconds['total'])}" if seconds.get("total") is not None else "Done"
    return (
        f'<details><summary>{total} · time and networks in detail</summary><div class="inside"><p>{size}</p>'
        + (f"<h4>Left unchanged</h4><ul>{spans}</ul>" if spans else "")
        + f"<h4>Time</h4><table>{steps}</table><h4>Networks used</h4><table>{weights}</table>"
        + f"{_renderer_note(report.get('renderer'))}</div></details>"
    )


def _renderer_note(renderer: dict[str, Any] | None) -> str:
    """Which renderer was used and why; empty where none was searched for."""
    if renderer is None or not renderer["searched"]:
        return ""
    file = f", {renderer['file']}" if renderer["name"] == "icface" else ""
    return f"<p>Rendered by {RENDERERS[renderer['name']]}{escape(file)}: {escape(renderer['reason'])}.</p>"

"""The read-out of an edit as plain HTML: numbers with their meaning in words, and the mouth as a curve."""

from __future__ import annotations

from fractions import Fraction
from html import escape
from typing import Any

from asccl.types import EMOTIONS
from asccl.ui.limits import clock

STAGE_WORDS = {
    "start": "Getting ready",
    "open": "Opening the file",
    "track": "Following the face",
    "fit": "Measuring the face",
    "render": "Changing the expression",
    "done": "Writing the file",
}
TIME_WORDS = {
    "reference": "Studying the reference",
    "track and fit": "Following and measuring the face",
    "direct": "Planning the expression",
    "decode": "Reading frames",
    "render": "Changing the expression",
    "read out": "Checking the result",
    "encode": "Writing frames",
}
REASON_WORDS = {
    "missing": "no face seen",
    "cut off": "face cut off by the edge",
    "turned": "face turned too far",
    "hidden": "face hidden",
}


def readout(report: dict[str, Any]) -> str:
    """The whole read-out. A value that could not be measured has no row."""
    parts = [
        f'<section class="facts"><h3>What was kept, what changed</h3><table>{"".join(rows(report))}</table></section>',
        probabilities(report["emotion"]),
        curves(report["curves"]),
        details(report),
    ]
    return f'<div class="readout">{"".join(part for part in parts if part)}</div>'


def rows(report: dict[str, Any]) -> list[str]:
    speech, emotion, frames = report["speech"], report["emotion"], report["frames"]
    found: list[tuple[str, str, str, float | None]] = []
    if (kept := speech.get("lip_gap_correlation")) is not None:
        found.append(("The mouth opens with the words", f"{kept:.2f}", "1.00 is in step with the original", kept))
    if (closed := speech.get("closures_kept")) is not None:
        count = speech.get("closed_frames")
        where = f"in {count} frames where the original closes them" if count else "for p, b and m"
        found.append(("Closed lips stay closed", f"{closed:.0%}", where, closed))
    if (distance := speech.get("lip_distance_percent")) is not None:
        found.append(("The lips moved by", f"{distance:.1f} %", "of the distance between the eyes", None))
    if (same := report["identity"].get("similarity")) is not None:
        found.append(("Still the same person", f"{same:.2f}", "1.00 is identical to a face recognition network", same))
    before, after = emotion.get("before"), emotion.get("after")
    if emotion.get("target") and before is not None and after is not None:
        target = escape(emotion["target"])
        found.append((f"Looks {target}", f"{before:.0%} → {after:.0%}", "to an expression network", after))
    if frames["total"] > 1:
        share = f"{frames['edited']} of {frames['total']}"
        left = frames["passed_through"]
        found.append(("Frames edited", share, f"{left} left as they were" if left else "all of them", None))
    if lost := frames["unreadable"]:
        found.append(("Frames missing", f"{lost}", "could not be read: the file is damaged or cut off", None))
    return [row(*each) for each in found]


def row(label: str, value: str, meaning: str, share: float | None) -> str:
    level = min(max(share, 0.0), 1.0) if share is not None else None
    bar = "" if level is None else f'<span class="meter" aria-hidden="true"><i style="width:{level:.1%}"></i></span>'
    return f'<tr><th scope="row">{label}<small>{meaning}</small></th><td>{value}{bar}</td></tr>'


def probabilities(emotion: dict[str, Any]) -> str:
    """Seven pairs of bars; empty when the expression network saw nothing."""
    before, after = emotion.get("probabilities_before"), emotion.get("probabilities_after")
    if not before or not after:
        return ""
    bars = "".join(
        f'<tr{" class=target" if name == emotion.get("target") else ""}><th scope="row">{name}</th>'
        f'<td><span class="bar source" style="width:{before[name]:.1%}"></span>'
        f'<span class="bar edited" style="width:{after[name]:.1%}"></span></td>'
        f"<td>{before[name]:.0%}</td><td>{after[name]:.0%}</td></tr>"
        for name in EMOTIONS
    )
    return (
        '<section class="chances"><h3>How the face reads</h3><table><thead><tr><th scope="col">Emotion</th><td></td>'
        f'<th scope="col">Original</th><th scope="col">Edited</th></tr></thead><tbody>{bars}</tbody></table></section>'
    )


def curves(curves: dict[str, Any] | None) -> str:
    """Lip opening over time. The lines stretch with the page, the words beside them do not."""
    if not curves or len(curves.get("time") or ()) < 2:
        return ""
    times = curves["time"]
    lines = {name: curves[f"lip_gap_{name}"] for name in ("source", "edited")}
    top = max(max((gap for gap in line if gap is not None), default=0.0) for line in lines.values()) * 1.08 or 1.0
    begin, span = times[0], (times[-1] - times[0]) or 1.0

    def path(line: list[float | None]) -> str:
        pen, steps = "M", []
        for time, gap in zip(times, line, strict=False):
            if gap is None:
                pen = "M"
                continue
            steps.append(f"{pen}{1000 * (time - begin) / span:.1f} {100 - 100 * max(gap, 0.0) / top:.1f}")
            pen = "L"
        return "".join(steps)

    drawn = "".join(
        f'<path class="{name}" d="{path(line)}" vector-effect="non-scaling-stroke"/>' for name, line in lines.items()
    )
    ticks = "".join(f"<span>{clock(begin + span * k / 4)}</span>" for k in range(5))
    return (
        '<section class="curves"><h3>Lip opening over time</h3>'
        '<p class="legend"><span class="source">Original</span><span class="edited">Edited</span></p>'
        '<div class="plot"><span class="axis">open</span>'
        '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        'aria-label="Opening of the lips over time: the edited curve beside the original one">'
        f'<path class="grid" d="M0 33H1000M0 66H1000" vector-effect="non-scaling-stroke"/>{drawn}</svg>'
        f'<span class="axis">closed</span></div><p class="ticks">{ticks}</p></section>'
    )


def details(report: dict[str, Any]) -> str:
    source, seconds = report["source"], report["seconds"]
    spans = "".join(
        f"<li>{clock(span['start'])} to {clock(span['end'])}: "
        f"{REASON_WORDS.get(span['reason'], escape(span['reason']))}</li>"
        for span in report["frames"]["spans"]
    )
    stages = "".join(
        f"<tr><th scope=row>{TIME_WORDS.get(name, escape(name.capitalize()))}</th><td>{value:.2f} s</td></tr>"
        for name, value in seconds.items()
        if name != "total"
    )
    weights = "".join(
        f"<tr><th scope=row>{escape(weight['name'])}<small>{escape(weight['file'])}</small></th>"
        f'<td><code title="{escape(weight["sha256"])}">{escape(weight["sha256"][:12])}…</code></td></tr>'
        for weight in report["weights"]
    )
    who = {"neural": "a network", "warp": "warping"}
    drawn = report.get("renderer") or {"sought": False}
    why = f"<p>Rendered by {who[drawn['name']]}: {escape(drawn['why'])}.</p>" if drawn["sought"] else ""
    size = f"{source['width']} × {source['height']} pixels"
    if source.get("duration"):
        size += f", {clock(source['duration'])}, {float(Fraction(str(source['frame_rate']))):.4g} frames a second"
    total = f"Done in {clock(seconds['total'])}" if seconds.get("total") is not None else "Done"
    return (
        f'<details><summary>{total} · time and networks in detail</summary><div class="inside"><p>{size}</p>'
        + (f"<h4>Left as they were</h4><ul>{spans}</ul>" if spans else "")
        + f"<h4>Time</h4><table>{stages}</table><h4>Networks used</h4><table>{weights}</table>{why}</div></details>"
    )


def status(kind: str, message: str, done: float | None = None, remaining: float | None = None) -> str:
    """A line for the live region; kind: idle, busy, done, stopped, failed. `done` in [0, 1] draws a bar."""
    bar, rest = "", ""
    if done is not None:
        left = "" if remaining is None else f"about {clock(max(1, round(remaining)))} left"
        rest = f'<span class="rest">{left}</span>'
        bar = (
            f'<div class="progress" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{done * 100:.0f}"><i style="width:{done:.1%}"></i></div>'
        )
    role = "alert" if kind == "failed" else "status"
    live = "assertive" if kind == "failed" else "polite"
    text = f'<p role="{role}" aria-live="{live}">{escape(message)}</p>'
    return f'<div class="status {kind}">{text}{rest}{bar}</div>'

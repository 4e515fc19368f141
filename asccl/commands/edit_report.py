"""Format the report of an edit as text: a table for a terminal, one line for a log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from asccl.editing.media_report import media_notes
from asccl.editing.occlusion_report import describe_occlusion
from asccl.provenance.signer import describe_signature

MAX_LISTED_SPANS = 4  # unchanged spans of a video that the table lists


def format_report(output: Path, report: dict[str, Any]) -> str:
    """Format a report as a table if stdout is a terminal, else as one line."""
    return format_table(output, report) if sys.stdout.isatty() else format_line(output, report)


def format_line(output: Path, report: dict[str, Any]) -> str:
    """Format a report as one line: the path, then the metrics, separated by tabs."""
    return "\t".join([str(output), *(f"{label} {text}" for label, text in summarize_report(report).items())])


def format_table(output: Path, report: dict[str, Any]) -> str:
    """Format a report as a few lines: the path, the metrics, and the spans that stayed unchanged."""
    rows = list(summarize_report(report).items())
    spans = report["frames"]["spans"]
    for span in spans[:MAX_LISTED_SPANS]:
        rows.append(("unchanged", f"{span['start']:.2f} to {span['end']:.2f} s, face {span['reason']}"))
    if len(spans) > MAX_LISTED_SPANS:
        rows.append(("", f"and {len(spans) - MAX_LISTED_SPANS} more spans"))
    return "\n".join([str(output), *(f"  {label:10} {text}" for label, text in rows)])


def summarize_report(report: dict[str, Any]) -> dict[str, str]:
    """Describe the main metrics of a report in words, by label. Metrics that were not measured are left out."""
    frames, speech, emotion = report["frames"], report["speech"], report["emotion"]
    summary = {"edited": f"{frames['edited']} of {frames['total']} frames"}
    if unreadable := frames["unreadable"]:
        summary["missing"] = f"{unreadable} frames that could not be read: the file is damaged or cut off"
    if dropped := report.get("metadata", {}).get("dropped"):
        summary["dropped"] = f"{', '.join(dropped)}: metadata that the output cannot keep"
    speech_parts = [
        _format_value("lip opening r {:.2f}", speech["lip_gap_correlation"]),
        _format_value("lips moved {:.1f} % of the eye distance", speech["lip_distance_percent"]),
        _format_value("closures kept {:.0%}", speech["closures_kept"]),
    ]
    summary["speech"] = ", ".join(filter(None, speech_parts))
    summary["identity"] = _format_value("{:.2f}", report["identity"]["similarity"])
    if emotion["after"] is not None:
        summary[emotion["target"]] = f"{emotion['before']:.2f} -> {emotion['after']:.2f}"
    if emotion.get("reason"):
        summary["weak"] = emotion["reason"]
    summary["occluded"] = describe_occlusion(report)
    summary |= media_notes(report)
    summary["renderer"] = describe_renderer(report.get("renderer"))
    summary["signature"] = describe_signature(report.get("signature"))
    summary["time"] = f"{report['seconds']['total']:.1f} s"
    return {label: text for label, text in summary.items() if text}


def describe_renderer(renderer: dict[str, Any] | None) -> str:
    """Describe the renderer that was used; empty where none was searched for."""
    if renderer is None or renderer["name"] == "warp":
        return f"warp: {renderer['reason']}" if renderer and renderer["searched"] else ""
    if renderer["similarity"] is None:
        return f"{renderer['name']} {renderer['file']}: {renderer['reason']}"
    return f"{renderer['file']}, identity similarity {renderer['similarity']:.2f}"


def _format_value(template: str, value: float | None) -> str:
    return "" if value is None else template.format(value)

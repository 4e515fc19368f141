"""Report what became of the sound, the subtitles, the chapters and the clock of a source."""

from __future__ import annotations

from typing import Any

from asccl.types import MediaInfo

MIN_LENGTH_DIFFERENCE = 0.05  # relative, between the length that a header states and the measured one, to be mentioned
MAX_LISTED_JUMPS = 3
NO_TRACKS: dict[str, Any] = {"sound": [], "subtitles": [], "chapters": {"total": 0, "copied": 0}}


def build_media_report(info: MediaInfo, tracks: dict[str, Any]) -> dict[str, Any]:
    """Build the blocks "sound", "subtitles", "chapters" and "clock" of a report.

    Args:
        info: of the source.
        tracks: `Writer.track_report`; empty for a still.
    """
    jumps = [{"time": round(jump.time, 3), "seconds": round(jump.seconds, 3)} for jump in info.clock_jumps]
    clock = {
        "stated_seconds": round(info.stated_duration, 3),
        "measured_seconds": round(info.duration, 3),
        "jumps": jumps,
    }
    return {**NO_TRACKS, **tracks, "clock": clock}


def media_notes(report: dict[str, Any]) -> dict[str, str]:
    """Sentences about all that was not carried over unchanged, by label; empty if everything was."""
    notes = {label: _describe_tracks(report.get(label, [])) for label in ("sound", "subtitles")}
    chapters = report.get("chapters", NO_TRACKS["chapters"])
    if chapters["copied"] < chapters["total"]:
        notes["chapters"] = f"{chapters['copied']} of {chapters['total']} kept, the others lie behind the picture"
    notes["clock"] = _describe_clock(report.get("clock"))
    return {label: text for label, text in notes.items() if text}


def _describe_tracks(tracks: list[dict[str, Any]]) -> str:
    parts = []
    for track in tracks:
        name = f"{track['codec']} ({track['language']})" if track["language"] else track["codec"]
        if track["action"] != "copied":
            result = f"encoded to {track['written_as']}" if track["action"] == "encoded" else "left out"
            parts.append(f"{name} {result}: {track['reason']}")
        if track["damaged"]:
            parts.append(f"{name}: {track['damaged']} damaged packets left out")
    return "; ".join(parts)


def _describe_clock(clock: dict[str, Any] | None) -> str:
    if clock is None:
        return ""
    jumps = clock["jumps"]
    if jumps:
        places = ", ".join(f"{jump['time']:.2f} s by {jump['seconds']:+.2f} s" for jump in jumps[:MAX_LISTED_JUMPS])
        more = f" and {len(jumps) - MAX_LISTED_JUMPS} more" if len(jumps) > MAX_LISTED_JUMPS else ""
        return f"jumps at {places}{more}: carried on without a gap"
    stated, measured = clock["stated_seconds"], clock["measured_seconds"]
    if stated and abs(stated - measured) > max(MIN_LENGTH_DIFFERENCE * measured, MIN_LENGTH_DIFFERENCE * stated, 0.5):
        return f"{measured:.2f} s were measured, the header states {stated:.2f} s"
    return ""

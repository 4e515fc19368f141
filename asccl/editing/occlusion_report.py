"""Describe what lies before an edited face."""

from __future__ import annotations

from typing import Any


def describe_occlusion(report: dict[str, Any]) -> str:
    """Say what lies before the face and how many frames it may affect; empty where nothing does."""
    occlusion, edited = report.get("occlusion", {}), report["frames"]["edited"]
    parts = []
    if covered := occlusion.get("covered_frames"):
        parts.append(f"something covers a part of the face in {covered} of {edited} edited frames and stays as it is")
    if (glasses := occlusion.get("glasses", "none")) != "none":
        eyes = ", with nothing to edit behind the dark lenses" if glasses == "dark" else ""
        parts.append(f"glasses are kept rigid{eyes}")
    return "; ".join(parts)

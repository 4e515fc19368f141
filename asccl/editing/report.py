"""What an edit says about itself: the mark in the file, and the read-out's frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asccl import hub
from asccl.morphable.reconstruct import FittedClip
from asccl.types import EditRequest, Motion
from asccl.version import __version__

EDIT_WEIGHTS = ("head-anny", "mobilefacenet-arcface", "expression-faceapi")


def edit_metadata(request: EditRequest) -> dict[str, str]:
    """What the output's metadata says."""
    how = request.emotion or ""
    if request.reference is not None:
        how = f"{how} like a reference".strip()
    said = f"Edited with ASCCL {__version__}: facial expression changed to {how}, intensity {request.intensity:g}"
    return {"comment": said, "software": f"ASCCL {__version__}"}


def describe_edit(request: EditRequest, clip: FittedClip, motion: Motion) -> dict[str, Any]:
    """software, request, source, frames and fit of the report."""
    info, edited = clip.info, int((motion.weight > 0).sum())
    spans = [
        {"first": a, "last": b, "start": round(float(clip.times[a]), 3), "end": round(float(clip.times[b]), 3),
         "reason": word} for a, b, word in clip.track.reasons
    ]  # fmt: skip
    total = len(clip.times)
    return {
        "software": {"name": "asccl", "version": __version__},
        "request": {
            "source": request.source.name, "emotion": request.emotion,
            "reference": request.reference and request.reference.name, "intensity": request.intensity,
            "start": request.start, "end": request.end, "face": request.face, "generator": request.generator,
            "renderer": request.renderer and request.renderer.name,
            "seed": request.seed, "badge": request.badge,
        },
        "source": {
            "width": info.width, "height": info.height, "frame_rate": str(info.frame_rate),
            "duration": round(info.duration, 3), "frames": total,
        },
        "frames": {
            "total": total, "edited": edited, "passed_through": total - edited, "unreadable": clip.unreadable,
            "spans": spans,
        },
        "fit": {"landmark_error_percent": clip.error},
    }  # fmt: skip


def weights_used(request: EditRequest, renderer: dict[str, Any]) -> list[dict[str, str]]:
    """Name, file and sha256 of the weights behind an edit. renderer: as in the report, see `casting.Cast`."""
    names = (*EDIT_WEIGHTS, "ned-manipulator") if request.generator == "ned" else EDIT_WEIGHTS
    used = [{"name": n, "file": hub.WEIGHTS[n].file, "sha256": hub.WEIGHTS[n].sha256} for n in names]
    if renderer["sha256"]:
        used.append({"name": "ned-renderer", "file": renderer["file"], "sha256": renderer["sha256"]})
    return used


class StageTimer:
    """Seconds by stage; stages of several threads overlap."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._spent[stage] = self._spent.get(stage, 0.0) + time.perf_counter() - start

    def report(self) -> dict[str, float]:
        total = time.perf_counter() - self._start
        return {**{k: round(v, 4) for k, v in self._spent.items()}, "total": round(total, 4)}

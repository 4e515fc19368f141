"""The read-out of an edit: was speech kept, is it the same person, does the emotion show?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asccl.face import mesh
from asccl.face.crop import arcface_crop, expression_crop
from asccl.types import EMOTIONS, Image, LazyImage

CLOSED = 0.03  # lip opening over eye distance below which the lips count as closed
NARROWEST = 1.0  # pixels between the eyes below which landmarks are no face
CURVE_POINTS = 1000  # of a plotted curve
BATCH = 8


class EditMetrics:
    """Collects pairs of source and edited frames; constant memory but for three numbers a frame.

    every: the networks look at each `every`-th edited frame. embed: crops (N, 112, 112, 3) -> (N, D) unit vectors.
    express: crops (N, 112, 112, 3) -> probabilities (N, 7) and features (N, 256).
    """

    def __init__(
        self,
        embed: Callable[[np.ndarray], np.ndarray],
        express: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
        every: int = 1,
    ):
        self._embed, self._express, self._every = embed, express, every
        self._times: list[float] = []
        self._gaps: list[tuple[float, float]] = []
        self._distances: list[float] = []
        self._crops: list[tuple[Image, Image, Image, Image]] = []
        self._similarity: list[np.ndarray] = []
        self._before: list[np.ndarray] = []
        self._after: list[np.ndarray] = []
        self._features: list[np.ndarray] = []
        self._features_before: list[np.ndarray] = []

    def add(
        self, time: float, source: LazyImage, edited: LazyImage, before: np.ndarray, after: np.ndarray | None
    ) -> None:
        """One edited frame at `time` seconds. before, after: landmarks (478, 3) pixels found in the source and in the
        edited frame; after is None where the edited face was not found again. A face with eyes in one place is none."""
        if after is None or not np.minimum(mesh.eye_distance(before), mesh.eye_distance(after)) >= NARROWEST:
            return
        if len(self._times) % self._every == 0:
            self._crops.append((
                arcface_crop(source, before), arcface_crop(edited, after),
                expression_crop(source, before), expression_crop(edited, after),
            ))  # fmt: skip
            if len(self._crops) == BATCH:
                self._look()
        self._times.append(time)
        self._gaps.append((float(mesh.lip_gap(before)), float(mesh.lip_gap(after))))
        self._distances.append(lip_distance(before, after))

    def _look(self) -> None:
        if not self._crops:
            return
        a, b, c, d = (np.stack(x) for x in zip(*self._crops, strict=True))
        self._crops.clear()
        self._similarity.append((self._embed(a) * self._embed(b)).sum(1))
        before, features_before = self._express(c)
        after, features = self._express(d)
        self._before.append(before)
        self._after.append(after)
        self._features_before.append(features_before.sum(0))
        self._features.append(features.sum(0))

    def report(self, emotion: str | None, reference_features: np.ndarray | None = None) -> dict[str, Any]:
        """speech, identity, emotion and curves of the report; None where nothing could be measured."""
        self._look()
        gaps = np.array(self._gaps).reshape(-1, 2)
        closed = gaps[:, 0] < CLOSED
        speech = {
            "lip_gap_correlation": _pearson(gaps[:, 0], gaps[:, 1]),
            "lip_distance_percent": _mean(self._distances),
            "closures_kept": _mean((gaps[closed, 1] < CLOSED).tolist()) if closed.sum() >= 3 else None,
            "closed_frames": int(closed.sum()),
        }
        pick = np.unique(np.linspace(0, max(len(gaps) - 1, 0), CURVE_POINTS).round().astype(int)) if len(gaps) else []
        curves = {
            "time": [round(self._times[i], 4) for i in pick],
            "lip_gap_source": [round(float(gaps[i, 0]), 5) for i in pick],
            "lip_gap_edited": [round(float(gaps[i, 1]), 5) for i in pick],
        }
        similarity = np.concatenate(self._similarity).tolist() if self._similarity else []
        return {
            "speech": speech,
            "identity": {"similarity": _mean(similarity)},
            "emotion": self._emotion(emotion, reference_features),
            "curves": curves,
        }

    def _emotion(self, emotion: str | None, reference: np.ndarray | None) -> dict[str, Any]:
        before = np.concatenate(self._before).mean(0) if self._before else None
        after = np.concatenate(self._after).mean(0) if self._after else None
        out: dict[str, Any] = {"target": emotion, "before": None, "after": None}
        if emotion is not None and before is not None and after is not None:
            out["before"] = float(before[EMOTIONS.index(emotion)])
            out["after"] = float(after[EMOTIONS.index(emotion)])
        for key, p in (("probabilities_before", before), ("probabilities_after", after)):
            out[key] = None if p is None else dict(zip(EMOTIONS, map(float, p), strict=True))
        if reference is not None and self._features:
            out["reference_likeness_before"] = _cosine(sum(self._features_before), reference)
            out["reference_likeness_after"] = _cosine(sum(self._features), reference)
        return out


def lip_distance(before: np.ndarray, after: np.ndarray) -> float:
    """Mean distance of the lip landmarks, in percent of the eye distance, once the two faces lie on each other by
    a similarity of eye corners and nose (so that a move of the whole head does not count)."""
    a, b = after[list(mesh.ALIGNMENT_LANDMARKS), :2], before[list(mesh.ALIGNMENT_LANDMARKS), :2]
    za, zb = (a - a.mean(0)) @ (1, 1j), (b - b.mean(0)) @ (1, 1j)
    turn = np.vdot(za, zb) / np.vdot(za, za)
    lips = ((after[list(mesh.LIPS), :2] - a.mean(0)) @ (1, 1j)) * turn
    there = (before[list(mesh.LIPS), :2] - b.mean(0)) @ (1, 1j)
    return float(100 * np.abs(lips - there).mean() / mesh.eye_distance(before))


def _pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    if len(a) < 3 or a.std() < 1e-9 or b.std() < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _cosine(a: Any, b: Any) -> float:
    return float(np.dot(a, b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))

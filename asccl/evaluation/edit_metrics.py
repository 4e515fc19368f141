"""Metrics of an edit: how well it keeps the words and the person, and how clearly it shows the emotion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asccl.face import mesh
from asccl.face.crop import arcface_crop, expression_crop
from asccl.types import EMOTIONS, Image, LazyImage

MAX_CLOSED_LIP_GAP = 0.03  # lip opening over eye distance below which lips count as closed
MIN_CLOSED_FRAMES = 3  # frames with closed lips from which on their preservation is reported
MIN_EYE_DISTANCE = 1.0  # pixels; landmarks whose eyes are closer together are not those of a face
MIN_DEVIATION = 1e-9  # of a curve below which its correlation is undefined
MAX_CURVE_POINTS = 1000
BATCH_SIZE = 2  # frames; larger batches are hardly faster, and an edit waits for the last one


class EditMetrics:
    """Running metrics of an edit. Memory does not grow with its length, except for three numbers per frame.

    Args:
        embed: crops (N, 112, 112, 3) uint8 RGB -> identity embeddings (N, D), unit vectors.
        classify: crops (N, 112, 112, 3) uint8 RGB -> emotion probabilities (N, 7) and expression features (N, 256).
        stride: the networks process every `stride`-th edited frame.
    """

    def __init__(
        self,
        embed: Callable[[np.ndarray], np.ndarray],
        classify: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
        stride: int = 1,
    ):
        self._embed, self._classify, self._stride = embed, classify, stride
        self._times: list[float] = []
        self._lip_gaps: list[tuple[float, float]] = []
        self._lip_distances: list[float] = []
        self._crops: list[tuple[Image, Image, Image, Image]] = []
        self._similarities: list[np.ndarray] = []
        self._source_probabilities: list[np.ndarray] = []
        self._edited_probabilities: list[np.ndarray] = []
        self._source_features: list[np.ndarray] = []
        self._edited_features: list[np.ndarray] = []

    def add(
        self,
        time: float,
        source: LazyImage,
        edited: LazyImage,
        source_landmarks: np.ndarray,
        edited_landmarks: np.ndarray | None,
    ) -> None:
        """Add an edited frame. A frame whose landmarks are not those of a face does not count.

        Args:
            time: seconds.
            source: the source frame.
            edited: the edited frame.
            source_landmarks: detected in the source frame, (478, 3) pixels.
            edited_landmarks: detected in the edited frame, (478, 3) pixels; None if no face was detected.
        """
        if edited_landmarks is None or not (_is_face(source_landmarks) and _is_face(edited_landmarks)):
            return
        if len(self._times) % self._stride == 0:
            crops = (
                arcface_crop(source, source_landmarks),
                arcface_crop(edited, edited_landmarks),
                expression_crop(source, source_landmarks),
                expression_crop(edited, edited_landmarks),
            )
            self._crops.append(crops)
            if len(self._crops) == BATCH_SIZE:
                self._flush_batch()
        self._times.append(time)
        self._lip_gaps.append((float(mesh.lip_gap(source_landmarks)), float(mesh.lip_gap(edited_landmarks))))
        self._lip_distances.append(lip_distance(source_landmarks, edited_landmarks))

    def _flush_batch(self) -> None:
        """Run the networks on the collected crops."""
        if not self._crops:
            return
        source_faces, edited_faces, source_crops, edited_crops = (np.stack(x) for x in zip(*self._crops, strict=True))
        self._crops.clear()
        self._similarities.append((self._embed(source_faces) * self._embed(edited_faces)).sum(1))
        source_probabilities, source_features = self._classify(source_crops)
        edited_probabilities, edited_features = self._classify(edited_crops)
        self._source_probabilities.append(source_probabilities)
        self._edited_probabilities.append(edited_probabilities)
        self._source_features.append(source_features.sum(0))
        self._edited_features.append(edited_features.sum(0))

    def report(self, emotion: str | None, reference_features: np.ndarray | None = None) -> dict[str, Any]:
        """Return the metrics as JSON data; a value that could not be measured is None.

        Args:
            emotion: target emotion, if there is one.
            reference_features: expression features of the reference, (256,), if there is one.

        Returns:
            The parts "speech", "identity", "emotion" and "curves" of a report.
        """
        self._flush_batch()
        similarities = np.concatenate(self._similarities).tolist() if self._similarities else []
        return {
            "speech": self._speech_report(),
            "identity": {"similarity": _mean(similarities)},
            "emotion": self._emotion_report(emotion, reference_features),
            "curves": self._curves_report(),
        }

    def _speech_report(self) -> dict[str, Any]:
        gaps = np.array(self._lip_gaps).reshape(-1, 2)
        source_closed, edited_closed = (gaps < MAX_CLOSED_LIP_GAP).T
        kept = edited_closed[source_closed].tolist()
        return {
            "lip_gap_correlation": _pearson(gaps[:, 0], gaps[:, 1]),
            "lip_distance_percent": _mean(self._lip_distances),
            "closures_kept": _mean(kept) if len(kept) >= MIN_CLOSED_FRAMES else None,
            "closed_frames": len(kept),
        }

    def _curves_report(self) -> dict[str, list[float]]:
        count = len(self._times)
        frames = np.unique(np.linspace(0, count - 1, MAX_CURVE_POINTS).round().astype(int)) if count else []
        return {
            "time": [round(self._times[i], 4) for i in frames],
            "lip_gap_source": [round(self._lip_gaps[i][0], 5) for i in frames],
            "lip_gap_edited": [round(self._lip_gaps[i][1], 5) for i in frames],
        }

    def _emotion_report(self, emotion: str | None, reference_features: np.ndarray | None) -> dict[str, Any]:
        report: dict[str, Any] = {"target": emotion, "before": None, "after": None}
        for name, batches in (("before", self._source_probabilities), ("after", self._edited_probabilities)):
            mean = np.concatenate(batches).mean(0).tolist() if batches else None
            probabilities = None if mean is None else dict(zip(EMOTIONS, mean, strict=True))
            report[f"probabilities_{name}"] = probabilities
            if emotion is not None and probabilities is not None:
                report[name] = probabilities[emotion]
        if reference_features is not None and self._edited_features:
            report["reference_likeness_before"] = _cosine(sum(self._source_features), reference_features)
            report["reference_likeness_after"] = _cosine(sum(self._edited_features), reference_features)
        return report


def lip_distance(source: np.ndarray, edited: np.ndarray) -> float:
    """Measure how far an edit moves the lips, independently of head movement.

    The edited face is first aligned with the source by a similarity transform of eye corners and nose.

    Args:
        source: landmarks, (468 or more, 2 or more) pixels.
        edited: landmarks of the same shape.

    Returns:
        Mean distance of the lip landmarks in percent of the eye distance; NaN for landmarks that do not form a face.
    """
    if not (_is_face(source) and _is_face(edited)):
        return float("nan")
    anchors, lips = list(mesh.ALIGNMENT_LANDMARKS), list(mesh.LIPS)
    source_centre, edited_centre = source[anchors, :2].mean(0), edited[anchors, :2].mean(0)
    # x + iy: a similarity transform about the centres is a multiplication by a complex number
    source_anchors, edited_anchors = (
        (points[anchors, :2] - centre) @ (1, 1j)
        for points, centre in ((source, source_centre), (edited, edited_centre))
    )
    rotation = np.vdot(edited_anchors, source_anchors) / np.vdot(edited_anchors, edited_anchors)
    edited_lips = ((edited[lips, :2] - edited_centre) @ (1, 1j)) * rotation
    source_lips = (source[lips, :2] - source_centre) @ (1, 1j)
    return float(100 * np.abs(edited_lips - source_lips).mean() / mesh.eye_distance(source))


def _is_face(landmarks: np.ndarray) -> bool:
    """Return whether the eyes lie apart; False for landmarks that are NaN."""
    return bool(mesh.eye_distance(landmarks) >= MIN_EYE_DISTANCE)


def _pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    if len(a) < 3 or a.std() < MIN_DEVIATION or b.std() < MIN_DEVIATION:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _cosine(a: Any, b: Any) -> float:
    return float(np.dot(a, b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))

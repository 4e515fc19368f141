"""Metrics of edits whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asccl.evaluation.edit_metrics import lip_distance
from asccl.evaluation.frechet import fit_gaussian, frechet_distance
from asccl.evaluation.truth_metrics import expression_similarity, lip_correlation
from asccl.face import mesh
from asccl.face.crop import arcface_crop, expression_crop
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.anny_head import AnnyHead
from asccl.synthetic.speech import lip_opening
from asccl.zoo import load_embedder, load_expression_net

# standard deviation of the true lip opening below which its correlation is undefined
MIN_LIP_MOVEMENT_CM = 0.02
MIN_DETECTED_LIP_MOVEMENT = 0.01  # eye distances


@dataclass(frozen=True)
class FrameFeatures:
    """Features of N images.

    Attributes:
        identity: (N, 192) unit vectors.
        expression: (N, 256).
        landmarks: (N, 468, 2) pixels, as FaceMesh detects them; NaN where it detects no face.
    """

    identity: np.ndarray
    expression: np.ndarray
    landmarks: np.ndarray


class FeatureExtractor:
    """The bundled networks and FaceMesh, for images whose true landmarks are known. Call `close()`."""

    def __init__(self) -> None:
        self._face_mesh = FaceMesh()
        self._embed, self._predict_expression = load_embedder().embed, load_expression_net().predict

    def close(self) -> None:
        """Release FaceMesh."""
        self._face_mesh.close()

    def extract(self, images: np.ndarray, landmarks: np.ndarray) -> FrameFeatures:
        """Extract features of images (N, S, S, 3) uint8 RGB, cropped by true landmarks (N, 468, 2)."""
        window = Window.around(landmarks.mean(0))
        missing = np.full((mesh.NUM_FACE_LANDMARKS, 2), np.nan)
        detections = (self._face_mesh.detect(image, window)[0] for image in images)
        detected = [missing if points is None else points[: mesh.NUM_FACE_LANDMARKS, :2] for points in detections]
        face_crops = np.stack([arcface_crop(x, p) for x, p in zip(images, landmarks, strict=True)])
        expression_crops = np.stack([expression_crop(x, p) for x, p in zip(images, landmarks, strict=True)])
        return FrameFeatures(self._embed(face_crops), self._predict_expression(expression_crops)[1], np.stack(detected))


def coefficient_metrics(
    generated: Sequence[np.ndarray], truth: Sequence[np.ndarray], head: AnnyHead
) -> dict[str, float]:
    """Measure the manipulator alone, in three dimensions.

    Args:
        generated: (T, 52) coefficients of each case.
        truth: (T, 52) coefficients of each case.
        head: the head model.

    Returns:
        "mouth_3dmm", correlation of the lip opening with the true one; "lips_3dmm", mean distance of the lip landmarks
        in percent of the eye distance; "error", mean absolute error of the coefficients.
    """
    scale = 100 / mesh.eye_distance(head.neutral)
    lips = head.expression[:, list(mesh.LIPS), :2]
    rows = [
        (
            lip_correlation(lip_opening(a, head), lip_opening(b, head), MIN_LIP_MOVEMENT_CM),
            scale * np.linalg.norm(np.tensordot(a - b, lips, 1), axis=-1).mean(),
            np.abs(a - b).mean(),
        )
        for a, b in zip(generated, truth, strict=True)
    ]
    return dict(zip(("mouth_3dmm", "lips_3dmm", "error"), map(float, np.nanmean(rows, 0)), strict=True))


def image_metrics(
    generated: Sequence[FrameFeatures],
    truth: Sequence[FrameFeatures],
    references: Sequence[FrameFeatures],
    emotions: Sequence[int],
) -> dict[str, float]:
    """Measure whole edits by their images.

    Args:
        generated: features of the edit of each case.
        truth: features of the true images of each case.
        references: features of the reference of each case.
        emotions: target emotion of each case.

    Returns:
        "fad", Frechet distance of identity features over all cases of an emotion, then the mean over emotions; "csim",
        similarity of expression features to those of the reference; "mouth" and "lips" as in `coefficient_metrics`,
        both from detected landmarks.
    """
    distances = []
    for emotion in sorted(set(emotions)):
        cases = [k for k, e in enumerate(emotions) if e == emotion]
        a, b = (np.concatenate([side[k].identity for k in cases]) for side in (generated, truth))
        distances.append(frechet_distance(fit_gaussian(a), fit_gaussian(b)))
    lip_distances, correlations, similarities = [], [], []
    for a, b, reference in zip(generated, truth, references, strict=True):
        frames = zip(a.landmarks, b.landmarks, strict=True)
        lip_distances.append(np.nanmean([lip_distance(true, detected) for detected, true in frames]))
        gaps = mesh.lip_gap(a.landmarks), mesh.lip_gap(b.landmarks)
        correlations.append(lip_correlation(*gaps, MIN_DETECTED_LIP_MOVEMENT))
        similarities.append(expression_similarity(a.expression, reference.expression))
    return {
        "fad": float(np.mean(distances)),
        "csim": float(np.mean(similarities)),
        "mouth": float(np.nanmean(correlations)),
        "lips": float(np.mean(lip_distances)),
    }

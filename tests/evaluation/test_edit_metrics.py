"""The metrics of an edit, where landmarks are not those of a face."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from media import astronaut

from asccl.evaluation.edit_metrics import EditMetrics
from asccl.face.landmarker import FaceLandmarker


@pytest.fixture(scope="module")
def report() -> dict:
    """Of one frame with a face and four frames whose landmarks are a point or missing."""
    image, landmarker = astronaut(), FaceLandmarker()
    face = landmarker.detect(image)
    landmarker.close()
    assert face is not None
    metrics = EditMetrics(
        lambda crops: np.ones((len(crops), 1)), lambda crops: (np.full((len(crops), 7), 1 / 7), crops[:, 0, 0])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.add(0.0, image, image, face, face)
        for invalid in (np.full_like(face, 50.0), np.full_like(face, np.nan)):
            metrics.add(0.1, image, image, face, invalid)
            metrics.add(0.2, image, image, invalid, face)
        return metrics.report("happy")


def test_a_face_that_collapsed_into_a_point_is_not_measured(report):
    assert report["curves"]["time"] == [0.0]


def test_an_unchanged_face_moves_no_lips(report):
    assert report["speech"]["lip_distance_percent"] < 1e-3


def test_the_report_is_json_without_nan(report):
    json.dumps(report, allow_nan=False)

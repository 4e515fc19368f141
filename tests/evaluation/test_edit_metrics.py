"""What an edit reports about itself, where landmarks are not what they should be."""

from __future__ import annotations

import json
import warnings

import numpy as np
from media import astronaut

from asccl.evaluation.edit_metrics import EditMetrics
from asccl.face.landmarker import FaceLandmarker


def test_a_face_that_fell_into_a_point_is_not_measured() -> None:
    image, eyes = astronaut(), FaceLandmarker()
    face = eyes.detect(image)
    eyes.close()
    assert face is not None
    readout = EditMetrics(
        lambda crops: np.ones((len(crops), 1)), lambda crops: (np.full((len(crops), 7), 1 / 7), crops[:, 0, 0])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        readout.add(0.0, image, image, face, face)
        for wrong in (np.full_like(face, 50.0), np.full_like(face, np.nan)):
            readout.add(0.1, image, image, face, wrong)
            readout.add(0.2, image, image, wrong, face)
        told = readout.report("happy")
    assert len(told["curves"]["time"]) == 1 and told["speech"]["lip_distance_percent"] < 1e-3
    json.dumps(told, allow_nan=False)

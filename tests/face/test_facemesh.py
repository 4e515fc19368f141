"""Landmarks are read from the bytes of a message; windows are cut out of images that are not converted to RGB yet."""

from __future__ import annotations

import math

import av
import numpy as np
import pytest
from media import astronaut
from mediapipe.python import packet_getter

from asccl.face.crop import arcface_crop
from asccl.face.detect import Detector
from asccl.face.facemesh import FaceMesh, Window, cut_window
from asccl.face.mesh import ARCFACE_TEMPLATE, EYE_CORNERS, NOSE_TIP, OUTER_LIP_CORNERS
from asccl.types import as_image
from asccl.video.colour import view_planes
from asccl.video.lazy_image import DecodedImage

WINDOWS = [
    Window(100, 80, 60),
    Window(100, 80, 150, 0.4),
    Window(5, 5, 90, -1.0),
    Window(150, 100, 700, 0.2),
    Window(-500, 40, 100),
    Window(310, 239, 3, math.pi),
]
ARCFACE_LANDMARKS = (EYE_CORNERS[:2], EYE_CORNERS[2:], NOSE_TIP, *OUTER_LIP_CORNERS)  # in the order of the template


def decoded() -> DecodedImage:
    frame, rng = av.VideoFrame(320, 240, "yuv420p"), np.random.default_rng(0)
    for plane in view_planes(frame):
        plane[:] = rng.integers(16, 240, plane.shape)
    return DecodedImage(frame, 1)


def test_landmarks_are_those_of_the_message():
    image, detector, mesh = astronaut(), Detector(), FaceMesh()
    points, score = mesh._run(cut_window(image, next(detector.levels(image))[0])[0])
    message = packet_getter.get_proto(mesh._packets["landmarks"])
    mesh.close()
    detector.close()
    np.testing.assert_array_equal(points, np.float32([(p.x, p.y, p.z) for p in message.landmark]))
    assert points.shape == (478, 3)
    assert 0 <= score <= 1


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_window_of_a_decoded_image_equals_one_of_the_array(window):
    np.testing.assert_array_equal(cut_window(decoded(), window)[0], cut_window(as_image(decoded()), window)[0])


@pytest.mark.parametrize("scale", [0.6, 1.4, 2.6])
def test_a_crop_of_a_decoded_image_equals_one_of_the_array(scale):
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, :2] = scale * ARCFACE_TEMPLATE.mean(0) + 40
    for index, point in zip(ARCFACE_LANDMARKS, ARCFACE_TEMPLATE, strict=True):
        landmarks[index, :2] = scale * point + 40
    np.testing.assert_array_equal(arcface_crop(decoded(), landmarks), arcface_crop(as_image(decoded()), landmarks))

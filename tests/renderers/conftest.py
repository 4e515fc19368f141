"""A face for the tests of the warp renderer: the astronaut of scikit-image (NASA, public domain)."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.types import Track


@pytest.fixture(scope="session")
def head():
    return load_anny_head()


@pytest.fixture(scope="session")
def face(head):
    """(image (320, 320, 3), landmarks (478, 3), motion of one frame)."""
    data = pytest.importorskip("skimage.data")
    image = np.ascontiguousarray(data.astronaut()[:320, 60:380])
    mesh, window = FaceMesh(), Window(162.0, 112.0, 150.0)
    for _ in range(3):
        landmarks, score, _ = mesh.detect(image, window)
        assert landmarks is not None
        assert score > 0.5
        window = Window.around(landmarks)
    mesh.close()
    fitter = Fitter(head)
    track = Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    motion = fitter.fit_motion(track, lambda a, b: landmarks[None][a:b], fitter.fit_identity(landmarks[None]))
    return image, landmarks, motion

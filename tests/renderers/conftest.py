"""A real face that we may use: the astronaut of scikit-image (NASA, public domain)."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.types import Track

HEAD = load_anny_head()


@pytest.fixture(scope="session")
def head():
    return HEAD


@pytest.fixture(scope="session")
def face():
    """(image (320, 320, 3), landmarks (478, 3), motion of one frame)."""
    data = pytest.importorskip("skimage.data")
    image = np.ascontiguousarray(data.astronaut()[:320, 60:380])
    mesh, window = FaceMesh(), Window(162.0, 112.0, 150.0)
    for _ in range(3):
        landmarks, score, _ = mesh.look(image, window)
        assert landmarks is not None and score > 0.5
        window = Window.around(landmarks)
    mesh.close()
    fitter = Fitter(HEAD)
    track = Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    motion = fitter.motion(track, lambda a, b: landmarks[None][a:b], fitter.identity(landmarks[None]))
    return image, landmarks, motion

"""Fixtures of the analysis."""

from __future__ import annotations

import numpy as np
import pytest
from media import astronaut

from asccl.face.tracker import FaceMeshTracker


@pytest.fixture(scope="package")
def face() -> np.ndarray:
    """Landmarks (478, 3) of the test image."""
    with FaceMeshTracker() as tracker:
        landmarks = tracker.track(astronaut()).landmarks
    assert landmarks is not None
    return landmarks

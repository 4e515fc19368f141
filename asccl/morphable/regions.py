"""Anatomical regions of the bundled head: their numbers, their soft borders, and where brows and irises lie."""

from __future__ import annotations

import numpy as np

# values of `AnnyHead.region`, in the order of `AnnyHead.regions` (see checkpoints/README.md)
SKIN, LIPS, EYELIDS, EARS, NECK, MOUTH_CAVITY, EYE_RIGHT, EYE_LEFT, TEETH_UPPER, TEETH_LOWER, TONGUE, LASHES = range(12)
REGION_COUNT = 12
# axis of the left brow on the neutral head, cm: x outward, y down, half of the brow's thickness
BROW_AXIS = np.array(
    [
        [1.05, -4.95, 0.10],
        [1.50, -5.10, 0.30],
        [2.20, -5.37, 0.36],
        [3.30, -5.55, 0.33],
        [4.40, -5.30, 0.22],
        [5.20, -4.80, 0.08],
    ]
)
EYE_CENTRE = (3.13, -3.42)  # x and y of the left eye, cm
IRIS_RADIUS = 0.60  # cm
PUPIL_RADIUS = 0.22  # cm


def region_weights(region: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Compute how far each vertex belongs to each region.

    The border between lips and skin is softened over two rings of vertices, because the baked one is ragged.

    Args:
        region: region of each vertex, (V,) int.
        triangles: (F, 3) int.

    Returns:
        (V, 12) float64 in [0, 1].
    """
    weights = np.eye(REGION_COUNT)[region]
    corner_count = np.bincount(triangles.ravel(), minlength=len(region))
    softened = np.isin(region, (SKIN, LIPS))
    for _ in range(2):
        total = np.zeros(len(region))
        for a, b in ((0, 1), (1, 2), (2, 0)):
            total += np.bincount(triangles[:, a], weights[triangles[:, b], LIPS], len(region))
        mean = total / np.maximum(corner_count, 1)
        weights[softened, LIPS] = (weights[:, LIPS] + mean)[softened] / 2
    return weights

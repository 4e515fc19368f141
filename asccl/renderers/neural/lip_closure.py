"""Closed lips of the head's mesh stay closed, whatever the emotion: the lips part as far as the director allows."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.warp.lips import MIN_SCALED_LIP_GAP

EYE_DISTANCE_CM = 9.0  # between the outer corners of the eyes
LIP_FALLOFF = 0.9  # cm, Gaussian: how far a lip correction reaches from the edge of the lip


class LipClosureConstraint:
    """The correction of a mesh after an edit, as `warp.displacement` corrects landmarks. Build once."""

    def __init__(self, surface: FaceSurface):
        head = surface.head
        surface_index = np.full(len(head.vertices), -1)
        surface_index[surface.vertex_index] = np.arange(len(surface.vertex_index))
        rows = np.array([mesh.UPPER_INNER_LIP, mesh.LOWER_INNER_LIP])
        self._corners = surface_index[head.triangles[head.landmark_triangle[rows]]]  # (2, 9, 3)
        self._barycentric = head.landmark_barycentric[rows]
        jaw = head.vertex_expression[head.index["jawOpen"]][surface.vertex_index, 1]
        lower = jaw > 0.5 * head.expression[head.index["jawOpen"], mesh.LOWER_INNER_LIP[4], 1]
        outside = ~np.isin(head.region[surface.vertex_index], surface.mouth_regions)
        lips = zip(self.inner_lips(surface.rest), (~lower, lower), strict=True)
        self._weights = np.stack([_lip_weights(surface.rest, lip, side & outside) for lip, side in lips])

    def __call__(
        self, source_vertices: np.ndarray, edited_vertices: np.ndarray, gain: float, lip_gap_cm: np.ndarray
    ) -> np.ndarray:
        """Compute the correction of an edited mesh.

        Args:
            source_vertices: (V, 3) cm.
            edited_vertices: (V, 3) cm.
            gain: lip opening of the edit over that of the source.
            lip_gap_cm: of the source's landmarks, from `lip_gap_cm`, (9,) cm.

        Returns:
            (V, 3) cm to add to the edited vertices.
        """
        source_gap, edited_gap = (
            np.subtract(*self.inner_lips(vertices)[::-1])[:, 1] for vertices in (source_vertices, edited_vertices)
        )
        excess = 0.5 * (edited_gap - source_gap - (gain - 1) * lip_gap_cm)
        out = np.zeros_like(edited_vertices)
        out[:, 1] = (self._weights[0] - self._weights[1]) @ excess
        return out

    def inner_lips(self, vertices: np.ndarray) -> np.ndarray:
        """Locate the inner lips, upper and lower, on a mesh (V, 3): (2, 9, 3)."""
        return np.einsum("rnk,rnkc->rnc", self._barycentric, vertices[self._corners])


def lip_gap_cm(landmarks: np.ndarray, scale: float, rotation: np.ndarray) -> np.ndarray:
    """Measure the gap of the lips beyond that of closed lips; landmarks measure it better than the mesh.

    Args:
        landmarks: (478, 3) pixels.
        scale: pixels per cm.
        rotation: of the head, (3, 3).

    Returns:
        (9,) cm along the mouth.
    """
    down = rotation[:2, 1] / max(float(rotation[:2, 1] @ rotation[:2, 1]), 0.1)
    gap = landmarks[list(mesh.LOWER_INNER_LIP), :2] - landmarks[list(mesh.UPPER_INNER_LIP), :2]
    return np.clip(gap @ down / scale - MIN_SCALED_LIP_GAP * EYE_DISTANCE_CM, 0, None)


def _lip_weights(rest: np.ndarray, lip: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(V, 9) weights that spread a correction at nine points (9, 3) over the vertices of one side (V,) bool."""
    distance = np.linalg.norm(rest[:, None] - lip[None], axis=-1)
    weights = np.exp(-((distance / LIP_FALLOFF) ** 2)) * side[:, None]
    falloff = np.exp(-((distance.min(1) / LIP_FALLOFF) ** 2))  # 1 at the edge of the lip
    return (weights / np.maximum(weights.sum(1, keepdims=True), 1e-9) * falloff[:, None]).astype(np.float32)

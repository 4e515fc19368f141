"""Lips of the head's mesh part as far as the director says: closed ones stay closed, whatever the emotion does."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.renderers.neural.conditions import FaceSurface
from asccl.renderers.warp.displacement import CLOSED_LIP_GAP, LIP_FALLOFF

EYE_DISTANCE_CM = 9.0  # cm between the outer corners of the eyes


class LipClosureConstraint:
    """The correction of a mesh after an edit; what `geometry.Displacement` does for landmarks. Build once."""

    def __init__(self, surface: FaceSurface):
        head = surface.head
        place = np.full(len(head.vertices), -1)
        place[surface.vertex_index] = np.arange(len(surface.vertex_index))
        rows = np.array([mesh.UPPER_INNER_LIP, mesh.LOWER_INNER_LIP])
        self._corners = place[head.triangles[head.landmark_triangle[rows]]]  # (2, 9, 3)
        self._share = head.landmark_barycentric[rows]
        jaw = head.vertex_expression[head.index["jawOpen"]][surface.vertex_index, 1]
        lower = jaw > 0.5 * head.expression[head.index["jawOpen"], mesh.LOWER_INNER_LIP[4], 1]
        outside = ~np.isin(head.region[surface.vertex_index], surface.mouth_regions)
        middle = self._rows(surface.rest)
        self._carry = np.stack(
            [_carry(surface.rest, row, side & outside) for row, side in zip(middle, (~lower, lower), strict=True)]
        )

    def __call__(self, before: np.ndarray, after: np.ndarray, gain: float, lip_gap_cm: np.ndarray) -> np.ndarray:
        """Vertices (V, 3) of the source and of the edit, and from `lip_gap_cm` -> (V, 3) cm to add to those of the edit."""
        gap, moved = (np.subtract(*self._rows(vertices)[::-1])[:, 1] for vertices in (before, after))
        excess = 0.5 * (moved - gap - (gain - 1) * lip_gap_cm)
        out = np.zeros_like(after)
        out[:, 1] = (self._carry[0] - self._carry[1]) @ excess
        return out

    def _rows(self, vertices: np.ndarray) -> np.ndarray:
        """(2, 9, 3) the inner lips, upper and lower."""
        return np.einsum("rnk,rnkc->rnc", self._share, vertices[self._corners])


def lip_gap_cm(landmarks: np.ndarray, scale: float, rotation: np.ndarray) -> np.ndarray:
    """(9,) cm that the lips of a frame are apart, beyond what counts as closed; the landmarks (478, 3) pixels know it
    better than the mesh. scale: pixels per cm. rotation: (3, 3)."""
    down = rotation[:2, 1] / max(float(rotation[:2, 1] @ rotation[:2, 1]), 0.1)
    gap = landmarks[list(mesh.LOWER_INNER_LIP), :2] - landmarks[list(mesh.UPPER_INNER_LIP), :2]
    return np.clip(gap @ down / scale - CLOSED_LIP_GAP * EYE_DISTANCE_CM, 0, None)


def _carry(rest: np.ndarray, row: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(V, 9) shares of a correction at nine points that each vertex of a side (V,) takes."""
    distance = np.linalg.norm(rest[:, None] - row[None], axis=-1)
    weights = np.exp(-((distance / LIP_FALLOFF) ** 2)) * side[:, None]
    near = np.exp(-((distance.min(1) / LIP_FALLOFF) ** 2))  # at the lips' edge all of it, further away less
    return (weights / np.maximum(weights.sum(1, keepdims=True), 1e-9) * near[:, None]).astype(np.float32)

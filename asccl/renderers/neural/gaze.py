"""Estimate the gaze of a tracked face from FaceMesh's irises: the fit of the head model cannot observe it."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.neural.face_surface import EYEBALL_REGIONS, FaceSurface, iris_vertices
from asccl.renderers.neural.head_crop import HeadView

SIDES = ("Right", "Left")  # the person's own, in the order of EYEBALL_REGIONS
DIRECTIONS = ("In", "Out", "Up", "Down")
UNIT_PRIOR = 0.02  # weight of the squared units, over the trace of the normal equations
# height of an eye over its width: the iris is hidden below the first, fully visible above the second
CLOSED_EYE_ASPECT, OPEN_EYE_ASPECT = 0.12, 0.22


class GazeEstimator:
    """Gaze units from landmarks. Build once for a surface."""

    def __init__(self, surface: FaceSurface):
        head, region = surface.head, surface.head.region[surface.vertex_index]
        self._irises = [iris_vertices(region == head.regions.index(name), surface.rest) for name in EYEBALL_REGIONS]
        self._unit_indices = [_gaze_units(head, side) for side in SIDES]
        self._units = surface.units.reshape(len(head.names), -1, 3)
        # (4, 3) cm that each unit moves an iris
        self._iris_displacements = [
            self._units[unit][:, iris].mean(1) for unit, iris in zip(self._unit_indices, self._irises, strict=True)
        ]

    def __call__(self, rest: np.ndarray, coefficients: np.ndarray, view: HeadView, landmarks: np.ndarray) -> np.ndarray:
        """Add the gaze of the landmarks to an expression.

        Args:
            rest: surface of the person at rest, (V, 3) cm.
            coefficients: (52,).
            view: the camera.
            landmarks: (478, 3) pixels.

        Returns:
            Coefficients with gaze units, (52,) float32; the units of a closed eye are 0.
        """
        out = coefficients.astype(np.float32)
        parts = zip(self._irises, self._unit_indices, self._iris_displacements, mesh.EYES_AND_IRISES, strict=True)
        for vertices, unit_index, iris_displacements, (lids, iris) in parts:
            out[unit_index] = 0
            ahead = (rest[vertices] + np.tensordot(out, self._units[:, vertices], 1)).mean(0)
            ahead_pixels = view.project(ahead)[0]
            unit_pixels = view.project(ahead + iris_displacements)[0] - ahead_pixels  # (4, 2): in, out, up, down
            offset = landmarks[iris[0], :2] - ahead_pixels
            out[unit_index] = _solve_units(unit_pixels, offset) * _eye_openness(landmarks[list(lids), :2])
        return out


def _gaze_units(head: HeadModel, side: str) -> list[int]:
    return [head.index[f"eyeLook{direction}{side}"] for direction in DIRECTIONS]


def _solve_units(unit_pixels: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The units (4,) in [0, 1] that move the iris by an offset (2,), of each two opposite units at most one.

    unit_pixels: (4, 2) offset of each unit. Ridge regression for each of the four pairs, of which the best is taken.
    """
    best, best_error = np.zeros(4), np.inf
    for horizontal in (0, 1):
        for vertical in (2, 3):
            a = unit_pixels[[horizontal, vertical]].T
            normal = a.T @ a
            prior = UNIT_PRIOR * np.trace(normal) * np.eye(2)
            values = np.clip(np.linalg.solve(normal + prior, a.T @ offset), 0, 1)
            error = float(((a @ values - offset) ** 2).sum())
            if error < best_error:
                best, best_error = np.zeros(4), error
                best[[horizontal, vertical]] = values
    return best


def _eye_openness(lids: np.ndarray) -> float:
    """The loop of the lids (16, 2) -> 0 for a closed to 1 for an open eye."""
    width = np.linalg.norm(lids[8] - lids[0])
    height = np.linalg.norm(lids[9:16] - lids[7:0:-1], axis=1).max()
    return float(np.clip((height / max(width, 1e-6) - CLOSED_EYE_ASPECT) / (OPEN_EYE_ASPECT - CLOSED_EYE_ASPECT), 0, 1))

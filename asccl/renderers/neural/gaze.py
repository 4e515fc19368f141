"""Where a tracked face looks: the units of gaze, which the fit cannot see, from FaceMesh's irises."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.neural.conditions import EYEBALL_REGIONS, FaceSurface, iris_vertices
from asccl.renderers.neural.head_crop import HeadView

SIDES = ("Right", "Left")  # the person's own, as BALLS
PULL = 0.02  # of the units towards 0, beside their reach squared
SHUT, OPEN = 0.12, 0.22  # height of an eye over its width: below, the iris is not to be seen; above, it is


class GazeEstimator:
    """Reads the gaze off landmarks; build once for a surface."""

    def __init__(self, surface: FaceSurface):
        head, region = surface.head, surface.head.region[surface.vertex_index]
        self._iris = [iris_vertices(region == head.regions.index(name), surface.rest) for name in EYEBALL_REGIONS]
        self._units = [_units(head, side) for side in SIDES]
        self._shapes = surface.units.reshape(len(head.names), -1, 3)
        self._moves = [self._shapes[u][:, i].mean(1) for u, i in zip(self._units, self._iris, strict=True)]  # (4, 3) cm

    def __call__(self, rest: np.ndarray, coefficients: np.ndarray, view: HeadView, landmarks: np.ndarray) -> np.ndarray:
        """A person at rest (V, 3), coefficients (52,), landmarks (478, 3) pixels -> (52,) with the gaze they show, none
        where an eye is shut."""
        out = coefficients.astype(np.float32)
        eyes = ((mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS))
        for iris, units, moves, (lids, ring) in zip(self._iris, self._units, self._moves, eyes, strict=True):
            out[units] = 0
            base = (rest[iris] + np.tensordot(out, self._shapes[:, iris], 1)).mean(0)
            here = view.project(base)[0]
            reach = view.project(base + moves)[0] - here  # (4, 2) pixels: in, out, up, down
            wanted = landmarks[ring[0], :2] - here
            out[units] = _solve(reach, wanted) * _openness(landmarks[list(lids), :2])
        return out


def _units(head: HeadModel, side: str) -> list[int]:
    return [head.index[f"eyeLook{way}{side}"] for way in ("In", "Out", "Up", "Down")]


def _solve(reach: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(4,) in [0, 1]: of each two opposite units at most one."""
    best, least = np.zeros(4), np.inf
    for across in (0, 1):
        for along in (2, 3):
            a = reach[[across, along]].T
            normal = a.T @ a
            found = np.clip(np.linalg.solve(normal + PULL * np.trace(normal) * np.eye(2), a.T @ wanted), 0, 1)
            error = float(((a @ found - wanted) ** 2).sum())
            if error < least:
                best, least = np.zeros(4), error
                best[[across, along]] = found
    return best


def _openness(lids: np.ndarray) -> float:
    """The lids' loop (16, 2) -> 0 shut to 1 open."""
    width = np.linalg.norm(lids[8] - lids[0])
    height = np.linalg.norm(lids[9:16] - lids[7:0:-1], axis=1).max()
    return float(np.clip((height / max(width, 1e-6) - SHUT) / (OPEN - SHUT), 0, 1))

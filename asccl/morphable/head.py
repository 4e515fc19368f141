"""What the rest of the package needs of a 3D morphable head: FaceMesh's 468 points, who, and what they express."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class HeadModel:
    """landmarks = neutral + identity . k + expression . coefficients, in cm.

    Axes: x right in the image, y down, z away from the camera; the origin lies inside the face, near the nose.

    names: the 52 ARKit units, in the order of `expression`. "Left" and "Right" are the person's own.
    neutral: (468, 3) float32, where FaceMesh puts its points on an average neutral face; closed lips have no gap.
    identity: (K, 468, 3) float32, how people differ; each coefficient has a standard deviation of 1, mean 0.
    expression: (52, 468, 3) float32; coefficient 0 at rest, 1 at full.
    mesh: (n, 3) int32 triangles over the points, normals (b - a) x (c - a) towards the camera's side (z < 0);
        the interiors of eyes and mouth are open.
    mirror: (468,) int32, the point on the other side of the face (itself on the midline).
    """

    names: tuple[str, ...]
    neutral: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    mesh: np.ndarray
    mirror: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """Name of a unit -> its place in `expression`."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def mirror_units(self) -> np.ndarray:
        """(52,) the unit that does the same on the other side of the face."""
        swap = {"Left": "Right", "Right": "Left"}
        return np.array([self.index[_swapped(name, swap)] for name in self.names])

    def landmarks(self, coefficients: np.ndarray, identity: np.ndarray | None = None) -> np.ndarray:
        """(..., 52) and (K,) -> (..., 468, 3) cm."""
        rest = self.neutral if identity is None else self.neutral + np.tensordot(identity, self.identity, 1)
        return rest + np.tensordot(coefficients, self.expression, 1)


def _swapped(name: str, swap: dict[str, str]) -> str:
    for side, other in swap.items():
        if name.endswith(side):
            return name[: -len(side)] + other
    return name

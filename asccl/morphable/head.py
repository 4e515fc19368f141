"""The linear 3D head model of FaceMesh's 468 landmarks: identity and expression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)  # compared by identity, so that a head can be the key of a cache
class HeadModel:
    """Landmarks as a linear function: landmarks = neutral + identity . k + expression . coefficients, in cm.

    Axes: x right in the image, y down, z away from the camera; the origin lies inside the face, near the nose.

    Attributes:
        names: the 52 ARKit units, in the order of `expression`. "Left" and "Right" are the person's own.
        neutral: (468, 3) float32, FaceMesh's landmarks of an average neutral face; closed lips have no gap.
        identity: (K, 468, 3) float32, differences between people; coefficients k have mean 0 and standard deviation 1.
        expression: (52, 468, 3) float32; a coefficient is 0 at rest and 1 at full expression.
        mesh: (n, 3) int32 triangles over the landmarks, normals (b - a) x (c - a) towards the camera's side (z < 0);
            the interiors of eyes and mouth are open.
        mirror: (468,) int32, the landmark on the other side of the face (itself on the midline).
    """

    names: tuple[str, ...]
    neutral: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    mesh: np.ndarray
    mirror: np.ndarray

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of each unit in `expression`, by name."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def mirror_units(self) -> np.ndarray:
        """(52,) index of the unit that does the same on the other side of the face."""
        return np.array([self.index[_mirror_name(name)] for name in self.names])

    def landmarks(self, coefficients: np.ndarray, identity: np.ndarray | None = None) -> np.ndarray:
        """Compute landmarks: coefficients (..., 52) and identity (K,) -> (..., 468, 3) cm. None is the average."""
        rest = self.neutral if identity is None else self.neutral + np.tensordot(identity, self.identity, 1)
        return rest + np.tensordot(coefficients, self.expression, 1)


def _mirror_name(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name[: -len(side)] + other
    return name

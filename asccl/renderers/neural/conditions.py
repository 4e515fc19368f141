"""Condition images of NED's renderer (Papantoniou et al., CVPR 2022): the bare head with the motion of a frame.

Four kinds of images come from one raster of each frame. NMFC (normalized mean face coordinates): each point of the face
has the colour of its position on the mean face. Shape: the turned and lit surface without skin. Eyes: lids, eyeballs
and irises. Mask: what the renderer draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asccl.renderers.neural.face_surface import NUM_CHANNELS, FaceSurface
from asccl.renderers.neural.head_crop import HeadView, WeakPerspectiveView, head_crop_matrices
from asccl.types import Motion


@dataclass(frozen=True)
class Conditions:
    """Condition images of T frames, float32 in [0, 1], 0 where no head is.

    Attributes:
        nmfc: (T, 3, S, S).
        shape: (T, 3, S, S).
        eyes: (T, 3, S, S): lids, white and iris.
        mask: (T, 1, S, S), 0 or 1, where the renderer draws.
    """

    nmfc: np.ndarray
    shape: np.ndarray
    eyes: np.ndarray
    mask: np.ndarray

    @classmethod
    def split(cls, channels: np.ndarray) -> Conditions:
        """Split channels (T, 10, S, S) into their images."""
        return cls(*np.split(channels, (3, 6, 9), axis=1))

    @property
    def channels(self) -> np.ndarray:
        """(T, 10, S, S), in the order of the input of the renderer's network."""
        return np.concatenate([self.nmfc, self.shape, self.eyes, self.mask], 1)


@dataclass(frozen=True)
class Scene:
    """A person in front of the camera in T frames, whatever the expression.

    Attributes:
        surface: the face.
        rest: the person at rest, (V, 3) cm.
        views: the camera of each frame.
        crop_matrices: similarities from the frame to a square, (T, 2, 3).
        size: side of the square, pixels.
    """

    surface: FaceSurface
    rest: np.ndarray
    views: Sequence[HeadView]
    crop_matrices: np.ndarray
    size: int

    @classmethod
    def tracked(cls, surface: FaceSurface, motion: Motion, size: int) -> Scene:
        """Build the scene of a tracked and fitted face.

        Args:
            surface: the face.
            motion: of the person.
            size: side of the square, pixels.
        """
        views = [
            WeakPerspectiveView(float(s), r, t)
            for s, r, t in zip(motion.scale, motion.rotation, motion.translation, strict=True)
        ]
        return cls(
            surface, surface.rest_vertices(motion.identity), views, head_crop_matrices(views, size, motion.shot), size
        )

    @classmethod
    def synthetic(
        cls,
        surface: FaceSurface,
        identity: np.ndarray | None,
        views: Sequence[HeadView],
        size: int,
        shot: np.ndarray | None = None,
    ) -> Scene:
        """Build the scene of a synthetic head.

        Args:
            surface: the face.
            identity: coefficients (K,), or None for the average.
            views: an `asccl.synthetic.camera.Camera` for each frame.
            size: side of the square, pixels.
            shot: index of the shot of each frame, (T,), or None for one.
        """
        return cls(surface, surface.rest_vertices(identity), views, head_crop_matrices(views, size, shot), size)

    def conditions(self, coefficients: np.ndarray, first: int = 0) -> Conditions:
        """Compute the conditions of the frames from `first` on, by coefficients (n, 52); chunks give the same bits."""
        if len(coefficients) == 0:
            return Conditions.split(np.zeros((0, NUM_CHANNELS, self.size, self.size), np.float32))
        return Conditions.split(np.stack([self.frame_channels(w, first + i) for i, w in enumerate(coefficients)]))

    def frame_channels(self, coefficients: np.ndarray, t: int) -> np.ndarray:
        """Compute the channels (10, S, S) of frame t with an expression (52,)."""
        vertices = self.surface.deform(self.rest, coefficients)
        view, crop_matrix = self.views[t], self.crop_matrices[t]
        fragments = self.surface.rasterize(vertices, view, crop_matrix, self.size)
        return self.surface.condition_channels(vertices, fragments, view, crop_matrix)

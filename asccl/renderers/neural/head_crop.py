"""Views of a head, and the steady upright square around the face in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from scipy.ndimage import gaussian_filter1d

CROP_CENTRE = (0.0, 1.0, 2.0)  # of the square, on the head, cm
CROP_SIDE_CM = 22.0  # from above the forehead to below the chin of an open mouth
CROP_SMOOTHING = 4.0  # frames, standard deviation, within a shot


class HeadView(Protocol):
    """The pose of a head in front of a camera: `asccl.synthetic.camera.Camera` or `WeakPerspectiveView`."""

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) of the head."""
        ...

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project (..., 3) cm to (..., 2) pixels of the frame and (...,) depth, smaller is nearer."""
        ...


class WeakPerspectiveView(NamedTuple):
    """One frame of a `Motion`.

    Attributes:
        scale: pixels per cm.
        rotation: (3, 3).
        translation: (3,) pixels.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project (..., 3) cm to (..., 2) pixels of the frame and (...,) depth, smaller is nearer."""
        placed = self.scale * (vertices @ self.rotation.T) + self.translation
        return placed[..., :2], placed[..., 2]


def head_crop_matrices(views: Sequence[HeadView], size: int, shot: np.ndarray | None = None) -> np.ndarray:
    """Compute the square around a face in each frame, upright as the head is.

    Position, size and rotation are smoothed over time within each shot, so that the square does not jitter.

    Args:
        views: T views.
        size: side of the square, pixels.
        shot: index of the shot of each frame, (T,), or None for one.

    Returns:
        Similarities from the frame to the square, (T, 2, 3).
    """
    centre = np.array([view.project(np.array(CROP_CENTRE))[0] for view in views], np.float64).reshape(-1, 2)
    scale = np.array([_frame_pixels_per_cm(view) for view in views])
    turn = np.array([_roll(view) for view in views], np.complex128)
    poses = np.column_stack([centre, np.log(scale), turn.real, turn.imag])
    if shot is None:
        poses = _smooth(poses)
    else:
        for index in np.unique(shot):
            poses[shot == index] = _smooth(poses[shot == index])
    turn = poses[:, 3] + 1j * poses[:, 4]
    c = np.conj(turn / np.abs(turn)) * size / (CROP_SIDE_CM * np.exp(poses[:, 2]))
    linear = np.stack([np.stack([c.real, -c.imag], -1), np.stack([c.imag, c.real], -1)], 1)
    shift = (size - 1) / 2 - np.einsum("tij,tj->ti", linear, poses[:, :2])
    return np.concatenate([linear, shift[..., None]], -1)


def pixels_per_cm(view: HeadView, crop_matrix: np.ndarray) -> float:
    """Compute the pixels of the square per cm at the face. crop_matrix: from the frame to the square, (2, 3)."""
    return _frame_pixels_per_cm(view) * float(np.sqrt(abs(np.linalg.det(crop_matrix[:, :2]))))


def _smooth(poses: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(poses, CROP_SMOOTHING, axis=0, mode="nearest") if len(poses) else poses


def _frame_pixels_per_cm(view: HeadView) -> float:
    """Pixels of the frame per cm at the face, along the x axis of the image."""
    across = view.rotation.T @ (1.0, 0.0, 0.0)
    points, _ = view.project(np.array([CROP_CENTRE, CROP_CENTRE + across]))
    return float(np.linalg.norm(points[1] - points[0]))


def _roll(view: HeadView) -> complex:
    """Roll of the head in the image as a unit complex number; 1 for an upright head."""
    points, _ = view.project(np.array([CROP_CENTRE, CROP_CENTRE + np.array([0.0, 1.0, 0.0])]))
    x, y = points[1] - points[0]
    return complex(y, -x) / max(float(np.hypot(x, y)), 1e-9)

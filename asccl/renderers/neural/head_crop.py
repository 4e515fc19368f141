"""Where a face is: poses of a head before a camera, and the steady upright square around it in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from scipy.ndimage import gaussian_filter1d

CROP_CENTRE = (0.0, 1.0, 2.0)  # of the square on the head, cm
CROP_SIDE_CM = 22.0  # of the square, cm: from above the forehead to below the chin of an open mouth
CROP_SMOOTHING = 4.0  # frames over which the square is smoothed (Gaussian), inside a shot


class HeadView(Protocol):
    """A head pose seen by a camera; `data.camera.Camera` is one, `WeakPerspectiveView` another."""

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) of the head."""
        ...

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 3) cm -> (..., 2) pixels of the frame and (...,) depth, smaller is nearer."""
        ...


class WeakPerspectiveView(NamedTuple):
    """One frame of a `Motion`: weak perspective. scale: pixels per cm. rotation: (3, 3). translation: (3,) pixels."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def project(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        placed = self.scale * (vertices @ self.rotation.T) + self.translation
        return placed[..., :2], placed[..., 2]


def head_crops(views: Sequence[HeadView], size: int, shot: np.ndarray | None = None) -> np.ndarray:
    """T heads -> (T, 2, 3) similarities from the frame to a square of `size` pixels that holds the face, upright as
    the head is. Its place, size and turn are smoothed along time inside each shot, so that it does not jitter.

    shot: (T,) numbers of the shots, or None for one.
    """
    centre = np.array([view.project(np.array(CROP_CENTRE))[0] for view in views], np.float64).reshape(-1, 2)
    scale = np.array([_scale(view) for view in views])
    turn = np.array([_upright(view) for view in views], np.complex128)
    numbers = np.column_stack([centre, np.log(scale), turn.real, turn.imag])
    for number in np.unique(shot) if shot is not None else ():
        numbers[shot == number] = _steady(numbers[shot == number])
    if shot is None:
        numbers = _steady(numbers)
    turn = numbers[:, 3] + 1j * numbers[:, 4]
    c = np.conj(turn / np.abs(turn)) * size / (CROP_SIDE_CM * np.exp(numbers[:, 2]))
    linear = np.stack([np.stack([c.real, -c.imag], -1), np.stack([c.imag, c.real], -1)], 1)
    shift = (size - 1) / 2 - np.einsum("tij,tj->ti", linear, numbers[:, :2])
    return np.concatenate([linear, shift[..., None]], -1)


def pixels_per_cm(view: HeadView, crop: np.ndarray) -> float:
    """Pixels of the square per cm at the face. crop: (2, 3) frame -> square."""
    return _scale(view) * float(np.sqrt(abs(np.linalg.det(crop[:, :2]))))


def _steady(numbers: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(numbers, CROP_SMOOTHING, axis=0, mode="nearest") if len(numbers) else numbers


def _scale(view: HeadView) -> float:
    """Pixels of the frame per cm at the face: the picture's own axes, put into the head's."""
    across = view.rotation.T @ (1.0, 0.0, 0.0)
    points, _ = view.project(np.array([CROP_CENTRE, CROP_CENTRE + across]))
    return float(np.linalg.norm(points[1] - points[0]))


def _upright(view: HeadView) -> complex:
    """Direction of the head's height in the picture, turned to point right; 1 where the head is upright."""
    points, _ = view.project(np.array([CROP_CENTRE, CROP_CENTRE + np.array([0.0, 1.0, 0.0])]))
    x, y = points[1] - points[0]
    return complex(y, -x) / max(float(np.hypot(x, y)), 1e-9)

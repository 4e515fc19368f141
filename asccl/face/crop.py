"""Crops as the recognition and the expression network want them."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face.mesh import ARCFACE_TEMPLATE, arcface_points
from asccl.types import Image, LazyImage

CROP_SIZE = 112


def arcface_crop(image: LazyImage, landmarks: np.ndarray, size: int = CROP_SIZE) -> Image:
    """The face turned upright, with eyes, nose and mouth where ArcFace expects them.

    image: (H, W, 3). landmarks: (478, 2+) pixels of it. Returns (size, size, 3); what lies outside the image
    repeats its border. Raises ValueError where the landmarks are not finite.
    """
    return warp_crop(image, arcface_matrix(landmarks, size), size)


def arcface_matrix(landmarks: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """The similarity (2, 3) from pixels of the image to those of its ArcFace crop."""
    return fit_similarity(arcface_points(landmarks), ARCFACE_TEMPLATE * (size / CROP_SIZE))


def expression_crop(image: LazyImage, landmarks: np.ndarray, size: int = CROP_SIZE) -> Image:
    """The smallest upright square round all landmarks, about their centre. Arguments as for `arcface_crop`."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    scale = size / (high - low).max()
    return warp_crop(image, np.column_stack([scale * np.eye(2), size / 2 - scale * (low + high) / 2]), size)


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The (2, 3) turn, scale and shift, without mirroring, that takes points (N, 2) closest to others (N, 2)."""
    a, b = (points.astype(np.float64) @ (1, 1j) for points in (source, target))  # x + iy: a similarity is b = c a + d
    spread = a - a.mean()
    c = np.vdot(spread, b) / np.vdot(spread, spread)
    d = b.mean() - c * a.mean()
    return np.array([[c.real, -c.imag, d.real], [c.imag, c.real, d.imag]])


def warp_crop(image: LazyImage, matrix: np.ndarray, size: int) -> Image:
    """The square of the image that the similarity (image -> crop) shows. Where it shrinks by two or more, whole blocks
    of pixels are averaged first, so that nothing is skipped."""
    if not np.isfinite(matrix).all():
        raise ValueError("expected finite landmarks of different places; take only frames with a face in them")
    part, matrix = _needed(image, matrix, size, max(int(1 / np.hypot(*matrix[:, 0])), 1))
    return cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _needed(image: LazyImage, matrix: np.ndarray, size: int, block: int) -> tuple[Image, np.ndarray]:
    """What the crop needs of the image, each block x block pixels averaged to one, and the matrix from there to it."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - matrix[:, 2]
    corners = corners @ cv2.invertAffineTransform(matrix)[:, :2].T
    shape = np.array(image.shape[1::-1])
    start = np.clip(np.floor(corners.min(0)).astype(int) - 2 * block, 0, shape - 1)
    stop = np.clip(np.ceil(corners.max(0)).astype(int) + 2 * block, start + 1, shape)
    part = image[start[1] : stop[1], start[0] : stop[0]]
    if block == 1:
        return part, np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ start])
    columns, rows = -(stop - start) % block  # short of whole blocks, at the image's end
    part = cv2.copyMakeBorder(part, 0, rows, 0, columns, cv2.BORDER_REPLICATE)
    small = cv2.resize(part, (part.shape[1] // block, part.shape[0] // block), interpolation=cv2.INTER_AREA)
    offset = start + (block - 1) / 2  # centre of the first block
    linear = matrix[:, :2]
    return small, np.column_stack([linear * block, matrix[:, 2] + linear @ offset])

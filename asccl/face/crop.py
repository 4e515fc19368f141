"""Cut the crops that the recognition and expression networks expect."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face.mesh import ARCFACE_TEMPLATE, OUTER_EYE_CORNERS, arcface_points
from asccl.types import Image, LazyImage

CROP_SIZE = 112  # pixels
REGION_WIDTH, REGION_HEIGHT = 1.15, 0.95  # half sides of the region of a face, in longer sides of its box
QUARTER_TURN = np.array([[0, 1], [-1, 0]])  # counterclockwise on screen


def face_region(box: tuple[float, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of an image that shows a face with its hair, chin and some background.

    Args:
        box: (x0, y0, x1, y1) pixels, of the landmarks.
        size: (width, height) of the image in pixels.

    Returns:
        (x0, y0, x1, y1) pixels inside the image, at least 2 by 2.
    """
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    ranges = []
    for centre, half, length in (
        ((x0 + x1) / 2, REGION_WIDTH * side, size[0]),
        ((y0 + y1) / 2, REGION_HEIGHT * side, size[1]),
    ):
        low = int(min(max(centre - half, 0), max(length - 2, 0)))
        ranges.append((low, int(min(max(centre + half, low + 2), length))))
    (left, right), (top, bottom) = ranges
    return left, top, right, bottom


def arcface_crop(image: LazyImage, landmarks: np.ndarray, size: int = CROP_SIZE) -> Image:
    """Cut the upright face, with eyes, nose and mouth where ArcFace expects them.

    Args:
        image: (H, W, 3).
        landmarks: (478, 2+) pixels of the image.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3); outside the image its border is repeated.

    Raises:
        ValueError: the landmarks are not finite.
    """
    return warp_crop(image, arcface_matrix(landmarks, size), size)


def arcface_matrix(landmarks: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """The similarity (2, 3) from pixels of the image to pixels of its ArcFace crop."""
    return fit_similarity(arcface_points(landmarks), ARCFACE_TEMPLATE * (size / CROP_SIZE))


def expression_crop(image: LazyImage, landmarks: np.ndarray, size: int = CROP_SIZE) -> Image:
    """Cut the smallest axis-aligned square around all landmarks, centred on their bounding box.

    A face on its side or upside down is turned by quarter turns until it is upright.

    Args:
        image: (H, W, 3).
        landmarks: (478, 2+) pixels of the image.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3); outside the image its border is repeated.

    Raises:
        ValueError: the landmarks are not finite.
    """
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    linear = size / (high - low).max() * np.linalg.matrix_power(QUARTER_TURN, quarter_turns(landmarks))
    return warp_crop(image, np.column_stack([linear, size / 2 - linear @ (low + high) / 2]), size)


def quarter_turns(landmarks: np.ndarray) -> int:
    """Count the quarter turns, counterclockwise, that bring a face closest to upright: 0 to 3.

    landmarks: (468+, 2+) pixels; 0 where they are not finite.
    """
    right, left = landmarks[list(OUTER_EYE_CORNERS), :2].astype(np.float64)
    angle = np.arctan2(left[1] - right[1], left[0] - right[0])
    return round(angle / (np.pi / 2)) % 4 if np.isfinite(angle) else 0


def turn_points(points: np.ndarray, shape: tuple[int, ...], turns: int) -> np.ndarray:
    """Move points along with their image when `numpy.rot90` turns it.

    Args:
        points: (..., 2+) pixels, x first.
        shape: (H, W, ...) of the image before the turn.
        turns: quarter turns, counterclockwise.

    Returns:
        (..., 2+) pixels of the turned image.
    """
    out = points.copy()
    height, width = shape[:2]
    for _ in range(turns % 4):
        out[..., 0], out[..., 1] = out[..., 1].copy(), width - 1 - out[..., 0]
        height, width = width, height
    return out


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares rotation, scale and translation (2, 3) without reflection from points (N, 2) to points (N, 2)."""
    a, b = (points.astype(np.float64) @ (1, 1j) for points in (source, target))  # x + iy: a similarity is b = c a + d
    centred = a - a.mean()
    c = np.vdot(centred, b) / np.vdot(centred, centred)
    d = b.mean() - c * a.mean()
    return np.array([[c.real, -c.imag, d.real], [c.imag, c.real, d.imag]])


def warp_crop(image: LazyImage, matrix: np.ndarray, size: int) -> Image:
    """Warp a square crop out of an image.

    Where the crop is smaller by a factor of two or more, blocks of pixels are averaged first, which avoids aliasing.

    Args:
        image: (H, W, 3).
        matrix: (2, 3) similarity from pixels of the image to pixels of the crop.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3); outside the image its border is repeated.

    Raises:
        ValueError: the matrix is not finite.
    """
    if not np.isfinite(matrix).all():
        raise ValueError("expected finite and distinct landmarks; use only frames with a face")
    block = max(int(1 / np.hypot(*matrix[:, 0])), 1)
    part, matrix = _reduce_source(image, matrix, size, block)
    return cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _reduce_source(image: LazyImage, matrix: np.ndarray, size: int, block: int) -> tuple[Image, np.ndarray]:
    """The part of the image that the crop covers, averaged over blocks, and the matrix from it to the crop."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - matrix[:, 2]
    corners = corners @ cv2.invertAffineTransform(matrix)[:, :2].T
    image_size = np.array(image.shape[1::-1])
    start = np.clip(np.floor(corners.min(0)).astype(int) - 2 * block, 0, image_size - 1)
    stop = np.clip(np.ceil(corners.max(0)).astype(int) + 2 * block, start + 1, image_size)
    part = image[start[1] : stop[1], start[0] : stop[0]]
    if block == 1:
        return part, np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ start])
    columns, rows = -(stop - start) % block  # pixels that are missing for complete blocks
    part = cv2.copyMakeBorder(part, 0, rows, 0, columns, cv2.BORDER_REPLICATE)
    small = cv2.resize(part, (part.shape[1] // block, part.shape[0] // block), interpolation=cv2.INTER_AREA)
    offset = start + (block - 1) / 2  # centre of the first block
    linear = matrix[:, :2]
    return small, np.column_stack([linear * block, matrix[:, 2] + linear @ offset])

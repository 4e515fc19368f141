"""Apply a change that ICface's networks say to a face in the pixels of its frame, which are sampled once.

The networks read a small square around the face. What they change, shifts of pixels and colours with their opacity, is
smooth; it is enlarged to the frame's own pixels. A pixel that is not shifted keeps its value exactly.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.types import Image

FIELDS = 6  # shift along x and y, opacity, red, green, blue
SAMPLING = cv2.INTER_LANCZOS4  # of the frame; sharper than cubic


def pixel_square(crop_matrix: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Return the square of the frame's own pixels that covers the square of the networks.

    Args:
        crop_matrix: similarity from the frame to the networks' square, (2, 3), turned by quarter turns alone.
        size: side of the networks' square, pixels.

    Returns:
        The similarity (2, 3) from the frame to the square of pixels, of scale 1 and an integer shift, and its side.
    """
    scale = np.hypot(*crop_matrix[:, 0])
    side = int(np.ceil(size / scale))
    turn = np.rint(crop_matrix[:, :2] / scale)
    centre = np.linalg.solve(crop_matrix[:, :2], (size - 1) / 2 - crop_matrix[:, 2])
    shift = np.rint((side - 1) / 2 - turn @ centre)
    return np.column_stack([turn, shift]), side


def between_squares(crop_matrix: np.ndarray, size: int, square: np.ndarray, fields_size: int) -> np.ndarray:
    """Compute the similarity from a square of the frame's pixels to the fields of a change, (2, 3).

    Args:
        crop_matrix: from the frame to the networks' square, (2, 3).
        size: side of the networks' square, pixels.
        square: from the frame to the square of pixels, (2, 3).
        fields_size: side of the fields, pixels.
    """
    linear = crop_matrix[:, :2] @ np.linalg.inv(square[:, :2])
    shift = crop_matrix[:, 2] - linear @ square[:, 2]
    ratio = fields_size / size
    return np.column_stack([ratio * linear, ratio * (shift + 0.5) - 0.5])


def apply_change(pixels: Image, fields: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Change a square of pixels.

    Args:
        pixels: (N, N, 3) uint8 RGB.
        fields: (S, S, 6) float32: the shift from a pixel to the place whose colour it gets, in halves of the side of
            the fields, opacity of the colours in [0, 1], colours in 0 to 255.
        matrix: similarity from the square to the fields, (2, 3).

    Returns:
        (N, N, 3) float32, 0 to 255.
    """
    side = len(pixels)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    parts = (np.ascontiguousarray(part) for part in (fields[..., :2], fields[..., 2:]))
    shift, cover = (
        cv2.warpAffine(part, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE) for part in parts
    )
    shift *= len(fields) / 2 / np.hypot(*matrix[:, 0])  # pixels
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    places = columns + shift[..., 0], rows + shift[..., 1]
    moved = cv2.remap(pixels, *places, SAMPLING, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    opacity = np.clip(cover[..., :1], 0, 1)
    return moved + opacity * (np.clip(cover[..., 1:], 0, 255) - moved)

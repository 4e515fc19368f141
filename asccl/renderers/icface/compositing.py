"""Paste a generated face into its frame by a soft mask, without a seam; outside of it the frame stays as it is."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.types import Image

# lengths are fractions of the side of the square
FEATHER = 0.08  # width of the transition from the outline of the face inwards
TONE_SIGMA = 0.12  # Gaussian: how far the colours along the outline correct those of the face
MAX_TONE_SIDE = 128  # pixels of the square in which that correction, which is smooth, is computed


def soft_face_mask(landmarks: np.ndarray, crop_matrix: np.ndarray, size: int) -> np.ndarray:
    """Draw the soft mask of a face in its square.

    Args:
        landmarks: of the face, (478, 3) pixels of the frame.
        crop_matrix: similarity from the frame to the square, (2, 3).
        size: side of the square, pixels.

    Returns:
        (S, S) float32: 0 from the outline of the face and the border of the square outwards, 1 well inside.
    """
    outline = landmarks[list(mesh.FACE_OVAL), :2] @ crop_matrix[:, :2].T + crop_matrix[:, 2]
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
    mask = np.pad(mask[1:-1, 1:-1], 1)  # nothing changes at the border of the square
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return smoothstep((distance - 1) / max(FEATHER * size, 1.0)).astype(np.float32)


def match_outline(generated: np.ndarray, source: Image, mask: np.ndarray) -> np.ndarray:
    """Add to a generated face the smooth colours that it lacks along its outline.

    Args:
        generated: (S, S, 3) RGB, 0 to 255.
        source: the same square of the source, (S, S, 3) uint8 RGB.
        mask: of the face, (S, S) float32.

    Returns:
        (S, S, 3) float32.
    """
    weight = 4 * mask * (1 - mask)
    error = cv2.merge([(source.astype(np.float32) - generated) * weight[..., None], weight])
    side = min(len(generated), MAX_TONE_SIDE)
    small = error if side == len(generated) else cv2.resize(error, (side, side), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), TONE_SIGMA * side, borderType=cv2.BORDER_CONSTANT)
    tone = smooth[..., :3] / np.maximum(smooth[..., 3:], 1e-4)
    return generated + (tone if side == len(generated) else cv2.resize(tone, generated.shape[1::-1]))


def paste_face(image: Image, face: np.ndarray, mask: np.ndarray, crop_matrix: np.ndarray) -> Image:
    """Paste a face into its frame.

    Args:
        image: the frame, (H, W, 3) uint8 RGB.
        face: (S, S, 3) float32 RGB, 0 to 255.
        mask: opacity of the face, (S, S) float32.
        crop_matrix: similarity from the frame to the square, (2, 3).

    Returns:
        A new frame; the same object where the mask lies outside of the frame.
    """
    x0, y0, x1, y1 = _frame_box(crop_matrix, mask > 0, image.shape)
    if x0 >= x1 or y0 >= y1:
        return image
    box_to_square = crop_matrix.copy()
    box_to_square[:, 2] += crop_matrix[:, :2] @ (x0, y0)
    flags = cv2.WARP_INVERSE_MAP
    shape = (x1 - x0, y1 - y0)
    alpha = cv2.warpAffine(mask, box_to_square, shape, flags=flags | cv2.INTER_LINEAR)[..., None]
    colours = cv2.warpAffine(face, box_to_square, shape, flags=flags | cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    source = image[y0:y1, x0:x1]
    out = image.copy()
    out[y0:y1, x0:x1] = np.rint(np.clip(source + alpha * (colours - source), 0, 255)).astype(np.uint8)
    return out


def _frame_box(crop_matrix: np.ndarray, used: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part (x0, y0, x1, y1) of a frame that shows the used part (S, S) bool of the square."""
    ys, xs = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    if len(ys) == 0:
        return 0, 0, 0, 0
    corners = np.array([[x, y] for x in (xs[0] - 1, xs[-1] + 1) for y in (ys[0] - 1, ys[-1] + 1)])
    corners = (corners - crop_matrix[:, 2]) @ np.linalg.inv(crop_matrix[:, :2]).T
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
    return max(0, int(low[0])), max(0, int(low[1])), min(shape[1], int(high[0])), min(shape[0], int(high[1]))

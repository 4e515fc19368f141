"""Pose alignment (section 4.1): transform the generated face to the pose of the source before regions are compared."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from asccl.face.mesh import RIGID_LANDMARKS
from asccl.metric.scc import at_least_float32


def estimate_affine(landmarks: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Estimate the affine transform between two poses of a face, from landmarks that no expression moves.

    Args:
        landmarks: (468 or more, 2 or more) FaceMesh landmarks in pixels.
        target: the landmarks of the other face, of the same shape.

    Returns:
        (2, 3) float32, pixels of `landmarks` to pixels of `target`.

    Raises:
        ValueError: the landmarks do not define a transform.
    """
    points = list(RIGID_LANDMARKS)
    matrix, _ = cv2.estimateAffine2D(
        np.ascontiguousarray(landmarks[points, :2], np.float64),
        np.ascontiguousarray(target[points, :2], np.float64),
        method=cv2.LMEDS,
    )
    if matrix is None or not np.isfinite(matrix).all():
        raise ValueError("expected landmarks of a face; these lie on a line or are not finite")
    return matrix.astype(np.float32)


def warp_affine(image: torch.Tensor, matrix: torch.Tensor, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Warp an image by an affine transform with bilinear interpolation; gradients reach the image.

    Args:
        image: (B, C, H, W).
        matrix: (B, 2, 3) from `estimate_affine`: pixels of the image to pixels of the result, with pixel centres at
            integer coordinates.
        size: (height, width) of the result.

    Returns:
        The warped image, (B, C, height, width), and (B, 1, height, width) bool, False where the result lies outside of
        the image; pass that to `asccl_loss` as `valid`.
    """
    height, width = size
    with torch.autocast(image.device.type, enabled=False):
        kind = {"device": image.device, "dtype": at_least_float32(image)}
        linear, shift = matrix.to(**kind).split((2, 1), -1)
        y, x = torch.meshgrid(torch.arange(height, **kind), torch.arange(width, **kind), indexing="ij")
        position = torch.linalg.solve(linear, torch.stack([x, y]).flatten(1) - shift)  # (B, 2, height * width)
        position = position.mT.unflatten(1, size)
        limit = torch.tensor([image.shape[-1] - 1, image.shape[-2] - 1], **kind)
        valid = ((position >= 0) & (position <= limit)).all(-1)[:, None]
        grid = position / limit * 2 - 1
        warped = F.grid_sample(image.to(kind["dtype"]), grid, padding_mode="border", align_corners=True)
    return warped.to(image.dtype), valid

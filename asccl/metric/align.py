"""Pose alignment (section 4.1): bring the generated face into the pose of the source before comparing regions."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from asccl.face.mesh import RIGID_LANDMARKS
from asccl.metric.scc import at_least_float32


def estimate_affine(landmarks: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The affine map that takes one face's pose to another's, from points that no expression moves.

    landmarks, target: (468 or more, 2 or more) FaceMesh points in pixels. Returns (2, 3) float32, pixels to pixels.
    Raises ValueError where the points do not define a map.
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
    """Move a picture by an affine map, bilinear, with gradients to the picture.

    image: (B, C, H, W). matrix: (B, 2, 3), from `estimate_affine`: pixels of the image to pixels of the result, pixel centres at
    whole numbers. size: (height, width) of the result. Returns (B, C, height, width) and valid (B, 1, height, width)
    bool, False where the result looks beyond the image; pass it on to `asccl_loss`.
    """
    height, width = size
    with torch.autocast(image.device.type, enabled=False):
        kind = {"device": image.device, "dtype": at_least_float32(image)}
        linear, shift = matrix.to(**kind).split((2, 1), -1)
        y, x = torch.meshgrid(torch.arange(height, **kind), torch.arange(width, **kind), indexing="ij")
        there = torch.linalg.solve(linear, torch.stack([x, y]).flatten(1) - shift)  # (B, 2, height * width)
        there = there.mT.unflatten(1, size)
        most = torch.tensor([image.shape[-1] - 1, image.shape[-2] - 1], **kind)
        valid = ((there >= 0) & (there <= most)).all(-1)[:, None]
        moved = F.grid_sample(image.to(kind["dtype"]), there / most * 2 - 1, padding_mode="border", align_corners=True)
    return moved.to(image.dtype), valid

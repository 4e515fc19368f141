"""Features of the imported networks, each with the crop and the colours that it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from asccl.evaluation.face_chunk import FaceChunk
from asccl.evaluation.imported import load_arcface, load_efficientface, load_face_resnet18
from asccl.evaluation.networks import Features, Networks
from asccl.face import mesh
from asccl.face.crop import arcface_crop, expression_crop
from asccl.types import Image

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 8  # crops


def efficientface_features(networks: Networks) -> Features:
    """Features of EfficientFace, (m, 1024), of expression crops of 224 pixels. Raises WeightsError."""
    from asccl.nets.efficientface import DEVIATION, INPUT_SIZE, MEAN

    net = load_efficientface(networks.files)

    def features(chunk: FaceChunk) -> np.ndarray:
        crops = chunk.crop(
            lambda image, points: expression_crop(image, points, INPUT_SIZE), (INPUT_SIZE, INPUT_SIZE, 3)
        )
        return _run(net.features, (crops / 255.0 - MEAN) / DEVIATION)

    return lambda chunk: chunk.features("efficientface", features)


def face_resnet18_features(networks: Networks) -> Features:
    """Features of the group's FAD, (m, 512): grey, 128 pixels, aligned, black outside the face. Raises WeightsError."""
    from asccl.nets.face_resnet18 import INPUT_SIZE

    net = load_face_resnet18(networks.files)

    def crop(image: Image, landmarks: np.ndarray) -> Image:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        outline = cv2.convexHull(landmarks[list(mesh.FACE_OVAL), :2].astype(np.float32)).astype(np.int32)
        masked = np.zeros_like(gray)
        cv2.fillConvexPoly(masked, outline, 255)
        return arcface_crop(cv2.bitwise_and(gray, masked)[:, :, None].repeat(3, 2), landmarks, INPUT_SIZE)

    def features(chunk: FaceChunk) -> np.ndarray:
        crops = chunk.crop(crop, (INPUT_SIZE, INPUT_SIZE, 3))
        return _run(net, crops[..., :1] / 127.5 - 1)

    return lambda chunk: chunk.features("face-resnet18", features)


def arcface_features(networks: Networks) -> Features:
    """Embeddings of ArcFace, of an InsightFace pack or imported, (m, 512), not normalized. Raises WeightsError."""
    if networks.arcface is not None:
        return networks.identity_features
    net = load_arcface(networks.files)

    def features(chunk: FaceChunk) -> np.ndarray:
        return _run(net, chunk.arcface_crops() / 127.5 - 1)

    return lambda chunk: chunk.features("arcface", features)


def _run(net: Callable[[torch.Tensor], torch.Tensor], crops: np.ndarray) -> np.ndarray:
    """Features of crops (N, H, W, C), batch by batch."""
    import torch

    rows = []
    with torch.inference_mode():
        for first in range(0, len(crops), BATCH_SIZE) or (0,):  # no crops: one empty batch gives the shape
            batch = torch.from_numpy(crops[first : first + BATCH_SIZE].astype(np.float32))
            rows.append(net(batch.permute(0, 3, 1, 2)).numpy())
    return np.concatenate(rows).astype(np.float64)

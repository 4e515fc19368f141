"""Measure an edit on sample frames: what expression networks read, and what it costs in identity, words and lips.

One pass of MobileFaceNet serves the identity embedding and the SCC metric, whose backbone it is. The expression
networks read several views of each crop (cut, mirrored, blurred, relit, compressed again), so that the search cannot
rely on single pixels. All costs are squared lengths of vectors, so that one Jacobian gives each as a quadratic form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from asccl import zoo
from asccl.face import mesh
from asccl.face.crop import arcface_crop, expression_crop
from asccl.nets.inference import single_thread
from asccl.types import Image

if TYPE_CHECKING:
    import torch

    from asccl.metric.neighbours import NeighbourPairs
    from asccl.metric.scc import SCCMetric
    from asccl.nets.expression import ExpressionNet
    from asccl.nets.mini_xception import MiniXception
    from asccl.nets.mobilefacenet import MobileFaceNet

SCC_REGIONS = 196  # of each feature map
NETWORK_NAMES = ("expression-faceapi", "expression-mini")  # which the search reads
JPEG_QUALITY = 60  # of the view that is compressed again
EXPRESSION_SIZE = 112  # pixels
VIEW_CUT = 5  # pixels that a cut view loses at a border


class FrameMeasures(NamedTuple):
    """Measures of one frame; V views, two networks.

    Attributes:
        logits: of the expression networks, (2, V, 7).
        features: of each network, mean over the views, (D,) each.
        embedding: of the identity, not normalized, (192,).
        disparities: visual disparities of all maps, normalized, (P,).
    """

    logits: np.ndarray
    features: tuple[np.ndarray, ...]
    embedding: np.ndarray
    disparities: np.ndarray


@dataclass(frozen=True)
class EditMeasures:
    """Measures of n frames of an edit, against those of the source.

    Attributes:
        logits: (2, n * V, 7).
        features: of each network, mean over the frames, (D,) each.
        costs: by name of the bound, a vector whose squared length is the cost: "identity" is 1 - cosine, "raw shift"
            the squared shift of the mean embedding, "scc" is 1 - SCC score, "lips" the mean squared distance of the lip
            landmarks in per cent of the eye distance.
    """

    logits: np.ndarray
    features: tuple[np.ndarray, ...]
    costs: dict[str, np.ndarray]

    def cost(self, name: str) -> float:
        """A cost by name."""
        return float((self.costs[name] ** 2).sum())


@dataclass(frozen=True)
class AdaptationNetworks:
    """Networks that measure an edit, frozen.

    Attributes:
        metric: the SCC metric; its backbone gives the embedding.
        expression: FaceExpressionNet.
        mini: mini-Xception.
    """

    metric: SCCMetric
    expression: ExpressionNet
    mini: MiniXception

    def measure(self, image: Image, landmarks: np.ndarray, view: int) -> FrameMeasures:
        """Measure one frame.

        Args:
            image: (h, w, 3) uint8 RGB.
            landmarks: of the source, (478, 3) pixels.
            view: which views the expression networks read beside the plain crop.

        Returns:
            Its measures.
        """
        import torch

        views = expression_views(expression_crop(image, landmarks, EXPRESSION_SIZE), view)
        with torch.inference_mode():
            logits, features = self.read_expression(_to_tensor(views))
            embedding, disparities = self._read_identity(_to_tensor(arcface_crop(image, landmarks)[None]))
        return FrameMeasures(logits.numpy(), tuple(f.numpy() for f in features), embedding.numpy(), disparities.numpy())

    def read_expression(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Read views of a face by both networks.

        x: (V, 3, 112, 112) RGB in [-1, 1]. Returns logits (2, V, 7), and by network the mean features (D,).
        """
        import torch

        features = self.expression.features(x)
        mini_logits, mini_features = self.mini.predict(x)
        logits = torch.stack([self.expression.classify(features), mini_logits])
        return logits, [features.mean(0), mini_features.mean(0)]

    def _read_identity(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        from asccl.metric.scc import normalize

        backbone: MobileFaceNet = self.metric.backbone
        maps = self.metric.feature_maps(x)
        parts = []
        for disparity in self.metric.disparities(maps, self._pairs(maps)):
            inside = disparity.pairs.inside
            vectors = normalize(disparity.values[0]) * inside[..., None]
            parts.append((vectors / (inside.sum() * len(maps)) ** 0.5).flatten())
        return backbone.embed_map(maps[-1])[0], torch.cat(parts)

    def _pairs(self, maps: Sequence[torch.Tensor]) -> list[NeighbourPairs]:
        return self.metric.sample_pairs(maps, SCC_REGIONS)


@cache
def load_adaptation_networks() -> AdaptationNetworks:
    """Load the networks that an adaptation reads, once in a process. Raises WeightsError."""
    expression, mini = zoo.load_expression_net(NETWORK_NAMES[0]).net, zoo.load_mini_expression_net(NETWORK_NAMES[1])
    return AdaptationNetworks(zoo.load_metric(), expression, mini)


def read_networks(crops: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Read the frames of a reference by each expression network.

    crops: (N, 112, 112, 3) uint8 RGB, N at least 1. Returns mean features (D,) and mean emotion probabilities (7,), one
    of each by network. Raises WeightsError.
    """
    import torch

    with torch.inference_mode(), single_thread():
        readings = [load_adaptation_networks().read_expression(_to_tensor(crop[None])) for crop in crops]
    features = tuple(np.mean([f[k].numpy() for _, f in readings], axis=0) for k in range(len(NETWORK_NAMES)))
    probabilities = np.mean([logits.softmax(-1)[:, 0].numpy() for logits, _ in readings], axis=0)
    return features, tuple(probabilities)


def compare_frames(
    source: Sequence[FrameMeasures], edited: Sequence[FrameMeasures], lip_shifts: np.ndarray
) -> EditMeasures:
    """Compare the frames of an edit with those of the source.

    Args:
        source: measures of n frames.
        edited: of the same frames, edited.
        lip_shifts: displacement of the lip landmarks in per cent of the eye distance, (n, L, 2).

    Returns:
        The measures of the edit.
    """
    n = len(source)
    before, after = (np.stack([f.embedding for f in frames]).astype(np.float64) for frames in (source, edited))
    unit_shift = _unit(after) - _unit(before)
    disparity_shift = np.stack([e.disparities - s.disparities for s, e in zip(source, edited, strict=True)])
    costs = {
        "identity": unit_shift.ravel() / (2 * n) ** 0.5,
        "raw shift": after.mean(0) - before.mean(0),
        "scc": disparity_shift.ravel() / (2 * n) ** 0.5,
        "lips": lip_shifts.ravel() / (n * lip_shifts.shape[1]) ** 0.5,
    }
    logits = np.concatenate([f.logits for f in edited], axis=1).astype(np.float64)
    features = tuple(np.mean([f.features[k] for f in edited], axis=0) for k in range(len(NETWORK_NAMES)))
    return EditMeasures(logits, features, costs)


def lip_shift(displacement: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Displacement (L, 2) of the lip landmarks in per cent of the eye distance.

    displacement: of all landmarks, (468, 3) pixels. landmarks: of the source, (478, 3) pixels.
    """
    return 100 * displacement[list(mesh.LIPS), :2] / mesh.eye_distance(landmarks)


def expression_views(crop: Image, view: int) -> np.ndarray:
    """The plain crop and one altered view of it, (2, 112, 112, 3) uint8 RGB.

    crop: (112, 112, 3) uint8 RGB. view: which alteration, counted round.
    """
    alter = (_mirror_and_cut, _blur_and_darken, _shift_and_brighten, _compress)[view % 4]
    return np.stack([crop, alter(crop)])


def _mirror_and_cut(crop: Image) -> Image:
    return _resize(crop[VIEW_CUT:-VIEW_CUT, VIEW_CUT:-VIEW_CUT][:, ::-1])


def _blur_and_darken(crop: Image) -> Image:
    return cv2.convertScaleAbs(cv2.GaussianBlur(crop, (0, 0), 1.2), alpha=0.8)


def _shift_and_brighten(crop: Image) -> Image:
    return cv2.convertScaleAbs(_resize(crop[2 * VIEW_CUT :, VIEW_CUT:-VIEW_CUT]), alpha=1.15, beta=6)


def _compress(crop: Image) -> Image:
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def _resize(crop: Image) -> Image:
    return cv2.resize(crop, (EXPRESSION_SIZE, EXPRESSION_SIZE), interpolation=cv2.INTER_LINEAR)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _to_tensor(crops: np.ndarray) -> torch.Tensor:
    """(N, 112, 112, 3) uint8 RGB -> (N, 3, 112, 112) in [-1, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1

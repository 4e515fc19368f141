"""Networks that read face crops: numpy in, numpy out, in batches. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from asccl.types import EMOTIONS

if TYPE_CHECKING:
    import torch

    from asccl.nets.expression import ExpressionNet
    from asccl.nets.mobilefacenet import MobileFaceNet

CROP_SHAPE = (112, 112, 3)
BATCH_SIZE = 8  # crops; larger batches exceed a CPU's cache and are slower there


@contextmanager
def single_thread() -> Iterator[None]:
    """Limit PyTorch to one thread inside the block: on small crops more threads only wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Embedder:
    """A face-recognition network.

    Args:
        name: its name in `asccl.hub.WEIGHTS`.
        net: the network, frozen.
    """

    def __init__(self, name: str, net: MobileFaceNet):
        self.name = name
        self.net = net

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Compute identity embeddings; the cosine of two is their product.

        ArcFace crops (N, 112, 112, 3) uint8 RGB -> (N, D) float32 of length 1. Raises ValueError.
        """
        from torch.nn.functional import normalize

        return _run(self.net, crops, lambda x: normalize(self.net(x)))

    def features(self, crops: np.ndarray) -> np.ndarray:
        """Compute embeddings whose length says how much a crop looks like a face.

        ArcFace crops (N, 112, 112, 3) uint8 RGB -> (N, D) float32, not normalized. Raises ValueError.
        """
        return _run(self.net, crops, self.net)


class ExpressionClassifier:
    """An expression network.

    Args:
        name: its name in `asccl.hub.WEIGHTS`.
        net: the network, frozen.
    """

    def __init__(self, name: str, net: ExpressionNet):
        self.name = name
        self.net = net

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Compute the probability of each emotion.

        Expression crops (N, 112, 112, 3) uint8 RGB -> (N, 7) float32 in the order of `EMOTIONS`, each row sums to 1.
        Raises ValueError.
        """
        return self.predict(crops)[0]

    def features(self, crops: np.ndarray) -> np.ndarray:
        """Compute expression features, of which the means of two clips are compared by their cosine.

        Expression crops (N, 112, 112, 3) uint8 RGB -> (N, D) float32. Raises ValueError.
        """
        return self.predict(crops)[1]

    def predict(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute `probabilities` and `features` in one pass."""
        import torch

        def both_columns(x: torch.Tensor) -> torch.Tensor:
            features = self.net.features(x)
            return torch.cat([self.net.classify(features).softmax(-1), features], 1)

        columns = _run(self.net, crops, both_columns)
        return columns[:, : len(EMOTIONS)], columns[:, len(EMOTIONS) :]


def _run(net: torch.nn.Module, crops: np.ndarray, function: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    """Apply a function of (B, 3, 112, 112) RGB in [-1, 1] to (N, 112, 112, 3) uint8 RGB crops, batch by batch."""
    import torch

    if crops.dtype != np.uint8 or crops.shape[1:] != CROP_SHAPE:
        raise ValueError(f"expected (N, 112, 112, 3) uint8 RGB, got {crops.shape} {crops.dtype}")
    device = next(net.parameters()).device
    results = []
    with torch.inference_mode(), single_thread():
        for start in range(0, len(crops), BATCH_SIZE) or (0,):  # no crops: one empty batch gives the shape
            batch = torch.tensor(crops[start : start + BATCH_SIZE], device=device)
            results.append(function(batch.permute(0, 3, 1, 2).float() / 127.5 - 1))
        return torch.cat(results).cpu().numpy()

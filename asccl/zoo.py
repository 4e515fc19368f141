"""Name -> loaded model. Each is loaded once in a process, frozen, and may be used from several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from asccl import hub
from asccl.nets.protocols import Embedder, ExpressionNet
from asccl.types import EMOTIONS

if TYPE_CHECKING:  # torch takes seconds to import, so only the functions that need it do so
    import torch

    from asccl.metric.scc import SCCMetric
    from asccl.nets.blocks import Freezable

CROP = (112, 112, 3)
UNTRAINED = 0  # seed of heads that have learnt nothing
BATCH = 8  # larger ones fall out of a CPU's cache and are slower there

_loading = threading.Lock()


def load_embedder(name: str = "mobilefacenet-arcface", device: str | torch.device = "cpu") -> Embedder:
    """The face-recognition network of this name. Raises WeightsError."""
    with _loading:
        return _load_embedder(name, str(device))


def load_expression_net(name: str = "expression-faceapi", device: str | torch.device = "cpu") -> ExpressionNet:
    """The expression network of this name. Raises WeightsError."""
    with _loading:
        return _load_expression_net(name, str(device))


@cache
def _load_embedder(name: str, device: str) -> Embedder:
    from asccl.nets.mobilefacenet import MobileFaceNet

    return _Embedder(name, _load(name, MobileFaceNet(), device))


@cache
def _load_expression_net(name: str, device: str) -> ExpressionNet:
    from asccl.nets.expression import ExpressionNet as Network

    return _ExpressionNet(name, _load(name, Network(), device))


def load_metric(
    name: str = "scc-mobilefacenet",
    device: str | torch.device = "cpu",
    heads: Literal["trained", "random", "none"] = "trained",
) -> SCCMetric:
    """The SCC metric of this name, frozen. Raises WeightsError.

    heads: "trained" as in the file; "random" for the paper's "untrained" (always the same ones); "none" for bare
    differences of the backbone's features.
    """
    with _loading:
        return _load_metric(name, str(device), heads)


@cache
def _load_metric(name: str, device: str, heads: Literal["trained", "random", "none"]) -> SCCMetric:
    import torch

    metric = new_metric(heads="none" if heads == "none" else "mapped")
    if heads == "trained":
        _load(name, metric, device)
    return metric.freeze().to(device, memory_format=torch.channels_last)


def new_metric(backbone: str = "mobilefacenet-arcface", heads: Literal["mapped", "none"] = "mapped") -> SCCMetric:
    """A metric that has learnt nothing yet, always the same one, over a backbone that has. Raises WeightsError."""
    import torch

    from asccl.metric.scc import SCCMetric
    from asccl.nets.mobilefacenet import MAP_CHANNELS, MobileFaceNet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(UNTRAINED)
        metric = SCCMetric(MobileFaceNet(), MAP_CHANNELS, heads)
    _load(backbone, metric.backbone, "cpu")
    return metric


def _load(name: str, net: Freezable, device: str) -> Freezable:
    import torch

    path = hub.locate(name)
    state = hub.load_safetensors(path, {key: tuple(value.shape) for key, value in net.state_dict().items()})
    net.load_state_dict(state)
    return net.freeze().to(device, memory_format=torch.channels_last)  # channels last: twice as fast on a CPU


@contextmanager
def one_thread() -> Iterator[None]:
    """Small crops on a CPU: more threads than one only wait for each other, and for the rest of an edit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Model:
    def __init__(self, name: str, net: Freezable):
        self.name = name
        self.net = net

    def _run(self, crops: np.ndarray, function: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        """(N, 112, 112, 3) uint8 RGB -> what the function makes of the same in [-1, 1], batch by batch."""
        import torch

        if crops.dtype != np.uint8 or crops.shape[1:] != CROP:
            raise ValueError(f"expected (N, 112, 112, 3) uint8 RGB, got {crops.shape} {crops.dtype}")
        device = next(self.net.parameters()).device
        parts = []
        with torch.inference_mode(), one_thread():
            for start in range(0, len(crops), BATCH) or (0,):  # no crops: one empty batch, for the shape
                batch = torch.tensor(crops[start : start + BATCH], device=device)
                parts.append(function(batch.permute(0, 3, 1, 2).float() / 127.5 - 1))
            return torch.cat(parts).cpu().numpy()


class _Embedder(_Model):
    def embed(self, crops: np.ndarray) -> np.ndarray:
        from torch.nn.functional import normalize

        return self._run(crops, lambda x: normalize(self.net(x)))


class _ExpressionNet(_Model):
    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        return self.read(crops)[0]

    def features(self, crops: np.ndarray) -> np.ndarray:
        return self.read(crops)[1]

    def read(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch

        def both(x: torch.Tensor) -> torch.Tensor:
            features = self.net.features(x)
            return torch.cat([self.net.classify(features).softmax(-1), features], 1)

        both_columns = self._run(crops, both)
        return both_columns[:, : len(EMOTIONS)], both_columns[:, len(EMOTIONS) :]

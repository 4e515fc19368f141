"""Name -> loaded model. Each is loaded once in a process, frozen, and may be used from several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asccl import hub
from asccl.errors import SettingError, WeightsError
from asccl.nets.inference import single_thread
from asccl.nets.protocols import Embedder, ExpressionClassifier
from asccl.types import EMOTIONS

if TYPE_CHECKING:  # torch takes seconds to import, so only the functions that need it do so
    import torch

    from asccl.metric.scc import Heads, SCCMetric
    from asccl.nets.blocks import Freezable
    from asccl.nets.ned_manipulator import Manipulator
    from asccl.nets.ned_renderer import Generator
    from asccl.renderers.neural.checkpoint import RendererMetadata

CROP = (112, 112, 3)
DEFAULT_METRIC = "scc-mobilefacenet"
RANDOM_HEADS_SEED = 0  # seed of heads that have learnt nothing
BATCH = 8  # larger ones fall out of a CPU's cache and are slower there

_loading = threading.Lock()


def load_embedder(name: str = "mobilefacenet-arcface", device: str | torch.device = "cpu") -> Embedder:
    """The face-recognition network of this name. Raises WeightsError."""
    with _loading:
        return _load_embedder(name, str(device))


def load_expression_net(name: str = "expression-faceapi", device: str | torch.device = "cpu") -> ExpressionClassifier:
    """The expression network of this name. Raises WeightsError."""
    with _loading:
        return _load_expression_net(name, str(device))


def load_backbone(source: str | Path = "mobilefacenet-arcface", device: str | torch.device = "cpu") -> Freezable:
    """A network with four feature maps: `.maps`, `.MAP_CHANNELS`, `.MAP_STRIDES`. Frozen, batch normalisation folded.

    source: as for `hub.resolve`; a file says by itself which network it is for. Raises WeightsError.
    """
    path = hub.resolve(source)
    if hub.read_metadata(path).get("kind") == "scc":
        raise WeightsError(f"{path} is a metric, not a backbone alone", "load it by load_metric")
    with _loading:
        return _load_backbone(path, hub.sha256(path), str(device))


@cache
def _load_backbone(path: Path, _sha256: str, device: str) -> Freezable:
    return fold(_fill(path, create_backbone(path), device))


def create_backbone(path: Path) -> Freezable:
    """The network that a bundled or imported file is for, without weights. Raises WeightsError."""
    from asccl.nets.iresnet import DEPTHS, IResNet
    from asccl.nets.mobilefacenet import MobileFaceNet

    told = hub.read_metadata(path)
    if told.get("backbone", "mobilefacenet") == "mobilefacenet":
        return MobileFaceNet()
    for depth in DEPTHS:
        if told["backbone"] == f"iresnet{depth}":
            return IResNet(depth, head=told.get("embedding") == "yes")
    raise WeightsError(f"{path} is for the network {told['backbone']!r}, which is unknown here", "import it anew")


def fold(net: Freezable) -> Freezable:
    """A frozen network with its batch normalisation folded, where that has not been done in its file."""
    from asccl.nets.iresnet import IResNet

    return net.fold_batch_norm() if isinstance(net, IResNet) else net


@cache
def _load_embedder(name: str, device: str) -> Embedder:
    from asccl.nets.mobilefacenet import MobileFaceNet

    return _Embedder(name, _load(name, MobileFaceNet(), device))


@cache
def _load_expression_net(name: str, device: str) -> ExpressionClassifier:
    from asccl.nets.expression import ExpressionNet as Network

    return _ExpressionNet(name, _load(name, Network(), device))


def load_metric(
    source: str | Path = DEFAULT_METRIC,
    device: str | torch.device = "cpu",
    heads: Heads = "trained",
) -> SCCMetric:
    """An SCC metric, frozen, its batch normalisation folded.

    source: as for `hub.resolve`: a name, a file, a Hub repository; a file says by itself which network it is for.
    heads: "trained" as in the file; "random" for what the paper calls untrained, always the same ones, and "identity" for
    bare differences of features: both over the file's backbone, which may also be a backbone alone.
    Every call gives a metric of its own. Raises WeightsError.
    """
    if heads not in ("trained", "random", "identity"):
        raise ValueError(f'expected heads to be "trained", "random" or "identity", got {heads!r}')
    # without trained heads the bundled metric is the bundled backbone
    path = hub.resolve("mobilefacenet-arcface" if heads != "trained" and source == DEFAULT_METRIC else source)
    with _loading:
        return deepcopy(_load_metric(path, hub.sha256(path), str(device), heads))


@cache
def _load_metric(path: Path, _sha256: str, device: str, heads: Heads) -> SCCMetric:
    import torch

    metric = create_metric(path)
    if heads == "trained" and hub.read_metadata(path).get("kind") != "scc":
        raise WeightsError(f"{path} is a backbone without learned heads", 'give heads="random" or heads="identity"')
    if heads != "trained":
        metric = _untrained(metric.backbone, heads)
    fold(metric.backbone.freeze())
    return metric.freeze().to(torch.device(device), memory_format=torch.channels_last)


def load_manipulator(source: str | Path = "ned-manipulator", device: str | torch.device = "cpu") -> Manipulator:
    """NED's manipulator for the open head's 52 units, frozen. source: as for `hub.resolve`. Raises WeightsError."""
    path = hub.resolve(source)
    with _loading:
        return _load_manipulator(path, hub.sha256(path), str(device))


@cache
def _load_manipulator(path: Path, _sha256: str, device: str) -> Manipulator:
    from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes

    told = hub.read_metadata(path)
    if told.get("kind") != "ned-manipulator":
        raise WeightsError(f"{path} is no manipulator", "give a file of training/train_manipulator.py, or import one")
    if told.get("emotions") != ",".join(EMOTIONS):
        raise WeightsError(f"{path} has the emotions {told.get('emotions')}", f"train it with {', '.join(EMOTIONS)}")
    if told.get("space") != "arkit":
        raise WeightsError(
            f"{path} moves {told.get('space')} coefficients, not the open head's ARKit units",
            "use it with that head by yourself (docs/ned.md), or train one with training/train_manipulator.py",
        )
    try:
        net = Manipulator(ManipulatorSizes.from_metadata(told))
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{path} does not say how large its networks are ({error})", "import it anew") from error
    return _fill(path, net, device)


def load_renderer(source: str | Path, device: str | torch.device = "cpu") -> tuple[Generator, RendererMetadata]:
    """NED's renderer of one person, frozen, and what its file says. source: as for `hub.resolve`; a file that draws
    from the open head's conditions (`casting.card_of` tells). Raises SettingError (device),
    WeightsError, KeyError, ValueError."""
    path = hub.resolve(source)
    check_device(str(device))
    with _loading:
        return _load_renderer(path, hub.sha256(path), str(device))


def check_device(name: str) -> None:
    """Raises SettingError where there is no such device: "cpu", "cuda", "cuda:1", "mps"."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # unknown to PyTorch, or PyTorch was built without it
        raise SettingError(f"the device {name!r} cannot be used here", "choose cpu, or leave it out") from error


@cache
def _load_renderer(path: Path, _sha256: str, device: str) -> tuple[Generator, RendererMetadata]:
    from asccl.nets.ned_renderer import Generator
    from asccl.renderers.neural.checkpoint import RendererMetadata

    card = RendererMetadata.from_metadata(hub.read_metadata(path))
    return _fill(path, Generator(card.sizes), device), card


def create_metric(source: str | Path = "mobilefacenet-arcface") -> SCCMetric:
    """A metric to train: from a backbone's file with heads that have learnt nothing, always the same ones; from a
    metric's file as it is. Not frozen, not folded. Raises WeightsError."""
    path = hub.resolve(source)
    metric = _untrained(create_backbone(path))
    whole = hub.read_metadata(path).get("kind") == "scc"
    net = metric if whole else metric.backbone
    net.load_state_dict(_read(path, net), strict=False)  # the counters of batch normalisation may be missing
    if hasattr(metric.backbone, "drop_head"):
        metric.backbone.drop_head()
    return metric


def _untrained(backbone: Any, heads: Heads = "random") -> SCCMetric:
    import torch

    from asccl.metric.scc import SCCMetric

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(
            RANDOM_HEADS_SEED
        )  # `torch.manual_seed` would seed every GPU as well, for good
        return SCCMetric(backbone, backbone.MAP_CHANNELS, heads)


def _load(name: str, net: Freezable, device: str) -> Freezable:
    return _fill(hub.locate(name), net, device)


def _fill(path: Path, net: Freezable, device: str) -> Freezable:
    import torch

    net.load_state_dict(_read(path, net))
    return net.freeze().to(device, memory_format=torch.channels_last)  # channels last: twice as fast on a CPU


def _read(path: Path, net: Freezable) -> dict[str, torch.Tensor]:
    """The file's tensors, all that the network has and no others."""
    from asccl.nets.blocks import BATCH_NORM_COUNTER

    state = net.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items() if not name.endswith(BATCH_NORM_COUNTER)}
    return hub.load_safetensors(path, shapes)


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
        with torch.inference_mode(), single_thread():
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
        return self.predict(crops)[0]

    def features(self, crops: np.ndarray) -> np.ndarray:
        return self.predict(crops)[1]

    def predict(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch

        def both(x: torch.Tensor) -> torch.Tensor:
            features = self.net.features(x)
            return torch.cat([self.net.classify(features).softmax(-1), features], 1)

        both_columns = self._run(crops, both)
        return both_columns[:, : len(EMOTIONS)], both_columns[:, len(EMOTIONS) :]

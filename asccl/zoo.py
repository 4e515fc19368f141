"""Load models by name. Each is loaded once in a process, frozen, and may be used from several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from asccl import hub, tensor_files
from asccl.errors import SettingError, WeightsError
from asccl.nets.inference import BATCH_SIZE, Embedder, ExpressionClassifier, single_thread
from asccl.types import EMOTIONS

if TYPE_CHECKING:  # importing torch takes seconds, so only the functions that need it do so
    import torch

    from asccl.evaluation.networks import Networks
    from asccl.metric.scc import Heads, SCCMetric
    from asccl.nets.blocks import Freezable
    from asccl.nets.icface import Icface
    from asccl.nets.mini_xception import MiniXception
    from asccl.nets.ned_manipulator import Manipulator
    from asccl.nets.ned_renderer import NedGenerator
    from asccl.renderers.neural.checkpoint import RendererMetadata

DEFAULT_METRIC = "scc-mobilefacenet"
DEFAULT_BACKBONE = "mobilefacenet-arcface"
DEFAULT_EXPRESSION_NET = "expression-faceapi"
DEFAULT_MANIPULATOR = "ned-manipulator"
RANDOM_HEADS_SEED = 0
MAX_LOADED = 8  # networks of one kind that stay in memory; visitors of the app may name any number of them

_loading = threading.Lock()


def load_embedder(name: str = DEFAULT_BACKBONE, device: str | torch.device = "cpu") -> Embedder:
    """Load the face-recognition network of this name. Raises WeightsError."""
    with _loading:
        return _load_embedder(name, str(device))


def load_expression_net(name: str = DEFAULT_EXPRESSION_NET, device: str | torch.device = "cpu") -> ExpressionClassifier:
    """Load the expression network of this name. Raises WeightsError."""
    with _loading:
        return _load_expression_net(name, str(device))


def load_mini_expression_net(name: str = "expression-mini") -> MiniXception:
    """Load the second expression network of this name, frozen. Raises WeightsError."""
    with _loading:
        return _load_mini_expression_net(name)


def load_backbone(source: str | Path = DEFAULT_BACKBONE, device: str | torch.device = "cpu") -> Freezable:
    """Load a network with four feature maps, frozen, its batch normalization folded.

    It has `feature_maps`, `MAP_CHANNELS` and `MAP_STRIDES`. source: see `hub.resolve`; the file's metadata names the
    network. Raises WeightsError.
    """
    path = hub.resolve(source)
    if tensor_files.read_metadata(path).get("kind") == "scc":
        raise WeightsError(f"{path} is a metric, not a backbone alone", "load it by load_metric")
    with _loading:
        return _load_backbone(path, hub.sha256(path), str(device))


def load_metric(
    source: str | Path = DEFAULT_METRIC, device: str | torch.device = "cpu", heads: Heads = "trained"
) -> SCCMetric:
    """Load an SCC metric, frozen, its batch normalization folded. Every call returns a metric of its own.

    Args:
        source: a name, a file or a Hub repository, see `hub.resolve`; the file's metadata names the network. Without
            a trained mapping it may also be a backbone alone.
        device: a device of PyTorch.
        heads: "trained" for the mapping f of the file (eq. 3); "random" for an untrained one (Table 4), the same in
            every call; "identity" for differences of features without a mapping (Figure 2).

    Returns:
        The metric.

    Raises:
        ValueError: `heads` is another word.
        WeightsError: the file is missing, damaged, or not a metric.
    """
    from asccl.metric.scc import Heads

    if heads not in get_args(Heads):
        raise ValueError(f'expected heads to be "trained", "random" or "identity", got {heads!r}')
    if source in hub.WEIGHTS and source not in (DEFAULT_METRIC, DEFAULT_BACKBONE):
        raise WeightsError(f"{source} is not a metric", f"choose {DEFAULT_METRIC}, or give the file of a metric")
    # without a trained mapping the default metric is the default backbone
    path = hub.resolve(DEFAULT_BACKBONE if heads != "trained" and source == DEFAULT_METRIC else source)
    with _loading:
        return deepcopy(_load_metric(path, hub.sha256(path), str(device), heads))


def load_manipulator(source: str | Path = DEFAULT_MANIPULATOR, device: str | torch.device = "cpu") -> Manipulator:
    """Load NED's manipulator for the 52 units of the open head model, frozen.

    source: see `hub.resolve`. Raises WeightsError.
    """
    path = hub.resolve(source)
    with _loading:
        return _load_manipulator(path, hub.sha256(path), str(device))


def load_renderer(source: str | Path, device: str | torch.device = "cpu") -> tuple[NedGenerator, RendererMetadata]:
    """Load NED's renderer of one person, frozen, and the metadata of its file.

    Args:
        source: see `hub.resolve`; a renderer that reads conditions of the open head model, which
            `asccl.editing.renderer_selection` checks.
        device: a device of PyTorch.

    Returns:
        The network and its metadata.

    Raises:
        SettingError: there is no such device.
        WeightsError: the file is missing, damaged, or for another network.
        KeyError: the metadata lack an entry.
        ValueError: an entry of the metadata is not readable.
    """
    path = hub.resolve(source)
    check_device(str(device))
    with _loading:
        return _load_renderer(path, hub.sha256(path), str(device))


def load_icface(source: str | Path, device: str | torch.device = "cpu") -> Icface:
    """Load ICface's neutralizer and animator from one file, frozen.

    source: see `hub.resolve`. Raises SettingError where there is no such device, WeightsError.
    """
    path = hub.resolve(source)
    check_device(str(device))
    with _loading:
        return _load_icface(path, hub.sha256(path), str(device))


def load_evaluation_networks(
    files: Mapping[str, Path] | None = None, arcface: Callable[[np.ndarray], np.ndarray] | None = None
) -> Networks:
    """Load the networks of `asccl.evaluation`. Raises WeightsError.

    files: kind of `import-weights` -> imported file. A file `KIND.safetensors` in a local folder of weights (see
    `hub.local_folders`) counts, too. arcface: see `Networks`.
    """
    from asccl.evaluation.networks import IMPORTED_KINDS, Networks

    metric = load_metric()
    paths = {kind: folder / f"{kind}.safetensors" for folder in hub.local_folders()[::-1] for kind in IMPORTED_KINDS}
    imported = {kind: path for kind, path in paths.items() if path.is_file()} | dict(files or {})
    score = partial(_score_crops, metric)
    return Networks(load_embedder().features, load_expression_net().predict, score, imported, arcface)


def describe_networks(networks: Networks) -> list[dict[str, str]]:
    """Return name, file and sha256 of the weights of `load_evaluation_networks`, for a report."""
    paths = {name: hub.locate(name) for name in (DEFAULT_BACKBONE, DEFAULT_EXPRESSION_NET, DEFAULT_METRIC)}
    return [
        {"name": name, "file": path.name, "sha256": hub.sha256(path)}
        for name, path in {**paths, **networks.files}.items()
    ]


def _score_crops(metric: SCCMetric, source: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """SCC scores (N,) of crops (N, H, W, 3) uint8 RGB."""
    import torch

    scores = []
    with torch.inference_mode(), single_thread():
        for first in range(0, len(source), BATCH_SIZE):
            pair = (torch.tensor(side[first : first + BATCH_SIZE]) for side in (source, generated))
            scores.append(metric(*(x.permute(0, 3, 1, 2).float() / 127.5 - 1 for x in pair)))
    return torch.cat(scores).cpu().numpy() if scores else np.zeros(0, np.float32)


def check_device(name: str) -> None:
    """Raise SettingError unless there is such a device, for example "cpu", "cuda", "cuda:1" or "mps"."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # unknown to PyTorch, or PyTorch was built without it
        raise SettingError(f"the device {name!r} cannot be used here", "choose cpu, or leave it out") from error


def create_metric(source: str | Path = DEFAULT_BACKBONE) -> SCCMetric:
    """Create a metric to train, neither frozen nor folded.

    source: the file of a backbone, to which a random mapping is added (the same in every call), or of a metric. Raises
    WeightsError.
    """
    path = hub.resolve(source)
    metric = _with_heads(create_backbone(path), "random")
    net = metric if tensor_files.read_metadata(path).get("kind") == "scc" else metric.backbone
    net.load_state_dict(_read(path, net), strict=False)  # the batch-norm counters may be missing
    if hasattr(metric.backbone, "drop_head"):
        metric.backbone.drop_head()
    return metric


def create_backbone(path: Path) -> Freezable:
    """Create the network that the metadata of a file name, without the file's weights. Raises WeightsError."""
    from asccl.nets.backbones import build_backbone

    try:
        return build_backbone(tensor_files.read_metadata(path))
    except ValueError as error:
        raise WeightsError(f"{path} cannot be loaded: {error}", "import it again") from error


@cache
def _load_embedder(name: str, device: str) -> Embedder:
    from asccl.nets.mobilefacenet import MobileFaceNet

    return Embedder(name, _fill(hub.locate(name), MobileFaceNet(), device))


@cache
def _load_expression_net(name: str, device: str) -> ExpressionClassifier:
    from asccl.nets.expression import ExpressionNet

    return ExpressionClassifier(name, _fill(hub.locate(name), ExpressionNet(), device))


@cache
def _load_mini_expression_net(name: str) -> MiniXception:
    from asccl.nets.mini_xception import MiniXception

    return _fill(hub.locate(name), MiniXception(), "cpu")


@cache
def _load_backbone(path: Path, _sha256: str, device: str) -> Freezable:
    return _fold(_fill(path, create_backbone(path), device))


@lru_cache(MAX_LOADED)
def _load_metric(path: Path, _sha256: str, device: str, heads: Heads) -> SCCMetric:
    import torch

    metric = create_metric(path)
    if heads == "trained" and tensor_files.read_metadata(path).get("kind") != "scc":
        raise WeightsError(f"{path} is a backbone without a trained mapping", 'give heads="random" or heads="identity"')
    if heads != "trained":
        metric = _with_heads(metric.backbone, heads)
    _fold(metric.backbone.freeze())
    return metric.freeze().to(torch.device(device), memory_format=torch.channels_last)


@lru_cache(MAX_LOADED)
def _load_manipulator(path: Path, _sha256: str, device: str) -> Manipulator:
    from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes

    metadata = tensor_files.read_metadata(path)
    emotions, space = metadata.get("emotions"), metadata.get("space")
    if metadata.get("kind") != "ned-manipulator":
        raise WeightsError(
            f"{path} is not a manipulator", "give a file of training/train_manipulator.py, or import one"
        )
    if emotions != ",".join(EMOTIONS):
        raise WeightsError(f"{path} has the emotions {emotions}", f"train it with {', '.join(EMOTIONS)}")
    if space != "arkit":
        raise WeightsError(
            f"{path} changes {space} coefficients, not the ARKit units of the open head model",
            "use it with its own head model (docs/ned.md), or train one with training/train_manipulator.py",
        )
    try:
        net = Manipulator(ManipulatorSizes.from_metadata(metadata))
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"the metadata of {path} lack the sizes of its networks ({error})", "import it again"
        ) from error
    net.metadata = metadata
    return _fill(path, net, device)


@lru_cache(MAX_LOADED)
def _load_renderer(path: Path, _sha256: str, device: str) -> tuple[NedGenerator, RendererMetadata]:
    from asccl.nets.ned_renderer import NedGenerator
    from asccl.renderers.neural.checkpoint import RendererMetadata

    entries = tensor_files.read_metadata(path)
    metadata = RendererMetadata.from_metadata(entries)
    net = NedGenerator(metadata.sizes)
    net.metadata = entries
    return _fill(path, net, device), metadata


@lru_cache(MAX_LOADED)
def _load_icface(path: Path, _sha256: str, device: str) -> Icface:
    from asccl.nets.icface import Icface
    from asccl.renderers.icface.checkpoint import check_finite, check_icface_file

    net = _fill(path, Icface(check_icface_file(path)), "cpu")
    check_finite(path, net)
    return net.to(device)


def _with_heads(backbone: Any, heads: Heads) -> SCCMetric:
    import torch

    from asccl.metric.scc import SCCMetric

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(RANDOM_HEADS_SEED)  # `torch.manual_seed` would also seed every GPU
        return SCCMetric(backbone, backbone.MAP_CHANNELS, heads)


def _fold(net: Freezable) -> Freezable:
    """Fold the batch normalization of a frozen network; in a file of MobileFaceNet it is folded already."""
    from asccl.nets.iresnet import IResNet

    return net.fold_batch_norm() if isinstance(net, IResNet) else net


def _fill(path: Path, net: Any, device: str) -> Any:
    """Load a file of weights into a network and freeze it. Returns the network."""
    import torch

    net.load_state_dict(_read(path, net))
    return net.freeze().to(device, memory_format=torch.channels_last)  # channels last: twice as fast on a CPU


def _read(path: Path, net: Freezable) -> dict[str, torch.Tensor]:
    """Read the tensors of a file, which must be exactly those of the network."""
    from asccl.nets.blocks import tensor_shapes

    return tensor_files.load_tensors(path, tensor_shapes(net))

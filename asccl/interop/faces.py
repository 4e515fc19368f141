"""Face-recognition networks and the authors' metric."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from asccl.interop.base import ConvertedWeights, StateDict, match_tensors
from asccl.metric.scc import SCCMetric
from asccl.nets.blocks import BATCH_NORM_COUNTER, tensor_shapes
from asccl.nets.iresnet import DEPTHS, MAP_CHANNELS, IResNet
from asccl.tensor_files import format_names

BACKBONE_PREFIX = "resnet50."  # of the backbone's tensors in the authors' file
EMBEDDING_LAYERS = ("bn2", "fc", "features")
UNUSED_PREFIX = "bn2."  # a layer after the last feature map; it is in the authors' file, but not used


def convert_scc(state: StateDict) -> ConvertedWeights:
    """Convert the authors' metric to `SCCMetric(IResNet(50), MAP_CHANNELS)`. Raises WeightsMismatchError."""
    tensors: StateDict = {}
    dropped: list[str] = []
    for name, value in state.items():
        backbone_name = name.removeprefix(BACKBONE_PREFIX)
        if backbone_name == name:
            tensors[_head_name(name)] = value
        elif backbone_name.startswith(UNUSED_PREFIX):
            dropped.append(name)
        else:
            tensors[f"backbone.{backbone_name}"] = value
    with torch.device("meta"):
        metric = SCCMetric(IResNet(50), MAP_CHANNELS)
    tensors = match_tensors(tensors, tensor_shapes(metric))
    first = "backbone.conv1.weight"
    tensors[first] = tensors[first].flip(1)
    return ConvertedWeights(
        tensors,
        {"backbone": "iresnet50", "colours": "RGB"},
        (*_dropped_notes(dropped, state), "flipped the first convolution from BGR, on which it was trained, to RGB"),
    )


def _head_name(name: str) -> str:
    """mlp.3.weight -> heads.1.0.weight: the authors' list has three modules a head, the second without weights."""
    parts = name.split(".")
    if len(parts) != 3 or parts[0] != "mlp" or not parts[1].isdecimal():
        return name
    head, module = divmod(int(parts[1]), 3)
    return f"heads.{head}.{module}.{parts[2]}"


def convert_arcface(state: StateDict) -> ConvertedWeights:
    """Convert an IResNet with insightface's names, which are ours.

    The embedding is kept where all of its layers exist. Raises WeightsMismatchError.
    """
    has_embedding = all(any(name.startswith(f"{layer}.") for name in state) for layer in EMBEDDING_LAYERS)
    kept = {name: value for name, value in state.items() if has_embedding or name.split(".")[0] not in EMBEDDING_LAYERS}
    depth = next((d for d in DEPTHS if _has_depth(kept, d)), 50)
    with torch.device("meta"):
        net = IResNet(depth, has_embedding)
    return ConvertedWeights(
        match_tensors(kept, tensor_shapes(net)),
        {"backbone": f"iresnet{depth}", "colours": "RGB", "embedding": "yes" if has_embedding else "no"},
        (
            *_dropped_notes(state.keys() - kept.keys(), state),
            f"IResNet-{depth} {'with its' if has_embedding else 'without an'} embedding",
            "kept the order of colours: insightface uses RGB",
        ),
    )


def _has_depth(state: StateDict, depth: int) -> bool:
    blocks = {name.split(".")[1] for name in state if name.startswith("layer3.")}
    return len(blocks) == DEPTHS[depth][2]


def _dropped_notes(names: Iterable[str], state: StateDict) -> list[str]:
    counters = [name for name in state if name.endswith(BATCH_NORM_COUNTER)]
    others = sorted(name for name in names if not name.endswith(BATCH_NORM_COUNTER))
    notes = [f"dropped {format_names(others)}, which the feature maps do not need"] if others else []
    return notes + ([f"dropped {len(counters)} counters ({BATCH_NORM_COUNTER})"] if counters else [])

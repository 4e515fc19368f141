"""Face-recognition networks and the metric on top of one."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from asccl.interop.fitting import format_names, match_tensors
from asccl.interop.kinds import ConvertedWeights
from asccl.metric.scc import SCCMetric
from asccl.nets.blocks import BATCH_NORM_COUNTER
from asccl.nets.iresnet import DEPTHS, MAP_CHANNELS, IResNet

BACKBONE = "resnet50."  # before the names of the backbone in the authors' file
HEAD = ("bn2", "fc", "features")  # of the embedding
BEYOND = "bn2."  # the authors' file keeps this layer, behind the last map, where nothing reads it


def convert_scc(state: dict[str, torch.Tensor]) -> ConvertedWeights:
    """The authors' names -> those of `SCCMetric(IResNet(50), MAP_CHANNELS)`. Raises Unfit."""
    own: dict[str, torch.Tensor] = {}
    dropped: list[str] = []
    for name, value in state.items():
        backbone = name.removeprefix(BACKBONE)
        if backbone != name and not backbone.startswith(BEYOND):
            own[f"backbone.{backbone}"] = value
        elif backbone != name:
            dropped.append(name)
        else:
            own[_head_name(name)] = value
    with torch.device("meta"):
        metric = SCCMetric(IResNet(50), MAP_CHANNELS)
    tensors = match_tensors(own, metric)
    first = "backbone.conv1.weight"
    tensors[first] = tensors[first].flip(1)
    return ConvertedWeights(
        tensors,
        {"backbone": "iresnet50", "colours": "RGB"},
        (*_dropped(dropped, state), "flipped the first convolution from BGR, on which it was trained, to RGB"),
    )


def _head_name(name: str) -> str:
    """mlp.3.weight -> heads.1.0.weight: three modules a head in their list, the second of them without weights."""
    parts = name.split(".")
    if len(parts) != 3 or parts[0] != "mlp" or not parts[1].isdecimal():
        return name
    head, module = divmod(int(parts[1]), 3)
    return f"heads.{head}.{module}.{parts[2]}"


def convert_arcface(state: dict[str, torch.Tensor]) -> ConvertedWeights:
    """insightface's names are ours. The embedding is kept where all of it is there. Raises Unfit."""
    head = all(any(name.startswith(f"{part}.") for name in state) for part in HEAD)
    own = state if head else {name: value for name, value in state.items() if name.split(".")[0] not in HEAD}
    depth = next((d for d in DEPTHS if _has_depth(own, d)), 50)
    with torch.device("meta"):
        net = IResNet(depth, head)
    return ConvertedWeights(
        match_tensors(own, net),
        {"backbone": f"iresnet{depth}", "colours": "RGB", "embedding": "yes" if head else "no"},
        (
            *_dropped(state.keys() - own.keys(), state),
            f"IResNet-{depth} {'with its' if head else 'without an'} embedding",
            "colours as they are: insightface feeds RGB",
        ),
    )


def _has_depth(state: dict[str, torch.Tensor], depth: int) -> bool:
    blocks = {name.split(".")[1] for name in state if name.startswith("layer3.")}
    return len(blocks) == DEPTHS[depth][2]


def _dropped(names: Iterable[str], state: dict[str, torch.Tensor]) -> list[str]:
    counters = [name for name in state if name.endswith(BATCH_NORM_COUNTER)]
    others = sorted(name for name in names if not name.endswith(BATCH_NORM_COUNTER))
    notes = [f"dropped {format_names(others)}, which the maps do not need"] if others else []
    return notes + ([f"dropped {len(counters)} counters ({BATCH_NORM_COUNTER})"] if counters else [])

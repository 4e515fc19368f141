"""Do these tensors fit that network?"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import nn

from asccl.interop.kinds import WeightsMismatchError
from asccl.nets.blocks import BATCH_NORM_COUNTER


def match_tensors(
    own: dict[str, torch.Tensor], net: nn.Module, without: Collection[str] = ()
) -> dict[str, torch.Tensor]:
    """float32, without the counters, the network's names and shapes exactly and every number finite.

    without: names of the network that no file has. Raises Unfit.
    """
    shapes = {
        name: tuple(value.shape)
        for name, value in net.state_dict().items()
        if not name.endswith(BATCH_NORM_COUNTER) and name not in without
    }
    own = {name: value for name, value in own.items() if not name.endswith(BATCH_NORM_COUNTER)}
    missing, extra = sorted(shapes.keys() - own.keys()), sorted(own.keys() - shapes.keys())
    if missing or extra:
        raise WeightsMismatchError(f"it lacks {format_names(missing)} and has {format_names(extra)} too much")
    tensors = {name: own[name].float() for name in shapes}
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise WeightsMismatchError(f"{name} is {tuple(tensors[name].shape)}, not {shape}")
        if not np.isfinite(tensors[name].numpy()).all():
            raise WeightsMismatchError(f"{name} holds numbers that are not finite")
    return tensors


def format_names(names: list[str]) -> str:
    """The first three by name."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"

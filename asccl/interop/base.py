"""Types that all converters share. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from asccl.tensor_files import format_names

if TYPE_CHECKING:
    import torch

StateDict: TypeAlias = "dict[str, torch.Tensor]"  # a state dict


@dataclass(frozen=True)
class ConvertedWeights:
    """The result of a converter.

    Attributes:
        tensors: tensors with our names.
        metadata: entries for the metadata of the file.
        notes: what the converter changed, for the user.
    """

    tensors: StateDict
    metadata: Mapping[str, str]
    notes: tuple[str, ...]


class WeightsMismatchError(Exception):
    """The tensors are not those of the network. The text gives the reason and follows the file's name."""


def match_tensors(state: StateDict, shapes: Mapping[str, tuple[int, ...]]) -> StateDict:
    """Check the names, shapes and values of tensors; the counters of batch normalization are dropped.

    Args:
        state: tensors of a checkpoint, with our names.
        shapes: name -> shape of each tensor that the network needs.

    Returns:
        The tensors as float32, in the order of `shapes`.

    Raises:
        WeightsMismatchError: a tensor is missing, unexpected, of another shape or not finite.
    """
    from asccl.nets.blocks import BATCH_NORM_COUNTER

    state = {name: value for name, value in state.items() if not name.endswith(BATCH_NORM_COUNTER)}
    missing, unexpected = sorted(shapes.keys() - state.keys()), sorted(state.keys() - shapes.keys())
    if missing or unexpected:
        raise WeightsMismatchError(f"missing {format_names(missing)}, unexpected {format_names(unexpected)}")
    tensors = {name: state[name].float() for name in shapes}
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise WeightsMismatchError(f"{name} is {tuple(tensors[name].shape)}, not {shape}")
        if not tensors[name].isfinite().all():
            raise WeightsMismatchError(f"{name} has values that are not finite")
    return tensors

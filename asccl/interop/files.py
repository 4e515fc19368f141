"""Read checkpoints without executing anything in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from asccl.errors import InputError

PARALLEL_PREFIX = "module."  # of every tensor that DataParallel saved


def read_state(
    path: Path, readers: Mapping[str, Callable[[Path], dict[str, torch.Tensor]]]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Read a checkpoint.

    A file with one state dict for each of several networks becomes one state dict, whose names begin with the
    network's.

    Args:
        path: a file of PyTorch, or of another format for which there is a reader.
        readers: suffix -> reader of other formats.

    Returns:
        The state dict, and notes on changes of its names.

    Raises:
        InputError: the file is missing, damaged, or not a state dict.
    """
    if not path.is_file():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'missing'}", "give the checkpoint's file")
    if path.suffix == ".safetensors":
        raise InputError(f"{path} is a safetensors file already", "use it as it is, or give the original checkpoint")
    state = readers[path.suffix](path) if path.suffix in readers else _read_torch_file(path)
    if state and all(name.startswith(PARALLEL_PREFIX) for name in state):
        return {name.removeprefix(PARALLEL_PREFIX): value for name, value in state.items()}, [
            f"removed the prefix {PARALLEL_PREFIX!r} of all names"
        ]
    return state, []


def _read_torch_file(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is damaged, or contains more than tensors, and loading that could execute any program",
            "ask its authors for a state dict: torch.save(network.state_dict(), FILE)",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise InputError(f"{path} is not a complete PyTorch file", "download it again, or give another") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):  # a training checkpoint
        state = state["state_dict"]
    if isinstance(state, dict) and state and all(isinstance(part, dict) for part in state.values()):
        state = {f"{net}.{_without_prefix(name)}": value for net, part in state.items() for name, value in part.items()}
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        content = ", ".join(map(str, list(state)[:4])) if isinstance(state, dict) else type(state).__name__
        raise InputError(
            f"{path} is not a state dict of one network (it contains {content})",
            "save that alone: torch.save(state_dict, FILE)",
        )
    return {str(name): value for name, value in state.items()}


def _without_prefix(name: object) -> str:
    return str(name).removeprefix(PARALLEL_PREFIX)

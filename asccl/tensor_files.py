"""Read safetensors files strictly: their metadata, and tensors of exactly the expected names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from asccl.errors import WeightsError, first_line

if TYPE_CHECKING:  # importing torch takes seconds
    import torch

NETWORK_REMEDY = "give a file for this network"


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file. Raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a complete safetensors file ({first_line(error)})",
            "give one; `python -m asccl import-weights` converts other formats",
        ) from error


def load_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file, which must have exactly these names and shapes. Raises WeightsError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_shapes(path, shapes)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _incomplete(path, error) from error


def check_shapes(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Read the header of a safetensors file, which must state exactly these names and shapes. Raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            stated = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _incomplete(path, error) from error
    missing, extra = sorted(shapes.keys() - stated.keys()), sorted(stated.keys() - shapes.keys())
    if missing or extra:
        names = f"missing {format_names(missing)}, unexpected {format_names(extra)}"
        raise WeightsError(f"{path} has other tensors than this network: {names}", NETWORK_REMEDY)
    for name, shape in shapes.items():
        if stated[name] != tuple(shape):
            raise WeightsError(f"{name} in {path} is {stated[name]}, not {tuple(shape)}", NETWORK_REMEDY)


def _incomplete(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} is not a complete safetensors file ({first_line(error)})", NETWORK_REMEDY)


def format_names(names: list[str]) -> str:
    """List the first three names and the number of the others."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"

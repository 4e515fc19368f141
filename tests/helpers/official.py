"""Results of the authors' code with synthetic weights, so that the comparison needs none of their files.

Their results are in tests/helpers/official_results/NAME.json, the names and shapes of their tensors in
NAME_names.json.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parent / "official_results"
TOLERANCE = 1e-3  # relative


def names(kind: str, net: str | None = None) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor in their state dict. net: the network, where a file holds several."""
    table = json.loads((FOLDER / f"{kind}_names.json").read_text())
    return {name: tuple(shape) for name, shape in (table[net] if net else table).items()}


def expected(kind: str) -> dict[str, Any]:
    """Results of their code with the synthetic weights."""
    return json.loads((FOLDER / f"{kind}.json").read_text())


def synthetic_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """A state dict of these names and shapes, always the same: each tensor's seed is the checksum of its name."""
    return {name: _tensor(name, tuple(shape)) for name, shape in shapes.items()}


def save_checkpoint(state: Mapping[str, Any], path: Path) -> Path:
    """Write a checkpoint of PyTorch. Returns its path."""
    torch.save(dict(state), path)
    return path


def _tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    last = name.rpartition(".")[2]
    if last == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.long)
    r = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if last == "running_var":
        return 1 + 0.1 * r.abs()
    if last == "running_mean":
        return 0.1 * r
    if len(shape) > 1:
        return r / math.sqrt(math.prod(shape[1:]))
    if last == "weight":
        return 0.25 + 0.05 * r if "prelu" in name else 1 + 0.1 * r
    return 0.1 * r

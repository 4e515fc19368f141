"""Weight files that come out the same, to the byte, from the same tensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save


def serialise(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file. The library writes the metadata in an order that changes from run to run;
    here the header is sorted."""
    data = save({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, dict(metadata))
    body = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:body]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[body:]


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file and prints what `asccl.hub` and checkpoints/README.md state about it."""
    data = serialise(tensors, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{path}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")

"""Weight files that come out the same, to the byte, from the same tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch

from asccl.files import write_atomic
from asccl.interop.files import serialize


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file, whole or not at all, and prints what `asccl.hub` and checkpoints/README.md state about
    it. Raises OutputError."""
    data = serialize(tensors, metadata)
    write_atomic(path, data)
    print(f"{path}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")

"""Weight files of finished networks: the same tensors give the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch

from asccl.files import write_atomic
from asccl.nets.serialize import serialize


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically, and print its size and sha256 as `asccl.hub` lists them.

    Args:
        path: the file.
        tensors: tensors by name.
        metadata: metadata of the file.

    Raises:
        OutputError: the file cannot be written.
    """
    data = serialize(tensors, metadata)
    write_atomic(path, data)
    print(f"{path}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")

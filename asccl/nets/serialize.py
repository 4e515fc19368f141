"""Write safetensors files with reproducible bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from safetensors.torch import save


def serialize(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a safetensors file.

    The library writes the metadata in an order that changes from run to run; here the header is sorted.
    """
    data = save({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, dict(metadata))
    body = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:body]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[body:]

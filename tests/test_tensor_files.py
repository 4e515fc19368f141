"""Strict reading of safetensors files."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from asccl import tensor_files
from asccl.errors import WeightsError


def test_tensors_of_other_names_or_shapes_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(1)}, path)
    assert set(tensor_files.load_tensors(path, {"a": (2, 3), "b": (1,)})) == {"a", "b"}
    with pytest.raises(WeightsError, match=r"missing c, unexpected b"):
        tensor_files.load_tensors(path, {"a": (2, 3), "c": (1,)})
    with pytest.raises(WeightsError, match=r"a in .* is \(2, 3\), not \(3, 2\)"):
        tensor_files.load_tensors(path, {"a": (3, 2), "b": (1,)})
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        tensor_files.load_tensors(path, {"a": (2, 3), "b": (1,)})


def test_a_file_of_another_format_has_no_metadata(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match=r"is not a complete safetensors file.*import-weights"):
        tensor_files.read_metadata(path)

"""The networks of the evaluation through `import-weights`, with synthetic weights."""

from __future__ import annotations

import pytest
import torch
from official import save_checkpoint, synthetic_weights

from asccl.errors import WeightsError
from asccl.evaluation.imported import load_efficientface, load_syncnet
from asccl.nets.blocks import tensor_shapes
from asccl.nets.efficientface import EfficientFace
from asccl.nets.face_resnet18 import FaceResNet18
from asccl.nets.syncnet import SyncNet


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, torch.Tensor]]:
    nets = {"syncnet": SyncNet, "efficientface": EfficientFace, "arcface-resnet18": FaceResNet18}
    return {kind: synthetic_weights(tensor_shapes(net())) for kind, net in nets.items()}


@pytest.mark.parametrize(
    ("kind", "origin"),
    [("syncnet", "robots.ox.ac.uk"), ("efficientface", "zengqunzhao"), ("arcface-resnet18", "ronghuaiyang")],
)
def test_the_import_states_the_origin(states, run_import, tmp_path, kind, origin):
    path = save_checkpoint(states[kind], tmp_path / "published.pth")
    status, output = run_import(kind, path, "-o", tmp_path / "ours.safetensors")
    assert status == 0, output
    assert origin in output


def test_a_training_checkpoint_is_read_by_its_state_dict(states, run_import, tmp_path):
    state = {f"module.{name}": value for name, value in states["efficientface"].items()}
    path = save_checkpoint({"epoch": 3, "state_dict": state}, tmp_path / "EfficientFace.pth.tar")
    assert run_import("efficientface", path, "-o", tmp_path / "ours.safetensors")[0] == 0
    net = load_efficientface({"efficientface": tmp_path / "ours.safetensors"})
    assert torch.equal(net.fc.weight, states["efficientface"]["fc.weight"])


def test_weights_of_another_kind_are_named(states, run_import, tmp_path):
    path = save_checkpoint(states["efficientface"], tmp_path / "published.pth")
    status, output = run_import("syncnet", path, "-o", tmp_path / "ours.safetensors")
    assert status == 3
    assert "import-weights efficientface" in output


def test_imported_weights_of_another_kind_are_refused_by_a_measure(states, run_import, tmp_path):
    path = save_checkpoint(states["efficientface"], tmp_path / "published.pth")
    run_import("efficientface", path, "-o", tmp_path / "ours.safetensors")
    with pytest.raises(WeightsError, match="efficientface, not syncnet"):
        load_syncnet({"syncnet": tmp_path / "ours.safetensors"})


def test_missing_weights_name_the_command_that_imports_them():
    with pytest.raises(WeightsError, match="import-weights syncnet"):
        load_syncnet({})

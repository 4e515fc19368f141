from pathlib import Path

import pytest
import torch

from asccl.__main__ import main as asccl
from asccl.errors import WeightsError
from training.perceptual import load_perceptual_loss


@pytest.fixture
def vgg(tmp_path) -> Path:
    """A file of torchvision's VGG-19, with random weights."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    path = tmp_path / "vgg19.pth"
    state = torchvision.models.vgg19().features.state_dict(prefix="features.")
    torch.save({**state, "classifier.6.bias": torch.zeros(1000)}, path)
    return path


def test_an_imported_vgg_compares_images(vgg, capsys):
    file = vgg.with_suffix(".safetensors")
    assert asccl(["import-weights", "vgg19", str(vgg), "-o", str(file)]) == 0
    assert "kept 26 tensors of 33" in capsys.readouterr().out
    loss = load_perceptual_loss(file)
    real = torch.rand(1, 3, 32, 32) * 2 - 1
    generated = (real + 0.1).requires_grad_()
    assert loss(real, real) == 0
    loss(generated, real).backward()
    assert generated.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in loss.parameters())


def test_a_file_of_another_network_is_refused():
    pytest.importorskip("torchvision")
    with pytest.raises(WeightsError, match="missing features"):
        load_perceptual_loss("mobilefacenet-arcface")


def test_an_incomplete_vgg_is_not_imported(vgg):
    torch.save({"features.0.weight": torch.zeros(1)}, vgg)
    assert asccl(["import-weights", "vgg19", str(vgg), "-o", str(vgg.with_suffix(".safetensors"))]) == 3

"""The authors' metric and face-recognition networks through `import-weights`, and the networks that the files give."""

from __future__ import annotations

import hashlib

import pytest
import torch
from official import save_checkpoint, synthetic_weights
from safetensors.torch import load_file

from asccl import tensor_files, zoo
from asccl.errors import WeightsError
from asccl.metric.scc import SCCMetric
from asccl.nets.blocks import tensor_shapes
from asccl.nets.iresnet import MAP_CHANNELS, IResNet


def test_scc(authors_file, tmp_path, run_import):
    path = tmp_path / "scc.safetensors"
    status, output = run_import("scc", authors_file, "-o", path)
    assert status == 0
    assert "from BGR" in output
    assert "dropped resnet50.bn2.bias, resnet50.bn2.num" not in output
    assert "dropped resnet50.bn2.bias" in output
    assert "counters" in output
    tensors, theirs = load_file(path), torch.load(authors_file, weights_only=True)
    assert tensor_files.read_metadata(path) == {
        "kind": "scc",
        "backbone": "iresnet50",
        "colours": "RGB",
        "origin": "metric.pth",
        "origin_sha256": hashlib.sha256(authors_file.read_bytes()).hexdigest(),
    }
    first = "backbone.conv1.weight"
    assert torch.equal(tensors.pop(first), theirs["resnet50.conv1.weight"].flip(1))
    assert torch.equal(tensors["heads.3.2.bias"], theirs["mlp.11.bias"])
    assert torch.equal(tensors["heads.1.0.weight"], theirs["mlp.3.weight"])
    assert torch.equal(tensors["backbone.layer4.2.bn3.running_var"], theirs["resnet50.layer4.2.bn3.running_var"])
    assert tensors.keys() == tensor_shapes(SCCMetric(IResNet(50), MAP_CHANNELS)).keys() - {first}


def test_the_same_source_gives_the_same_bytes(authors_file, tmp_path, run_import):
    paths = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    for path in paths:
        run_import("scc", authors_file, "-o", path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("head", "prefix"), [(True, ""), (False, "module.")])
def test_arcface_from_pytorch_gives_the_same_network(small_net, face, tmp_path, run_import, head, prefix):
    state = {
        prefix + name: value for name, value in small_net.state_dict().items() if head or not name.startswith("fea")
    }
    path = tmp_path / "arcface.safetensors"
    status, output = run_import("arcface", save_checkpoint(state, tmp_path / "r18.pth"), "-o", path)
    assert status == 0, output
    assert "IResNet-18 " + ("with its" if head else "without an") in output
    assert "insightface uses RGB" in output
    if not head:
        assert "removed the prefix 'module.'" in output
        assert "dropped bn2.bias" in output
    net = zoo.load_backbone(path)
    assert net is zoo.load_backbone(str(path))
    with torch.inference_mode():
        for a, b in zip(net.feature_maps(face), small_net.feature_maps(face), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))
    assert net.head is head
    assert net.MAP_CHANNELS == (64, 128, 256, 512)
    net.train()
    assert not any(part.training for part in net.modules())


def test_the_authors_backbone_is_an_iresnet_50(tmp_path, run_import):
    path = save_checkpoint(synthetic_weights(tensor_shapes(IResNet(50))), tmp_path / "backbone.pth")
    status, output = run_import("arcface", path, "-o", tmp_path / "out.safetensors")
    assert status == 0
    assert "IResNet-50 without" in output
    assert tensor_files.read_metadata(tmp_path / "out.safetensors")["backbone"] == "iresnet50"


def test_the_bundled_backbone_is_loaded_once():
    bundled = zoo.load_backbone()
    assert bundled is zoo.load_backbone("mobilefacenet-arcface")
    assert bundled.frozen
    assert [m.shape[1] for m in bundled.feature_maps(torch.zeros(1, 3, 32, 32))] == list(bundled.MAP_CHANNELS)


def test_an_imported_metric_is_loaded_with_every_choice_of_heads(tmp_path, authors_file, run_import):
    path = tmp_path / "scc.safetensors"
    run_import("scc", authors_file, "-o", path)
    metric, first = zoo.load_metric(path), torch.load(authors_file, weights_only=True)["mlp.0.weight"]
    assert torch.equal(metric.heads[0][0].weight, first)
    assert metric.frozen
    assert len(metric.feature_maps(torch.zeros(1, 3, 32, 32))) == 4
    assert not torch.equal(zoo.load_metric(path, heads="random").heads[0][0].weight, first)
    assert not list(zoo.load_metric(path, heads="identity").heads.parameters())
    with pytest.raises(WeightsError, match=r"is a metric.*load_metric"):
        zoo.load_backbone(path)

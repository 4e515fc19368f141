"""`load_metric` by name and from a file, with trained, random and identity heads, for every backbone."""

import pytest
import torch
from safetensors.torch import save_file

import asccl
from asccl.errors import WeightsError
from asccl.metric.scc import SCCMetric
from asccl.nets.blocks import saved_tensors
from asccl.nets.iresnet import MAP_CHANNELS, IResNet


def smooth_image(seed: int) -> torch.Tensor:
    """(1, 3, 112, 112) RGB in [-1, 1]."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 14, 14, generator=rng) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (112, 112), mode="bicubic").clamp(-1, 1)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    """The file of a metric with IResNet-18, as `import-weights` writes it, and the metric."""
    torch.manual_seed(0)
    metric = SCCMetric(IResNet(18), MAP_CHANNELS).eval()
    for module in metric.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(saved_tensors(metric), path, {"kind": "scc", "backbone": "iresnet18"})
    return path, metric


def test_the_bundled_metric_is_frozen_and_each_call_returns_a_copy():
    metric = asccl.load_metric("scc-mobilefacenet")
    asccl.load_metric().double()
    assert all(p.dtype == torch.float32 for p in asccl.load_metric().parameters())
    assert not any(p.requires_grad for p in metric.parameters())
    assert metric(smooth_image(0), smooth_image(0)).item() == pytest.approx(1, abs=1e-5)


def test_trained_and_random_heads_share_a_backbone_and_differ():
    trained, random, identity = (asccl.load_metric(heads=h) for h in ("trained", "random", "identity"))
    maps = [m.feature_maps(smooth_image(0)) for m in (trained, random, identity)]
    assert all(torch.allclose(a, b) for a, b in zip(maps[0], maps[1], strict=True))
    assert not torch.equal(trained.heads[0][0].weight, random.heads[0][0].weight)
    assert len(list(identity.heads.parameters())) == 0
    assert torch.equal(random.heads[0][0].weight, asccl.load_metric(heads="random").heads[0][0].weight)


def test_a_file_is_loaded_with_its_own_backbone_folded(small_file):
    path, metric = small_file
    loaded = asccl.load_metric(path)
    a, b = smooth_image(1), smooth_image(2)
    assert loaded(a, b).item() == pytest.approx(metric(a, b).item(), abs=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in loaded.modules())
    assert asccl.load_metric(path, heads="identity").heads[0](a) is a


def test_a_backbone_alone_has_no_trained_heads():
    with pytest.raises(WeightsError, match='without a trained mapping: give heads="random"'):
        asccl.load_metric("mobilefacenet-arcface")
    assert asccl.load_metric("mobilefacenet-arcface", heads="random")(smooth_image(0), smooth_image(1)).shape == (1,)


def test_an_unknown_network_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", {"kind": "scc", "backbone": "vit"})
    with pytest.raises(WeightsError, match="'vit', which does not exist here"):
        asccl.load_metric(tmp_path / "odd.safetensors")


def test_a_misspelt_choice_is_refused():
    with pytest.raises(ValueError, match="expected heads to be"):
        asccl.load_metric(heads="untrained")


def test_a_truncated_file_is_refused(small_file, tmp_path):
    path, _ = small_file
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        asccl.load_metric(cut)

"""The metric's training, very small: it runs, learns what it says, and makes the same file every time."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from asccl import load_metric
from asccl.metric.daas import daas_weight
from asccl.nets.iresnet import IResNet
from asccl.synthetic.paired_takes import SyntheticTakes
from asccl.zoo import create_metric
from training.engine.settings import load_preset
from training.losses import frames_contrast
from training.train_metric import CachedTakes, MetricObjective, MetricSettings, calibrate_heads, main


@pytest.fixture(scope="module")
def takes() -> torch.Tensor:
    return torch.stack(list(map(CachedTakes(SyntheticTakes(3, 48, 2, 3)).__getitem__, (0, 1))))


def test_one_command_makes_the_same_file_twice(tmp_path):
    made = []
    for name in ("a", "b"):
        table = load_preset(MetricSettings, "smoke") | {"size": 48, "output": tmp_path / name, "tracker": "none"}
        main(MetricSettings(**table | {"weights": tmp_path / f"{name}.safetensors"}))
        made.append((tmp_path / f"{name}.safetensors").read_bytes())
    assert made[0] == made[1]
    tensors, untrained = load_file(tmp_path / "a.safetensors"), create_metric().state_dict()
    assert tensors.keys() == untrained.keys()
    changed = {name for name in tensors if not torch.equal(tensors[name], untrained[name])}
    assert changed and all(name.startswith("heads.") for name in changed)  # the backbone was frozen


def test_a_metric_trained_with_its_backbone_can_be_loaded(tmp_path):
    torch.manual_seed(0)
    backbone = IResNet(18, head=True)
    state = {name: value for name, value in backbone.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "arcface.safetensors", {"backbone": "iresnet18", "embedding": "yes"})
    main(MetricSettings(tmp_path / "run", steps=1, batch_size=1, synthetic_takes=1, frames_per_take=2, held_out_takes=1, size=48, regions=16,
                        backbone=str(tmp_path / "arcface.safetensors"), train_backbone=True, frames_weight=0,
                        weights=tmp_path / "mine.safetensors"))  # fmt: skip
    metric, before = (
        load_metric(tmp_path / "mine.safetensors"),
        load_metric(tmp_path / "arcface.safetensors", heads="random"),
    )
    x = torch.rand(1, 3, 48, 48)
    assert not torch.equal(metric.feature_maps(x)[0], before.feature_maps(x)[0])


def test_a_few_steps_lower_both_losses(takes):
    metric = create_metric()
    metric.backbone.freeze()
    learner = MetricObjective(metric, MetricSettings(regions=16))
    optimizer = torch.optim.Adam(metric.heads.parameters(), 1e-3)
    seen = []
    for step in range(12):
        losses = learner(takes, torch.Generator().manual_seed(step % 2))
        seen.append({name: value.item() for name, value in losses.items()})
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert all(seen[-1][name] < 0.95 * seen[1][name] for name in ("regions", "frames"))


def test_frames_contrast_is_small_for_frames_that_tell_themselves_apart_and_log_k_for_equal_ones():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 4, 8, 6, generator=rng)
    valid = torch.ones(4, 8, dtype=torch.bool)
    assert frames_contrast(x, x, valid).item() < 0.05
    same = x[:, :1].expand_as(x)
    assert frames_contrast(same, same, valid).item() == pytest.approx(math.log(5), abs=1e-4)


def test_after_calibration_the_median_region_weighs_about_one(takes):
    metric = create_metric()
    pictures = takes.flatten(0, 2)
    before = metric(*(pictures[n : n + 1].float() / 127.5 - 1 for n in (0, 1)))
    calibrate_heads(metric, pictures)
    after = metric(*(pictures[n : n + 1].float() / 127.5 - 1 for n in (0, 1)))
    assert torch.allclose(before, after, atol=1e-5)
    maps = metric.feature_maps(pictures.float() / 127.5 - 1)
    for part in metric.disparities(maps, metric.sample_pairs(maps)):
        middle = daas_weight(part.values[:, part.pairs.inside]).median().item()
        assert middle == pytest.approx(2 * torch.sigmoid(torch.tensor(1.0)).item() ** 2, rel=0.02)

"""The metric's training, very small: it runs, lowers its losses, and makes the same file every time."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from asccl import load_metric
from asccl.errors import SettingError, WeightsError
from asccl.metric.daas import daas_weight
from asccl.nets.iresnet import IResNet
from asccl.synthetic.paired_takes import SyntheticTakes
from asccl.zoo import create_metric
from training.engine.settings import load_preset
from training.train_metric import CachedTakes, MetricObjective, MetricSettings, calibrate_mappings, main


def tiny_settings(folder: Path, name: str, **changes: object) -> MetricSettings:
    paths = {"output": folder / name, "weights": folder / f"{name}.safetensors"}
    return MetricSettings(**load_preset(MetricSettings, "smoke") | {"size": 48} | paths | changes)


@pytest.fixture(scope="module")
def takes() -> torch.Tensor:
    data = CachedTakes(SyntheticTakes(3, 48, 2, 3))
    return torch.stack([data[0], data[1]])


def test_one_command_makes_the_same_file_twice(tmp_path):
    for name in ("a", "b"):
        main(tiny_settings(tmp_path, name))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_frozen_backbone_does_not_change(tmp_path):
    main(tiny_settings(tmp_path, "a", steps=1))
    trained, untrained = load_file(tmp_path / "a.safetensors"), create_metric().state_dict()
    assert trained.keys() == untrained.keys()
    changed = {name for name in trained if not torch.equal(trained[name], untrained[name])}
    assert changed
    assert all(name.startswith("heads.") for name in changed)


def test_a_metric_trained_with_its_backbone_can_be_loaded(tmp_path):
    torch.manual_seed(0)
    backbone = IResNet(18, head=True)
    state = {name: value for name, value in backbone.state_dict().items() if not name.endswith("num_batches_tracked")}
    file = tmp_path / "arcface.safetensors"
    save_file(state, file, {"backbone": "iresnet18", "embedding": "yes"})
    changes = {"steps": 1, "synthetic_takes": 1, "frames_per_take": 2, "frames_weight": 0, "train_backbone": True}
    settings = tiny_settings(tmp_path, "trained", backbone=str(file), **changes)
    main(settings)
    trained, untrained = load_metric(settings.weights), load_metric(file, heads="random")
    image = torch.rand(1, 3, 48, 48)
    assert not torch.equal(trained.feature_maps(image)[0], untrained.feature_maps(image)[0])


def test_a_backbone_of_another_kind_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="ned-manipulator"):
        main(tiny_settings(tmp_path, "a", backbone="ned-manipulator"))


def test_a_few_steps_lower_both_losses(takes):
    metric = create_metric()
    metric.backbone.freeze()
    objective = MetricObjective(metric, MetricSettings(regions=16))
    optimizer = torch.optim.Adam(metric.heads.parameters(), 1e-3)
    history = []
    for step in range(12):
        losses = objective(takes, torch.Generator().manual_seed(step % 2))
        history.append({name: value.item() for name, value in losses.items()})
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert all(history[-1][name] < 0.95 * history[1][name] for name in ("regions", "frames"))


def test_calibration_does_not_change_the_score(takes):
    metric, images = create_metric(), takes.flatten(0, 2)
    first, second = (images[n : n + 1].float() / 127.5 - 1 for n in (0, 1))
    before = metric(first, second)
    calibrate_mappings(metric, images)
    assert torch.allclose(before, metric(first, second), atol=1e-5)


def test_after_calibration_the_median_region_has_a_weight_of_about_one(takes):
    metric, images = create_metric(), takes.flatten(0, 2)
    calibrate_mappings(metric, images)
    maps = metric.feature_maps(images.float() / 127.5 - 1)
    for disparities in metric.disparities(maps, metric.sample_pairs(maps)):
        median = daas_weight(disparities.values[:, disparities.pairs.inside]).median().item()
        assert median == pytest.approx(2 * torch.sigmoid(torch.tensor(1.0)).item() ** 2, rel=0.02)


def test_a_size_that_the_metric_cannot_read_is_refused():
    with pytest.raises(SettingError, match="cannot read images of 50 pixels: give --size a multiple of 16, 32 or more"):
        main(MetricSettings(size=50))

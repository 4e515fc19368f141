"""ICface's training, very small: reproducible, resumed, on prepared clips; and its errors."""

from pathlib import Path

import pytest
import torch
from recordings import word_coefficients, write_recording
from torch import nn
from training_runs import read_log

import training.losses
from asccl import tensor_files
from asccl.data.labels import Labels
from asccl.errors import InputError, SettingError, WeightsError
from asccl.nets.icface import IcfaceGenerator, initialize
from asccl.nets.icface_settings import DISCRIMINATOR_KIND, IcfaceSettings
from asccl.zoo import load_icface
from training.engine import checkpoint
from training.engine.loop import DivergedError
from training.engine.settings import load_preset
from training.icface_settings import IcfaceTrainingSettings, validate_settings
from training.train_icface import RMSPROP_ALPHA, build_optimizer, main

FILES = ("a.safetensors", "a-D.safetensors")


def smoke_settings(folder: Path, name: str = "a", **changes: object) -> IcfaceTrainingSettings:
    paths = {"output": folder / name, "weights": folder / f"{name}.safetensors"}
    return IcfaceTrainingSettings(**load_preset(IcfaceTrainingSettings, "smoke") | paths | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of a complete training; a.safetensors is its file."""
    folder = tmp_path_factory.mktemp("finished")
    main(smoke_settings(folder))
    return folder


def test_it_makes_a_file_that_the_renderer_loads(finished):
    net = load_icface(finished / "a.safetensors")
    assert net.settings == IcfaceSettings(
        width=12, blocks=1, downsamplings=1, dropout=0.5, size=32, norm="group", synthesis="warp"
    )
    assert net.frozen
    assert tensor_files.read_metadata(finished / "a-D.safetensors")["kind"] == DISCRIMINATOR_KIND


def test_it_saves_sample_images(finished):
    names = sorted(path.name for path in (finished / "a" / "samples").iterdir())
    assert names == [f"step-{step:08d}.png" for step in (0, 2, 4)]


def test_it_logs_the_losses_of_all_phases_and_the_metrics_of_copies(finished):
    names = {name for line in read_log(finished / "a") for name in line}
    heads = {"adversarial", "attributes", "identity"}
    assert {f"animator/{name}" for name in heads | {"reconstruction"}} <= names
    assert {f"neutralizer/{name}" for name in heads | {"reconstruction", "neutral"}} <= names
    assert {f"discriminator/{name}" for name in ("real", "fake", "fake_neutral", "r1")} <= names
    assert {"edit/psnr", "edit/copy_psnr", "reenactment/attributes"} <= names


def test_killed_it_resumes_to_the_same_losses_and_the_same_files(finished, tmp_path, monkeypatch):
    save = checkpoint.save

    def interrupt(accelerator, folder, step):
        if step == 4:
            raise KeyboardInterrupt
        save(accelerator, folder, step)

    monkeypatch.setattr(checkpoint, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        main(smoke_settings(tmp_path))
    monkeypatch.undo()
    main(smoke_settings(tmp_path))
    assert [(tmp_path / file).read_bytes() for file in FILES] == [(finished / file).read_bytes() for file in FILES]
    assert read_log(tmp_path / "a") == read_log(finished / "a")


def test_it_starts_from_a_file(finished, tmp_path):
    main(smoke_settings(tmp_path, "b", start_from=str(finished / "a.safetensors"), steps=1))
    expected = read_log(finished / "a")[-1]["edit/psnr"]
    assert read_log(tmp_path / "b")[0]["edit/psnr"] == pytest.approx(expected, abs=1e-3)


def test_the_published_networks_are_trained_from_their_initial_weights(tmp_path):
    main(smoke_settings(tmp_path, steps=1, initialization="published", norm="batch", synthesis="colours"))
    weight = load_icface(tmp_path / "a.safetensors").animator.model[1].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_networks_change_images_that_are_larger_than_what_they_read(tmp_path):
    main(smoke_settings(tmp_path, steps=1, network_size=16))
    assert load_icface(tmp_path / "a.safetensors").settings.size == 16


def test_asccl_compares_the_edits(tmp_path):
    main(smoke_settings(tmp_path, steps=1, asccl_weight=0.3, asccl_size=32))
    line = next(line for line in read_log(tmp_path / "a") if "animator/asccl" in line)
    assert line["animator/asccl"] > 0


def test_it_trains_on_prepared_clips(tmp_path):
    data = tmp_path / "prepared"
    for number in range(2):
        write_recording(data, Labels(f"P{number}", "happy", "1"), word_coefficients(number, 6))
    main(smoke_settings(tmp_path, steps=1, data=data))
    assert tensor_files.read_metadata(tmp_path / "a-D.safetensors")["identities"] == "2"
    assert {name.split("/")[0] for name in read_log(tmp_path / "a")[0]} == {"step", "reenactment"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 36}, "images of 36 pixels do not fit.*: give other sizes"),
        ({"width": 0}, "there is no network of the sizes .*: give other sizes"),
        ({"network_size": 24}, "networks of 24 pixels do not change images of 32 pixels: give other sizes"),
        ({"network_size": 16, "synthesis": "colours"}, "networks of 16 pixels do not change images of 32 pixels"),
        ({"vgg_weight": 0.1}, "VGG-19's weights are not bundled: give --vgg FILE"),
        ({"asccl_weight": 0.3, "edits": 0}, "0 edits of batches of 2, ASCCL weight 0.3: give --edits from 0"),
        ({"edits": 3}, "3 edits of batches of 2"),
        ({"asccl_size": 40}, "images of 40 pixels: give --asccl-size a multiple of 16"),
        (
            {"edit_share": 0.5, "data": Path("prepared")},
            "edit_share is 0.5.*: give --edit-share from 0 to 1 without --data",
        ),
        ({"held_out_frames": 0}, "held_out_frames is 0, .* give --held-out-frames 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, changes, message):
    with pytest.raises(SettingError, match=message):
        validate_settings(smoke_settings(tmp_path, **changes))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        main(smoke_settings(tmp_path, data=tmp_path / "nowhere"))


def test_the_file_of_another_network_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"mobilefacenet-arcface\.safetensors"):
        main(smoke_settings(tmp_path, start_from="mobilefacenet-arcface"))


def test_a_folder_of_a_training_with_other_sizes_is_refused(finished, tmp_path):
    with pytest.raises(SettingError, match=r"holds a training with width 12, not 16: give that value"):
        main(smoke_settings(finished, width=16))


def test_a_checkpoint_of_other_networks_is_refused(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_check_settings", lambda *_: None)
    with pytest.raises(WeightsError, match=r"step-00000004 is damaged, or of other networks \(.*: delete it"):
        main(smoke_settings(finished, width=16, steps=5))


def test_a_loss_that_is_nan_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(training.losses, "reconstruction", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(DivergedError, match=r"step 1: animator is nan .*reconstruction nan"):
        main(smoke_settings(tmp_path))


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_the_first_step_is_as_long_as_the_learning_rate_says(optimizer):
    layer = nn.Linear(3, 1)
    before = layer.weight.detach().clone()
    step = build_optimizer(IcfaceTrainingSettings(optimizer=optimizer, learning_rate=1e-3), layer)
    layer(torch.ones(1, 3)).sum().backward()
    step.step()
    torch.testing.assert_close(before - layer.weight, torch.full((1, 3), 1e-3))


def saturated_share(optimizer: torch.optim.Optimizer, net: IcfaceGenerator) -> float:
    """Share of the colours of a network at the ends of their range, after one step towards its own input."""
    images, controls = 1.2 * torch.rand(8, 3, 16, 16) - 0.6, torch.rand(8, 20)
    (net(images, controls) - images).abs().mean().backward()
    optimizer.step()
    return (net(images, controls).abs() > 0.99).float().mean().item()


@pytest.mark.parametrize(("is_corrected", "expected"), [(True, False), (False, True)])
def test_without_the_bias_correction_one_step_saturates_a_network_of_the_published_width(is_corrected, expected):
    torch.manual_seed(0)
    net = IcfaceGenerator(IcfaceSettings(width=128, blocks=2, size=16))
    initialize(net)
    settings = IcfaceTrainingSettings()
    plain = torch.optim.RMSprop(net.parameters(), settings.learning_rate, RMSPROP_ALPHA)
    optimizer = build_optimizer(settings, net) if is_corrected else plain
    assert (saturated_share(optimizer, net) > 0.5) == expected

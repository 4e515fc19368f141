"""The renderer's training, very small: reproducible, resumed, on two devices, started from a file; and its errors."""

import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import read_log, run_module

import training.losses
from asccl import tensor_files
from asccl.errors import InputError, OutputError, SettingError
from asccl.nets.ned_renderer import RendererSizes
from asccl.zoo import load_renderer
from training.engine import checkpoint
from training.engine.loop import DivergedError
from training.engine.networks import ema_update
from training.engine.settings import load_preset
from training.renderer_settings import RendererSettings, validate_settings
from training.train_renderer import main

FILES = ("a.safetensors", "a-D.safetensors", "a-Dm.safetensors")


def smoke_settings(folder: Path, name: str, **changes: object) -> RendererSettings:
    paths = {"output": folder / name, "weights": folder / f"{name}.safetensors"}
    return RendererSettings(**load_preset(RendererSettings, "smoke") | paths | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of a complete training; a.safetensors is its file."""
    folder = tmp_path_factory.mktemp("finished")
    main(smoke_settings(folder, "a"))
    return folder


def test_it_makes_a_file_that_an_edit_can_use(finished):
    net, metadata = load_renderer(finished / "a.safetensors")
    assert metadata.sizes == RendererSizes(4, 2, 2, 4, 2, 2, False)
    assert metadata.size == 32
    assert net.frozen
    assert tensor_files.read_metadata(finished / "a-Dm.safetensors")["kind"] == "ned-discriminator"


def test_it_saves_sample_images(finished):
    names = sorted(path.name for path in (finished / "a" / "samples").iterdir())
    assert names == [f"step-{step:08d}.png" for step in (0, 1, 2, 4)]


def test_held_out_frames_get_better(finished):
    evaluations = [line for line in read_log(finished / "a") if "psnr" in line]
    assert evaluations[-1]["psnr"] > evaluations[0]["psnr"]
    assert evaluations[-1]["distance"] > 0


def test_killed_it_resumes_to_the_same_losses_and_the_same_files(finished, tmp_path, monkeypatch):
    save = checkpoint.save

    def interrupt(accelerator, folder, step):
        if step == 4:
            raise KeyboardInterrupt
        save(accelerator, folder, step)

    monkeypatch.setattr(checkpoint, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        main(smoke_settings(tmp_path, "a"))
    monkeypatch.undo()
    main(smoke_settings(tmp_path, "a"))
    assert read_log(tmp_path / "a") == read_log(finished / "a")
    assert [(tmp_path / file).read_bytes() for file in FILES] == [(finished / file).read_bytes() for file in FILES]


def test_gradients_of_two_processes_are_those_of_one_with_twice_the_batch(finished, tmp_path):
    def train(name: str, batch_size: int, processes: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / name
        options = ["--preset", "smoke", "--batch-size", str(batch_size), "--steps", "2"]
        options += ["--output", str(folder), "--weights", str(folder / "a.safetensors")]
        options += ["--start-from", str(finished / "a.safetensors")]
        process = run_module("tests.training.train_with_sgd", "renderer", *options, processes=processes)
        assert process.returncode == 0, process.stderr
        return {file: load_file(folder / file) for file in FILES}

    one, two = train("one", 4, 1), train("two", 2, 2)
    for file in FILES:
        before, changed = load_file(finished / file), 0
        for name, value in one[file].items():
            change = (value - before[name]).abs().max()
            changed += bool(change > 1e-5)
            assert (value - two[file][name]).abs().max() <= 5e-3 * change + 1e-6, f"{file} {name}"
        assert changed > 5


def test_it_starts_from_a_file(finished, tmp_path):
    main(smoke_settings(tmp_path, "b", start_from=str(finished / "a.safetensors"), steps=1))
    expected = read_log(finished / "a")[-1]["psnr"]
    assert read_log(tmp_path / "b")[0]["psnr"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 34}, "size 34 does not fit 2 downsamplings: give a multiple of 4"),
        ({"vgg_weight": 10.0}, "VGG-19's weights are not bundled: give --vgg FILE"),
        ({"held_out_share": 1.0}, "held_out_share 1.0"),
        ({"edited_share": 1.5}, "edited_share 1.5 is out of range"),
        ({"asccl_image_size": 60}, "the metric cannot read images of 60 pixels"),
        (
            {"temporal_weight": 0.1, "window_frames": 1},
            "temporal_weight compares consecutive frames, and window_frames is 1",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, changes, message):
    with pytest.raises(SettingError, match=message):
        validate_settings(smoke_settings(tmp_path, "b", **changes))


def test_without_gan_losses_only_the_generator_trains(tmp_path):
    weights = {"adversarial_weight": 0.0, "features_weight": 0.0, "asccl_weight": 0.1}
    main(smoke_settings(tmp_path, "b", steps=1, **weights))
    assert read_log(tmp_path / "b")[1].keys() == {"step", "renderer/pixels", "renderer/asccl"}
    assert not (tmp_path / "b-D.safetensors").exists()


def test_edited_frames_are_supervised_by_asccl_and_the_discriminators(tmp_path):
    main(
        smoke_settings(tmp_path, "b", steps=2, asccl_on="both", edited_share=1.0, asccl_weight=0.1, temporal_weight=0.1)
    )
    losses = read_log(tmp_path / "b")[1]
    edited = {"edited_asccl", "edited_adversarial", "edited_mouth_adversarial"}
    assert {f"renderer/{name}" for name in edited | {"asccl"}} | {"discriminators/edited_fake"} <= losses.keys()
    assert losses["renderer/edited_asccl"] > 0


def test_without_asccl_weight_an_edit_has_adversarial_losses_alone(tmp_path):
    settings = {"asccl_on": "edited", "edited_share": 1.0, "asccl_weight": 0.0, "edits": "preset"}
    main(smoke_settings(tmp_path, "b", steps=1, **settings))
    losses = read_log(tmp_path / "b")[1]
    assert "renderer/edited_adversarial" in losses
    assert not any("asccl" in name for name in losses)


def test_a_full_disk_leaves_the_last_checkpoint(finished, tmp_path, monkeypatch):
    save, (_, limit) = checkpoint.save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_with_limit(accelerator, folder, step):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000 if step == 4 else limit, limit))
        try:
            save(accelerator, folder, step)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    monkeypatch.setattr(checkpoint, "save", save_with_limit)
    with pytest.raises(OutputError, match=r"step 4 cannot be written .*the last one \(step-00000002\) is intact"):
        main(smoke_settings(tmp_path, "a"))
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "a").glob("*step-*")] == ["step-00000002"]
    main(smoke_settings(tmp_path, "a"))
    assert (tmp_path / "a.safetensors").read_bytes() == (finished / "a.safetensors").read_bytes()


def test_a_loss_that_is_nan_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(training.losses, "masked_l1", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(DivergedError, match=r"step 1: renderer is nan \(pixels nan"):
        main(smoke_settings(tmp_path, "b"))


def test_too_short_a_clip_is_refused(tmp_path):
    message = "has 9 consecutive frames: give longer clips, or a smaller --window-frames"
    with pytest.raises(InputError, match=message):
        main(smoke_settings(tmp_path, "b", synthetic_frames=9, window_frames=7))


def test_the_moving_average_is_short_at_first():
    average = [torch.zeros(1)]
    ema_update(0.9)(average, [torch.ones(1)], torch.tensor(1))
    assert average[0] == pytest.approx(1 - 2 / 11)


def test_the_moving_average_reaches_its_decay():
    update, average = ema_update(0.9), [torch.zeros(1)]
    for n in range(1, 400):
        update(average, [torch.ones(1) * n], torch.tensor(n))
    assert average[0].item() == pytest.approx(399 - 9, abs=0.5)

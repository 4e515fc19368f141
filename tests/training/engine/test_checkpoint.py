"""Interrupted and failed trainings: one line says what to do, and the last good checkpoint is intact."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from training_runs import read_log, run_killed_module, start_module

from asccl.errors import SettingError, WeightsError
from training import train_manipulator, train_metric
from training.engine.checkpoint import LOG_FILE, SETTINGS_FILE, list_checkpoints
from training.engine.loop import DivergedError
from training.engine.settings import load_preset
from training.train_manipulator import ManipulatorSettings
from training.train_metric import MetricSettings

WEIGHTS = "weights.safetensors"


@pytest.fixture(autouse=True)
def single_thread():
    """As in the processes that are compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def manipulator_settings(folder: Path, **changes: object) -> ManipulatorSettings:
    table = load_preset(ManipulatorSettings, "smoke") | {"output": folder, "weights": folder / WEIGHTS}
    return ManipulatorSettings(**table | changes)


def manipulator_arguments(folder: Path, *options: str) -> list[str]:
    paths = ["--output", str(folder), "--weights", str(folder / WEIGHTS)]
    return ["--preset", "smoke", *paths, *options]


def start_manipulator(folder: Path, *options: str, **process_options: object) -> subprocess.Popen:
    return start_module("training.train_manipulator", *manipulator_arguments(folder, *options), **process_options)


def test_a_gan_killed_in_the_middle_resumes_to_the_same_losses_and_weights(tmp_path):
    changes = {"steps": 24, "save_every": 6, "evaluate_every": 12}
    uninterrupted = manipulator_settings(tmp_path / "uninterrupted", **changes)
    train_manipulator.main(uninterrupted)
    killed = tmp_path / "killed"
    options = [text for name, value in changes.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    arguments = manipulator_arguments(killed, *options)
    assert run_killed_module("training.train_manipulator", *arguments, file=LOG_FILE, count=10) == -signal.SIGKILL
    assert read_log(killed)[-1]["step"] == 8
    assert list_checkpoints(killed)
    train_manipulator.main(manipulator_settings(killed, **changes))
    assert read_log(killed) == read_log(tmp_path / "uninterrupted")
    assert (killed / WEIGHTS).read_bytes() == uninterrupted.weights.read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A training with checkpoints of its steps 2 and 4."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("finished")
    train_manipulator.main(manipulator_settings(folder))
    return folder


def test_a_full_disk_leaves_the_last_checkpoint_and_the_training_can_resume(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "step-00000004")
    (folder / WEIGHTS).unlink()

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start_manipulator(folder, preexec_fn=limit_file_size)
    errors = process.communicate()[1]
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "the checkpoint of step 4 cannot be written" in errors
    assert "the last one (step-00000002) is intact" in errors
    assert [path.name for path in folder.glob("*step-*")] == ["step-00000002"]
    train_manipulator.main(manipulator_settings(folder))
    assert (folder / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()
    assert read_log(folder) == read_log(finished)


def test_a_loss_that_diverges_leaves_the_last_checkpoint(tmp_path):
    settings = manipulator_settings(tmp_path / "run", learning_rate=1e18, steps=30, save_every=1)
    message = r"step \d+: (discriminator|manipulator) is (nan|inf).*intact"
    with pytest.raises(DivergedError, match=message) as caught:
        train_manipulator.main(settings)
    step = int(str(caught.value).split()[1].rstrip(":"))
    assert list_checkpoints(settings.output)[-1].name == f"step-{step - 1:08d}"
    assert not settings.weights.exists()


def test_a_damaged_checkpoint_says_what_to_delete(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / WEIGHTS).unlink()
    model = next((folder / "step-00000004").glob("model*.safetensors"))
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"step-00000004 is damaged.*delete it, then start again: the one before"):
        train_manipulator.main(manipulator_settings(folder))
    shutil.rmtree(folder / "step-00000004")
    train_manipulator.main(manipulator_settings(folder))
    assert (folder / WEIGHTS).read_bytes() == (finished / WEIGHTS).read_bytes()


def test_a_folder_of_another_training_is_refused(finished):
    settings = MetricSettings(**load_preset(MetricSettings, "smoke") | {"output": finished, "size": 48})
    with pytest.raises(SettingError, match="holds a training of the manipulator, not of the metric: give another"):
        train_metric.main(settings)


def test_a_folder_of_another_setting_is_refused(finished):
    with pytest.raises(SettingError, match="holds a training with width 16, not 24"):
        train_manipulator.main(manipulator_settings(finished, width=24))


@pytest.mark.parametrize("text", [None, "{"])
def test_checkpoints_without_readable_settings_are_refused(finished, tmp_path, text):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / SETTINGS_FILE).unlink()
    if text is not None:
        (folder / SETTINGS_FILE).write_text(text)
    with pytest.raises(WeightsError, match=r"settings\.json cannot be read .*: give another --output, or delete"):
        train_manipulator.main(manipulator_settings(folder))


@pytest.mark.parametrize(
    "changes", [{"asccl_share": 0.0}, {"held_out_sequences": 0}, {"width": 0}, {"adam_beta1": 1.5}]
)
def test_settings_of_the_manipulator_out_of_range_are_refused(tmp_path, changes):
    with pytest.raises(SettingError, match=f"^{next(iter(changes))} "):
        train_manipulator.main(manipulator_settings(tmp_path / "run", **changes))

"""What goes wrong in a training: one line that says what to do, and the last good checkpoint intact."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from media import ROOT
from recordings import HEAD, word_coefficients, write_recording
from safetensors.numpy import load_file, save_file
from torch.utils.data import Dataset

from asccl.data.clips import ClipFolder
from asccl.data.labels import Labels
from asccl.data.manifest import read_manifest
from asccl.errors import AscclError, InputError, SettingError, WeightsError
from asccl.types import EMOTIONS
from training import train_manipulator, train_metric
from training.engine.dataloader import LoaderError, loader_of, next_batch
from training.engine.loop import DivergedError, saved
from training.engine.settings import load_preset
from training.train_manipulator import ManipulatorSettings
from training.train_metric import MetricSettings


@pytest.fixture(autouse=True)
def one_thread():
    """As in the processes that are compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def manipulator(folder: Path, **more: object) -> ManipulatorSettings:
    table = load_preset(ManipulatorSettings, "smoke")
    return ManipulatorSettings(**table | {"output": folder, "weights": folder / "w.safetensors"} | more)


def start(folder: Path, *options: str, **more: object) -> subprocess.Popen:
    command = [
        sys.executable, "-m", "training.train_manipulator", "--preset", "smoke", "--output", str(folder), "--weights",
        str(folder / "w.safetensors"), *options,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, **more)


def lines(folder: Path) -> list[dict]:
    text = (folder / "log.jsonl").read_text() if (folder / "log.jsonl").exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def test_a_gan_killed_in_the_middle_resumes_to_the_same_losses(tmp_path):
    whole = manipulator(tmp_path / "whole", steps=24, save_every=6, evaluate_every=12)
    train_manipulator.main(whole)
    run = start(tmp_path / "killed", "--steps", "24", "--save-every", "6", "--evaluate-every", "12")
    while not any(line["step"] >= 8 for line in lines(tmp_path / "killed")) and run.poll() is None:
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL and saved(tmp_path / "killed")
    train_manipulator.main(manipulator(tmp_path / "killed", steps=24, save_every=6, evaluate_every=12))
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert (tmp_path / "killed/w.safetensors").read_bytes() == whole.weights.read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A training with checkpoints of its steps 2 and 4."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("finished")
    train_manipulator.main(manipulator(folder))
    return folder


def halfway(finished: Path, folder: Path) -> Path:
    """The same, before its last two steps."""
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "step-00000004")
    (folder / "w.safetensors").unlink()
    return folder


def test_a_full_disk_leaves_the_last_checkpoint_and_it_goes_on(finished, tmp_path):
    folder = halfway(finished, tmp_path / "run")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    run = start(folder, preexec_fn=limit)
    error = run.communicate()[1]
    assert run.returncode == 1 and "Traceback" not in error
    assert "the checkpoint of step 4 cannot be written" in error and "the last one (step-00000002) is intact" in error
    assert [path.name for path in folder.glob("*step-*")] == ["step-00000002"]
    train_manipulator.main(manipulator(folder))
    assert (folder / "w.safetensors").read_bytes() == (finished / "w.safetensors").read_bytes()
    assert lines(folder) == lines(finished)


def test_losses_that_are_no_numbers_leave_the_last_checkpoint(tmp_path):
    settings = manipulator(tmp_path / "run", learning_rate=1e18, steps=30, save_every=1)
    with pytest.raises(DivergedError, match=r"step \d+: (discriminator|manipulator) is (nan|inf).*intact") as caught:
        train_manipulator.main(settings)
    step = int(str(caught.value).split()[1].rstrip(":"))
    assert saved(settings.output)[-1].name == f"step-{step - 1:08d}" and not settings.weights.exists()


def test_a_damaged_checkpoint_says_what_to_delete(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "w.safetensors").unlink()
    model = next((folder / "step-00000004").glob("model*.safetensors"))
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"step-00000004 is damaged.*delete it, then start again: the one before"):
        train_manipulator.main(manipulator(folder))
    shutil.rmtree(folder / "step-00000004")
    train_manipulator.main(manipulator(folder))
    assert (folder / "w.safetensors").read_bytes() == (finished / "w.safetensors").read_bytes()


def test_a_folder_of_another_training_is_refused(finished, tmp_path):
    settings = MetricSettings(**load_preset(MetricSettings, "smoke") | {"output": finished, "size": 48})
    with pytest.raises(SettingError, match="holds a training of the manipulator, not of the metric: give another"):
        train_metric.main(settings)
    with pytest.raises(SettingError, match="holds a training with width 16, not 24"):
        train_manipulator.main(manipulator(finished, width=24))


def test_weights_of_another_kind_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="ned-manipulator"):
        train_metric.main(
            MetricSettings(
                tmp_path / "a", backbone="ned-manipulator", synthetic_takes=1, held_out_takes=1, frames_per_take=2
            )
        )
    with pytest.raises(WeightsError, match="ned-manipulator"):
        train_manipulator.main(manipulator(tmp_path / "b", asccl_weight=1.0, metric="ned-manipulator"))
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        train_manipulator.main(manipulator(tmp_path / "c", asccl_weight=1.0, metric="nowhere.safetensors"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, emotion in enumerate(("happy", "sad")):
        write_recording(tmp_path / "data", Labels("Ann", emotion, "w"), word_coefficients(1), number)
    return tmp_path / "data"


def test_a_manifest_that_lacks_files_or_has_another_order_is_refused(folder, tmp_path):
    first, second = read_manifest(folder)
    (folder / first.file).unlink()
    with pytest.raises(InputError, match=f"lacks files or holds altered ones: {first.file}: run"):
        train_manipulator.main(manipulator(tmp_path / "run", data=folder))
    manifest = folder / "manifest.jsonl"
    manifest.write_text(second.to_json_line().replace(json.dumps(EMOTIONS), json.dumps(EMOTIONS[::-1])))
    with pytest.raises(InputError, match="line 1 has the emotions in the order surprised, sad"):
        train_metric.main(MetricSettings(tmp_path / "run", data=folder))
    assert not saved(tmp_path / "run")


def test_tensors_of_a_wrong_shape_are_refused(folder):
    row = read_manifest(folder)[0]
    path = folder / row.file
    tensors = load_file(path)
    save_file(tensors | {"coefficients": np.ascontiguousarray(tensors["coefficients"][:, :51])}, path)
    data = path.read_bytes()
    row = replace(row, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / "manifest.jsonl").write_text(row.to_json_line())
    with pytest.raises(InputError, match=r"has coefficients of shape \(40, 51\), not \(40, 52\): prepare"):
        ClipFolder(folder, HEAD.names)


class Bad(Dataset):
    """Its process dies, or it has an error that a user can mend."""

    def __init__(self, error: AscclError | None = None):
        self.error = error

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if self.error is None:
            os._exit(9)
        raise self.error


def test_a_dying_loader_is_told_as_such():
    with pytest.raises(LoaderError, match=r"a process that loads data died \(.*: give it more memory or lower"):
        next_batch(iter(loader_of(Bad(), 2, 1)))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_data_crosses_processes_as_it_is(workers):
    with pytest.raises(InputError, match=r"^clip 7 is damaged: prepare it anew$"):
        next_batch(iter(loader_of(Bad(InputError("clip 7 is damaged", "prepare it anew")), 2, workers)))


def test_a_wrong_setting_is_one_line(tmp_path):
    run = start(tmp_path, "--data", str(tmp_path / "nowhere"))
    error = run.communicate()[1]
    assert run.returncode == 3 and error.count("\n") == 1 and "nowhere holds no clips: make them" in error

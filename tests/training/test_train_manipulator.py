"""The manipulator's training, very small."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import run_module

from asccl import tensor_files
from asccl.errors import WeightsError
from asccl.nets.ned_manipulator import ManipulatorSizes
from asccl.types import EMOTIONS
from training.engine.settings import load_preset
from training.train_manipulator import ManipulatorSettings, main


def smoke_settings(folder: Path, name: str, **changes: object) -> ManipulatorSettings:
    paths = {"output": folder / name, "weights": folder / f"{name}.safetensors"}
    return ManipulatorSettings(**load_preset(ManipulatorSettings, "smoke") | paths | changes)


def test_one_command_makes_the_same_file_twice(tmp_path):
    contents = []
    for name in ("a", "b", "b"):  # the last run finds all steps done and only writes the weights
        settings = smoke_settings(tmp_path, name)
        main(settings)
        contents.append(settings.weights.read_bytes())
    assert contents[0] == contents[1] == contents[2]
    assert (tmp_path / "a" / "log.jsonl").read_text().count("copy_error") == 3  # at the start, half way, at the end


def test_the_file_has_metadata_and_mean_styles(tmp_path):
    settings = smoke_settings(tmp_path, "a", steps=1)
    main(settings)
    metadata = tensor_files.read_metadata(settings.weights)
    assert ManipulatorSizes.from_metadata(metadata) == ManipulatorSizes(width=16, residual=True)
    assert metadata["space"] == "arkit"
    assert metadata["emotions"] == ",".join(EMOTIONS)
    assert load_file(settings.weights)["mean_style"].abs().sum() > 0


@pytest.mark.parametrize("metric", ["ned-manipulator", "nowhere.safetensors"])
def test_a_metric_of_another_kind_is_refused(tmp_path, metric):
    with pytest.raises(WeightsError, match=metric):
        main(smoke_settings(tmp_path, "a", asccl_weight=1.0, metric=metric))


def test_a_training_starts_from_the_networks_of_a_file(tmp_path):
    first = smoke_settings(tmp_path, "a", steps=1)
    main(first)
    second = smoke_settings(tmp_path, "b", steps=1, seed=1, learning_rate=0.0, start_from=str(first.weights))
    main(second)
    before, after = load_file(first.weights), load_file(second.weights)
    assert all(torch.equal(before[name], after[name]) for name in before if name != "mean_style")


def test_a_file_of_another_width_is_no_start(tmp_path):
    first = smoke_settings(tmp_path, "a", steps=1)
    main(first)
    with pytest.raises(WeightsError, match=r"--width and --residual"):
        main(smoke_settings(tmp_path, "b", width=32, start_from=str(first.weights)))


def test_a_wrong_setting_is_reported_in_one_line(tmp_path):
    options = ["--preset", "smoke", "--output", str(tmp_path), "--data", str(tmp_path / "nowhere")]
    process = run_module("training.train_manipulator", *options)
    assert process.returncode == 3
    assert process.stderr.count("\n") == 1
    assert "nowhere holds no clips: make them" in process.stderr

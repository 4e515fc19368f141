"""The loop in processes of its own, as people run it: killed, resumed, on two devices, with a loss that diverges."""

import json
import signal
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from training_runs import read_log, run_module

from training.engine.loop import Phase, PhaseResult


def train(folder: Path, *options: str, processes: int = 1) -> CompletedProcess:
    module = "tests.training.train_linear_layer"
    return run_module(module, "--output", str(folder), "--save-every", "4", *options, processes=processes)


def read_result(process: CompletedProcess) -> dict:
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_killed_at_any_moment_it_resumes_to_the_same_weights_and_losses(tmp_path):
    uninterrupted = read_result(train(tmp_path / "uninterrupted", "--steps", "10", "--log-every", "1"))
    killed = train(tmp_path / "killed", "--steps", "10", "--log-every", "1", "--kill-at", "7")
    assert killed.returncode == -signal.SIGKILL
    (tmp_path / "killed" / ".step-00000008.part").mkdir()  # as if it had died while it saved
    with (tmp_path / "killed" / "log.jsonl").open("a") as file:
        file.write('{"step": 7, "linear/dist')  # or while it wrote a line
    resumed = read_result(train(tmp_path / "killed", "--steps", "10", "--log-every", "1"))
    assert resumed["steps"] == 6  # from step 4 on
    assert resumed["weights"] == uninterrupted["weights"]
    assert read_log(tmp_path / "killed") == read_log(tmp_path / "uninterrupted")
    assert sorted(p.name for p in (tmp_path / "killed").glob("*step*")) == ["step-00000008", "step-00000010"]


def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    one = read_result(train(tmp_path / "one", "--steps", "6", "--batch-size", "4", "--no-noise"))
    two = read_result(train(tmp_path / "two", "--steps", "6", "--batch-size", "2", "--no-noise", processes=2))
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-5)


def test_a_loss_that_is_nan_ends_it_and_leaves_the_checkpoint(tmp_path):
    diverged = train(tmp_path / "run", "--steps", "10", "--diverge-at", "6")
    assert diverged.returncode != 0
    assert "DivergedError: step 6: linear is nan" in diverged.stderr
    assert "give another --output" in diverged.stderr
    assert [p.name for p in (tmp_path / "run").glob("step-*")] == ["step-00000004"]
    assert read_result(train(tmp_path / "run", "--steps", "10"))["steps"] == 6


def test_a_folder_of_other_settings_is_refused(tmp_path):
    assert train(tmp_path / "run", "--steps", "4").returncode == 0
    other = train(tmp_path / "run", "--steps", "4", "--batch-size", "4")
    assert "holds a training with batch_size 8, not 4: give that value, or another --output" in other.stderr


def test_too_little_data_is_refused(tmp_path):
    assert "24 items do not fill one batch of 30" in train(tmp_path / "run", "--batch-size", "30").stderr


def phase_with_weights(weights: dict[str, float]) -> Phase:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    return Phase("renderer", optimizer, lambda batch, output, rng: PhaseResult({}), weights)


@pytest.mark.parametrize(("weights", "total"), [({}, 5.0), ({"pixels": 10.0, "vgg": 1.0}, 23.0)])
def test_losses_are_summed_with_their_weights(weights, total):
    losses = {"pixels": torch.tensor(2.0), "vgg": torch.tensor(3.0)}
    assert phase_with_weights(weights).weighted_sum(losses) == total


def test_a_loss_without_a_weight_is_refused():
    losses = {"pixels": torch.tensor(2.0), "vgg": torch.tensor(3.0)}
    with pytest.raises(ValueError, match="every loss of the phase renderer, got none for vgg"):
        phase_with_weights({"pixels": 10.0}).weighted_sum(losses)

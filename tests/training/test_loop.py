"""The loop in processes of its own, as people run it: killed, resumed, on two devices, with a loss that explodes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def toy(folder: Path, *options: str, processes: int = 1) -> subprocess.CompletedProcess:
    start = [sys.executable, "-m"]
    if processes > 1:  # what `accelerate launch` runs, too
        start += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [*start, "tests.training.toy", "--output", str(folder), "--save-every", "4", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def learnt(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def losses(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_killed_at_any_moment_it_resumes_to_the_same_weights_and_losses(tmp_path):
    whole = learnt(toy(tmp_path / "whole", "--steps", "10", "--log-every", "1"))
    killed = toy(tmp_path / "killed", "--steps", "10", "--log-every", "1", "--die-at", "7")
    assert killed.returncode == -signal.SIGKILL
    (tmp_path / "killed" / ".step-00000008.part").mkdir()  # as if it had died while it saved
    with (tmp_path / "killed" / "log.jsonl").open("a") as file:
        file.write('{"step": 7, "toy/dist')  # or while it wrote a line
    rest = learnt(toy(tmp_path / "killed", "--steps", "10", "--log-every", "1"))
    assert rest["steps"] == 6  # from step 4 on
    assert rest["weights"] == whole["weights"]
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert sorted(p.name for p in (tmp_path / "killed").glob("*step*")) == ["step-00000008", "step-00000010"]


def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    one = learnt(toy(tmp_path / "one", "--steps", "6", "--batch-size", "4", "--no-noise"))
    two = learnt(toy(tmp_path / "two", "--steps", "6", "--batch-size", "2", "--no-noise", processes=2))
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-5)


def test_a_loss_that_is_no_number_ends_it_and_leaves_the_checkpoint(tmp_path):
    done = toy(tmp_path / "run", "--steps", "10", "--explode-at", "6")
    assert done.returncode != 0
    assert "DivergedError: step 6: toy is nan" in done.stderr and "give another --output" in done.stderr
    assert [p.name for p in (tmp_path / "run").glob("step-*")] == ["step-00000004"]
    assert learnt(toy(tmp_path / "run", "--steps", "10"))["steps"] == 6


def test_another_setting_is_not_taken_for_the_same_training(tmp_path):
    assert toy(tmp_path / "run", "--steps", "4").returncode == 0
    done = toy(tmp_path / "run", "--steps", "4", "--batch-size", "4")
    assert "holds a training with batch_size 8, not 4: give that value, or another --output" in done.stderr


def test_too_little_data_is_refused(tmp_path):
    done = toy(tmp_path / "run", "--batch-size", "30")
    assert "24 items do not fill one batch of 30" in done.stderr

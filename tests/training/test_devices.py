"""Two processes, as `accelerate launch` starts them on two devices, train as one does with their total batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from media import ROOT
from safetensors.torch import load_file
from torch import distributed as torch_distributed

from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.zoo import create_metric
from training import losses
from training.engine import distributed

SMALL = {
    "manipulator": [
        "--synthetic-sequences",
        "2",
        "--held-out-sequences",
        "1",
        "--width",
        "16",
        "--residual",
        "--paired-weight",
        "1",
    ],
    "metric": [
        "--synthetic-takes",
        "4",
        "--frames-per-take",
        "2",
        "--held-out-takes",
        "1",
        "--regions",
        "16",
        "--size",
        "48",
    ],
}


def trained(kind: str, folder: Path, batch: int, processes: int, steps: int = 2) -> dict[str, torch.Tensor]:
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
    command = [
        *start, "tests.training.plain_descent", kind, *SMALL[kind], "--batch-size", str(batch), "--steps", str(steps),
        "--output", str(folder), "--weights", str(folder / "weights.safetensors"),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return load_file(folder / "weights.safetensors")


@pytest.mark.parametrize(("kind", "batch"), [("manipulator", 8), ("metric", 2)])
def test_gradients_of_two_processes_are_those_of_one_with_twice_the_batch(tmp_path, kind, batch):
    one = trained(kind, tmp_path / "one", batch, 1)
    two = trained(kind, tmp_path / "two", batch // 2, 2)
    torch.manual_seed(0)
    first = Manipulator(ManipulatorSizes(width=16, residual=True)) if kind == "manipulator" else create_metric()
    moved = 0
    for name, before in first.state_dict().items():
        if name not in one or name == "mean_style" or (name.startswith("heads") and name.split(".")[2] == "2"):
            continue  # what is measured after the training, or scaled to it
        change = (one[name] - before).abs().max()
        moved += bool(change > 0)
        assert (one[name] - two[name]).abs().max() <= 2e-3 * change + 1e-7, name
    assert moved >= 4


def jaws() -> tuple[torch.Tensor, torch.Tensor]:
    """(4, 10) made and source; the first sequence rests."""
    made, source = torch.rand(2, 4, 10, generator=torch.Generator().manual_seed(0))
    source[0] = 0.4
    return made, source


def one_of_two(rank: int, folder: str) -> None:
    """A device that has half of the sequences."""
    torch_distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    loss = losses.mouth_correlation(*(x.chunk(2)[rank] for x in jaws()))
    (Path(folder) / f"{rank}.txt").write_text(repr(loss.item()))
    torch_distributed.destroy_process_group()


def test_a_mean_over_those_that_count_is_over_all_devices(tmp_path):
    torch.multiprocessing.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    each = [float((tmp_path / f"{rank}.txt").read_text()) for rank in (0, 1)]
    assert sum(each) / 2 == pytest.approx(losses.mouth_correlation(*jaws()).item(), rel=1e-5)


def test_one_device_draws_what_it_always_did():
    rng = torch.Generator().manual_seed(3)
    drawn = distributed.rank_slice(lambda n: torch.rand(n, 2, generator=rng), 5)
    assert torch.equal(drawn, torch.rand(5, 2, generator=torch.Generator().manual_seed(3)))
    assert distributed.mean_count(torch.tensor(3)).item() == 3

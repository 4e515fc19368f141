"""Two processes, as `accelerate launch` starts them on two devices, train as one does with their total batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed as torch_distributed
from training_runs import run_module

from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.zoo import create_metric
from training import losses
from training.engine import distributed

SMALL_MANIPULATOR = "--synthetic-sequences 2 --held-out-sequences 1 --width 16 --residual --paired-weight 1"
SMALL_METRIC = "--synthetic-takes 4 --frames-per-take 2 --held-out-takes 1 --regions 16 --size 48"
OPTIONS = {"manipulator": SMALL_MANIPULATOR.split(), "metric": SMALL_METRIC.split()}


def train(kind: str, folder: Path, batch_size: int, processes: int) -> dict[str, torch.Tensor]:
    weights = folder / "weights.safetensors"
    options = ["--batch-size", str(batch_size), "--steps", "2", "--output", str(folder), "--weights", str(weights)]
    process = run_module("tests.training.train_with_sgd", kind, *OPTIONS[kind], *options, processes=processes)
    assert process.returncode == 0, process.stderr
    return load_file(weights)


@pytest.mark.parametrize(("kind", "batch_size"), [("manipulator", 8), ("metric", 2)])
def test_gradients_of_two_processes_are_those_of_one_with_twice_the_batch(tmp_path, kind, batch_size):
    one = train(kind, tmp_path / "one", batch_size, 1)
    two = train(kind, tmp_path / "two", batch_size // 2, 2)
    torch.manual_seed(0)
    initial = Manipulator(ManipulatorSizes(width=16, residual=True)) if kind == "manipulator" else create_metric()
    changed = 0
    for name, before in initial.state_dict().items():
        if name not in one or name == "mean_style" or (name.startswith("heads") and name.split(".")[2] == "2"):
            continue  # measured after the training, or scaled to such a measurement
        change = (one[name] - before).abs().max()
        changed += bool(change > 0)
        assert (one[name] - two[name]).abs().max() <= 2e-3 * change + 1e-7, name
    assert changed >= 4


def jaw_sequences() -> tuple[torch.Tensor, torch.Tensor]:
    """(4, 10) generated and source; the first source is still."""
    generated, source = torch.rand(2, 4, 10, generator=torch.Generator().manual_seed(0))
    source[0] = 0.4
    return generated, source


def write_loss_of_half(rank: int, folder: str) -> None:
    """Compute the loss on a device that has half of the sequences."""
    torch_distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    loss = losses.mouth_correlation(*(x.chunk(2)[rank] for x in jaw_sequences()))
    (Path(folder) / f"{rank}.txt").write_text(repr(loss.item()))
    torch_distributed.destroy_process_group()


def test_a_mean_over_moving_jaws_is_over_all_devices(tmp_path):
    torch.multiprocessing.spawn(write_loss_of_half, (str(tmp_path),), nprocs=2)
    values = [float((tmp_path / f"{rank}.txt").read_text()) for rank in (0, 1)]
    assert sum(values) / 2 == pytest.approx(losses.mouth_correlation(*jaw_sequences()).item(), rel=1e-5)


def test_one_device_takes_all_random_numbers():
    rng = torch.Generator().manual_seed(3)
    random = distributed.rank_slice(lambda n: torch.rand(n, 2, generator=rng), 5)
    assert torch.equal(random, torch.rand(5, 2, generator=torch.Generator().manual_seed(3)))


def test_one_device_has_the_mean_count_itself():
    assert distributed.mean_count(torch.tensor(3)).item() == 3

"""Stand-ins for published checkpoints, with synthetic weights, and the command that converts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from official import names, synthetic_weights

from asccl.__main__ import main
from asccl.nets.blocks import tensor_shapes
from asccl.nets.inference import single_thread
from asccl.nets.iresnet import IResNet


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine several threads wait for each other."""
    with single_thread():
        yield


@pytest.fixture
def run_import(capsys) -> Callable[..., tuple[int, str]]:
    """Run `import-weights` with some arguments -> its exit status, and all of its output."""

    def run(*arguments: object) -> tuple[int, str]:
        try:
            status = main(["import-weights", *map(str, arguments)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        output = capsys.readouterr()
        return status, output.out + output.err

    return run


@pytest.fixture(scope="package")
def face() -> torch.Tensor:
    """(1, 3, 112, 112) RGB in [-1, 1]."""
    return torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(5)) * 2 - 1


@pytest.fixture(scope="package")
def small_net() -> IResNet:
    """IResNet-18 with its embedding: like IResNet-50, but faster."""
    net = IResNet(18, head=True)
    net.load_state_dict(synthetic_weights(tensor_shapes(net)), strict=False)
    return net.freeze()


@pytest.fixture(scope="package")
def authors_file(tmp_path_factory) -> Path:
    """A stand-in for the authors' metric."""
    path = tmp_path_factory.mktemp("authors") / "metric.pth"
    torch.save(synthetic_weights(names("scc")), path)
    return path

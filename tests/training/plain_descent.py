"""A training with plain gradient descent in Adam's place, so that weights tell their gradients:
`python -m tests.training.plain_descent manipulator|metric|renderer ...`. Runs under `accelerate launch`, too."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import torch
from torch.optim import SGD

from training import train_manipulator, train_metric, train_renderer
from training.engine.settings import command

RATE = 0.01
PROGRAMS = {
    "manipulator": (train_manipulator.main, train_manipulator.ManipulatorSettings),
    "metric": (train_metric.main, train_metric.MetricSettings),
    "renderer": (train_renderer.main, train_renderer.RendererSettings),
}


def plain(parameters: Iterable[torch.nn.Parameter], *_: object) -> SGD:
    return SGD(parameters, RATE)


if __name__ == "__main__":
    torch.optim.Adam = plain
    command(*PROGRAMS[sys.argv.pop(1)], None)

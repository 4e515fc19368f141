"""A training with plain gradient descent instead of Adam, so that the weights depend linearly on the gradients.

`python -m tests.training.train_with_sgd manipulator|metric|renderer ...`; it runs under `accelerate launch`, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import torch
from torch.optim import SGD

from training import train_manipulator, train_metric, train_renderer
from training.engine.settings import run_command

LEARNING_RATE = 0.01
PROGRAMS = {
    "manipulator": (train_manipulator.main, train_manipulator.ManipulatorSettings),
    "metric": (train_metric.main, train_metric.MetricSettings),
    "renderer": (train_renderer.main, train_renderer.RendererSettings),
}


def create_sgd(parameters: Iterable[torch.nn.Parameter], *_: object) -> SGD:
    """Accept the arguments of Adam."""
    return SGD(parameters, LEARNING_RATE)


if __name__ == "__main__":
    torch.optim.Adam = create_sgd
    run_command(*PROGRAMS[sys.argv.pop(1)], None)

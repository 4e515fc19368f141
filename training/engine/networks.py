"""Networks with their optimizers and schedules, and moving averages of their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel


class PreparedNetwork(NamedTuple):
    """A network that trains.

    Attributes:
        module: the network, prepared by Accelerate.
        optimizer: of its weights, prepared by Accelerate.
        schedule: of the learning rate, one move a step.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: LambdaLR


def prepare_networks(
    accelerator: Accelerator,
    networks: Sequence[nn.Module],
    build_optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    rate_factor: Callable[[int], float],
) -> list[PreparedNetwork]:
    """Prepare networks and optimizers for the devices, and register the schedules for checkpoints.

    Args:
        accelerator: from `loop.create_accelerator`.
        networks: each with its losses in one module.
        build_optimizer: network -> optimizer of its weights.
        rate_factor: step -> factor of the learning rate.
    """
    prepared = []
    for network in networks:
        module, optimizer = accelerator.prepare(network, build_optimizer(network))
        prepared.append(PreparedNetwork(module, optimizer, LambdaLR(optimizer, rate_factor)))
    accelerator.register_for_checkpointing(*(network.schedule for network in prepared))
    return prepared


def linear_decay(steps: int, warmup: int = 0) -> Callable[[int], float]:
    """Return the factor of the learning rate by step: 1 for the first half, then linearly to 0.

    Args:
        steps: of the training.
        warmup: steps in which the factor rises linearly to 1 first.
    """
    return lambda step: min(1.0, 2 * (1 - step / steps), (step + 1) / (warmup + 1))


def average_weights(accelerator: Accelerator, network: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of a network in evaluation mode, registered for checkpoints.

    Args:
        accelerator: from `loop.create_accelerator`.
        network: on the device where it trains.
        decay: see `ema_update`.
    """
    averaged = AveragedModel(network, multi_avg_fn=ema_update(decay))
    averaged.module.eval()
    accelerator.register_for_checkpointing(averaged)
    return averaged


def ema_update(decay: float) -> Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor], None]:
    """Return an update of an exponential moving average that is short at first.

    After n updates it averages over about n / 9 of them, until `decay` is reached.
    """

    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], n: torch.Tensor) -> None:
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + int(n)) / (10 + int(n))))

    return update

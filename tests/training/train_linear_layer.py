"""A training of one linear layer, for tests: `python -m tests.training.train_linear_layer --output DIR ...`.

It prints the trained weights and the number of its steps as JSON. It runs under `accelerate launch`, too.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import Dataset

from training.engine import loop
from training.engine.loop import Phase, PhaseResult
from training.engine.settings import LoopSettings, parse_settings


@dataclass(frozen=True)
class LinearSettings(LoopSettings):
    """Settings of the training.

    Attributes:
        kill_at: the process kills itself in this step of its own.
        diverge_at: the loss is NaN in this step of its own.
        noise: use random numbers in the loss.
    """

    changeable = LoopSettings.changeable | {"kill_at", "diverge_at"}
    kill_at: int = -1
    diverge_at: int = -1
    noise: bool = True


class RandomVectors(Dataset):
    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.randn(4, generator=torch.Generator().manual_seed(index))


class LinearObjective(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.layer(x) - x).square().mean()


def main(settings: LinearSettings) -> None:
    accelerator = loop.create_accelerator(settings)
    objective = LinearObjective()
    objective, optimizer = accelerator.prepare(objective, torch.optim.Adam(objective.parameters(), 0.05))
    steps = itertools.count(1)

    def linear_phase(batch: torch.Tensor, _: None, rng: torch.Generator) -> PhaseResult:
        step = next(steps)
        if step == settings.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        distance = objective(batch)
        if step == settings.diverge_at:
            return PhaseResult({"distance": distance * float("nan")})
        return PhaseResult({"distance": distance, "noise": settings.noise * torch.rand((), generator=rng) * distance})

    phase = Phase("linear", optimizer, linear_phase)
    loop.train(accelerator, [objective], [phase], RandomVectors(), settings, lambda: {"count": 1.0})
    if accelerator.is_main_process:
        weights = accelerator.unwrap_model(objective).layer.weight.detach().flatten().tolist()
        print(json.dumps({"weights": weights, "steps": next(steps) - 1}))


if __name__ == "__main__":
    main(parse_settings(LinearSettings))

"""A training of a few numbers, for tests of the loop: `python -m tests.training.toy --output DIR ...` prints what it
learnt. Runs under `accelerate launch`, too."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import Dataset

from training.engine import loop
from training.engine.settings import parse


@dataclass(frozen=True)
class ToySettings(loop.LoopSettings):
    """die_at: the process kills itself before this step. explode_at: the loss is no number there. noise: draw random
    numbers, too."""

    changeable = loop.LoopSettings.changeable | {"die_at", "explode_at"}
    die_at: int = -1
    explode_at: int = -1
    noise: bool = True


class Numbers(Dataset):
    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.randn(4, generator=torch.Generator().manual_seed(index))


class Learner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.layer(x) - x).square().mean()


def main(settings: ToySettings) -> None:
    run = loop.accelerator(settings)
    learner = Learner()
    learner, optimizer = run.prepare(learner, torch.optim.Adam(learner.parameters(), 0.05))
    seen = []

    def losses(batch: torch.Tensor, rng: torch.Generator) -> dict[str, torch.Tensor]:
        seen.append(batch)
        if len(seen) == settings.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(seen) == settings.explode_at:
            return {"distance": learner(batch) * float("nan")}
        distance = learner(batch)
        return {"distance": distance, "noise": settings.noise * torch.rand((), generator=rng) * distance}

    loop.train(run, [learner], [loop.Phase("toy", optimizer, losses)], Numbers(), settings, lambda: {"count": 1.0})
    if run.is_main_process:
        weights = run.unwrap_model(learner).layer.weight.detach().flatten().tolist()
        print(json.dumps({"weights": weights, "steps": len(seen)}))


if __name__ == "__main__":
    main(parse(ToySettings, None, sys.argv[1:]))

"""What the ASCCL term costs in a training of NED, and how hard it pulls, at both levels.

    python -m benchmarks.ned_cost [--steps 60] [--threads 1] [--repeats 5] [--preset cpu] [--json FILE]

The networks are taught for some steps without the term. Cost: processor time of a whole step, both turns, with the term
over that without it, side by side in one run; with as many pictures as the preset says, then as a step of the ablation
has. Pull: length of the term's gradient in the generator's weights over that of the trained metric with DAAS, at weight
1, for each supervision of the ablation; and over that of all other terms together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset, default_collate

from asccl.metric.loss import ASCCLLoss
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import Generator
from asccl.zoo import load_manipulator, load_metric
from benchmarks.report import print_rows
from training import losses, train_manipulator, train_renderer
from training.ablation.design import SUPERVISIONS
from training.datasets.portraits import RendererWindow, RendererWindows
from training.datasets.windows import ManipulatorWindow, SyntheticWindows
from training.engine.settings import PRESETS, load_preset
from training.renderer_step import Discriminators, generator_losses
from training.train_manipulator import ManipulatorObjective, ManipulatorSettings, RenderedASCCLLoss
from training.train_renderer import RendererSettings

Losses = Mapping[str, torch.Tensor]


def some(data: Dataset, kind: type, batch: int, number: int):
    """Batch `number` of a data set, always the same."""
    draw = torch.Generator().manual_seed(number)
    picked = torch.randint(len(data), (batch,), generator=draw).tolist()  # type: ignore[arg-type]
    return kind(*default_collate([data[i] for i in picked]))


class ManipulatorStage:
    """Stage 1 after a short training."""

    def __init__(self, settings: ManipulatorSettings):
        train_manipulator.main(settings)
        self.settings, self.head = settings, load_anny_head()
        net = deepcopy(load_manipulator(settings.weights)).requires_grad_(True)
        self.learner, self.critic = (
            ManipulatorObjective(net, self.head.index["jawOpen"]).train(),
            net.discriminator.train(),
        )
        self.generator: nn.Module = net.generator
        self.data = SyntheticWindows(settings.seed, settings.synthetic_sequences)
        s = settings
        self.weights = {
            "adversarial": s.adversarial_weight, "style": s.style_weight, "cycle": s.cycle_weight,
            "mouth_forward": s.mouth_weight, "mouth_back": s.mouth_weight, "paired": s.paired_weight,
        }  # fmt: skip

    def supervision(self, heads: str, daas: str, pictures: int, size: int) -> RenderedASCCLLoss:
        return RenderedASCCLLoss(self.head, load_metric(heads=heads), daas, pictures, size)  # type: ignore[arg-type]

    def losses(self, number: int, term: RenderedASCCLLoss | None) -> Losses:
        batch, rng = (
            some(self.data, ManipulatorWindow, self.settings.batch_size, number),
            torch.Generator().manual_seed(number),
        )
        return self.learner(batch, rng, self.critic, self.settings.paired_weight > 0, term)

    def other_turn(self, number: int) -> None:
        batch, rng = (
            some(self.data, ManipulatorWindow, self.settings.batch_size, number),
            torch.Generator().manual_seed(number),
        )
        with torch.no_grad():
            made, _ = self.learner.generate(batch, rng)
        scores = self.critic(torch.cat([batch.target, made]), torch.cat([batch.target_emotion] * 2)).chunk(2)
        (losses.lsgan_real(scores[0]) + losses.lsgan_fake(scores[1])).backward()


class RendererStage:
    """Stage 2 after a short training."""

    def __init__(self, settings: RendererSettings):
        train_renderer.main(settings)
        self.settings = settings
        self.generator, self.critics = Generator(settings.sizes()), Discriminators(settings.sizes())
        train_renderer.load_initial_weights(str(settings.weights), self.generator, self.critics)
        self.data = RendererWindows(train_renderer.load_portraits(settings)[0], settings.window_frames)
        self.weights = settings.loss_weights()

    def supervision(self, heads: str, daas: str, pictures: int, size: int) -> tuple[ASCCLLoss, int]:
        settings = replace(self.settings, heads=heads, daas=daas)
        return train_renderer.build_asccl_loss(settings, torch.device("cpu")), pictures

    def losses(self, number: int, term: tuple[ASCCLLoss, int] | None) -> Losses:
        batch = some(self.data, RendererWindow, self.settings.batch_size, number)
        asccl, most = term or (None, None)
        rng = torch.Generator().manual_seed(number)
        found, self.made = generator_losses(
            self.generator, self.critics, batch, rng, asccl, None, self.settings.cold_start_share, most
        )
        return found

    def other_turn(self, number: int) -> None:
        batch = some(self.data, RendererWindow, self.settings.batch_size, number)
        torch.stack(list(self.critics(batch, self.made).values())).sum().backward()


Stage = ManipulatorStage | RendererStage


def total(stage: Stage, found: Losses) -> torch.Tensor:
    return torch.stack([stage.weights.get(name, 1.0) * value for name, value in found.items()]).sum()


def seconds(stage: Stage, terms: Sequence, repeats: int) -> list[float]:
    """Processor time of a step with each of some terms, in turns; the fastest of each."""

    def step(number: int, term) -> float:
        start = time.process_time()
        total(stage, stage.losses(number, term)).backward()
        stage.other_turn(number)
        return time.process_time() - start

    times = [[step(number, term) for term in terms] for number in range(repeats + 1)]
    return [min(row) for row in zip(*times[1:], strict=True)]  # the first warms up


def lengths(stage: Stage, term, number: int) -> tuple[float, float]:
    """Of the gradients of the term, and of all other terms, in the generator's weights."""
    found = dict(stage.losses(number, term))
    weights = list(stage.generator.parameters())

    def length(loss: torch.Tensor) -> float:
        given = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        return torch.stack([g.square().sum() for g in given if g is not None]).sum().sqrt().item()

    return length(found.pop("asccl")), length(total(stage, found))


def measure(name: str, stage: Stage, small: tuple[int, int], large: tuple[int, int], repeats: int) -> dict[str, float]:
    """small, large: pictures a step and their side, in the ablation and in the preset."""
    terms = [None, *(stage.supervision("trained", "paper", *much) for much in (small, large))]
    plain, few, many = seconds(stage, terms, repeats)
    rows = {f"{name}: seconds a step without": plain}
    for (pictures, _), spent in ((small, few), (large, many)):
        rows[f"{name}: with {pictures} pictures, times as long"] = spent / plain
    pulls: dict[str, float] = {}
    for label, asccl in SUPERVISIONS.items():
        if asccl is None:
            continue
        term = stage.supervision(asccl.heads, asccl.daas, *small)
        both = [lengths(stage, term, number) for number in range(repeats)]
        own, rest = (sum(column) / repeats for column in zip(*both, strict=True))
        pulls[label] = own
        if label == "trained":
            rows[f"{name}: pull of the term over that of all others"] = own / rest
    return rows | {f"{name}: pull, {label}, over trained": own / pulls["trained"] for label, own in pulls.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("steps", 60), ("threads", 1), ("repeats", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--preset", default="cpu", help="of presets/ablation")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: dict[str, float | str] = {}
    recipe = str(PRESETS / "ablation" / f"{arguments.preset}.toml")
    with tempfile.TemporaryDirectory() as folder:
        for name, kind, make in (
            ("3DMM", ManipulatorSettings, ManipulatorStage),
            ("image", RendererSettings, RendererStage),
        ):
            table = load_preset(kind, recipe) | {"steps": arguments.steps}
            places = {"output": Path(folder) / name, "weights": Path(folder) / f"{name}.safetensors"}
            settings = kind(**table | places)
            small = (settings.asccl_images, getattr(settings, "asccl_image_size", 0))
            large = (8, 112) if name == "3DMM" else (settings.batch_size * settings.window_frames, 0)  # type: ignore[union-attr]
            rows |= measure(name, make(settings), small, large, arguments.repeats)  # type: ignore[arg-type]
    print_rows("ned_cost", rows, arguments.json)


if __name__ == "__main__":
    main()

"""Teach NED's manipulator (stage 1) to change the emotion of coefficient sequences and keep the words.

    python -m training.train_manipulator --preset cpu     # as the bundled one, into build/
    accelerate launch -m training.train_manipulator --preset paper --data /data/prepared

It goes on from the newest checkpoint in --output; delete that folder to begin anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.loss import ASCCLLoss, LossSettings
from asccl.metric.scc import SCCMetric
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.render import FrontalHeadRenderer
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes, encode_style, translate
from asccl.types import EMOTIONS
from asccl.zoo import DEFAULT_METRIC, load_metric
from training import losses
from training.datasets.recorded import RecordedWindows, labelled, split
from training.datasets.windows import ManipulatorWindow, SyntheticWindows
from training.engine import distributed, loop
from training.engine.settings import command
from training.engine.weights import write_weights

HELD_OUT = 1_000_000  # added to the seed of the sequences that are not trained on
UNCHANGED = 0.25  # share of the paired term in which the source already shows the reference's emotion


@dataclass(frozen=True)
class ManipulatorSettings(loop.LoopSettings):
    """data: folder of `training.prepare`; without one, sequences are made up. people, verify: see `ClipFolder`.
    sequences, held_out: how many are made up to train on, and to look at only. width, residual: see `ManipulatorSizes`.
    learning_rate: of Adam, with betas (momentum, 0.99), falling in a straight line over the second half.
    adversarial_weight, style_weight, cycle_weight, mouth_weight: of NED's terms, all 1 there. paired_weight: of the
    squared distance to the true answer, where the same words were said with both emotions; 0 is NED's training alone.
    asccl_weight: of ASCCL between pictures of the head before and after; 0 leaves it out. asccl_pictures: how many in a
    step, each of another sequence. asccl_size: their side, pixels. metric, heads: see `load_metric`. daas: see
    `LossSettings`. weights: file for the finished networks."""

    output: Path = Path("build/manipulator")
    weights: Path = Path("build/ned-manipulator.safetensors")
    batch_size: int = 64
    data: Path | None = None
    people: str = ""
    verify: bool = True
    synthetic_sequences: int = 2000
    held_out_sequences: int = 70
    width: int = 512
    residual: bool = False
    learning_rate: float = 1e-4
    adam_beta1: float = 0.0
    adversarial_weight: float = 1.0
    style_weight: float = 1.0
    cycle_weight: float = 1.0
    mouth_weight: float = 1.0
    paired_weight: float = 0.0
    asccl_weight: float = 0.0
    asccl_images: int = 8
    asccl_image_size: int = CROP_SIZE
    metric: str = DEFAULT_METRIC
    heads: str = "trained"
    daas: str = "paper"


class RenderedASCCLLoss(nn.Module):
    """ASCCL at the level of the 3DMM (paper, Table 5): of pictures of the head, not of its numbers.

    pictures: at most so many of a batch. size: of each, pixels."""

    def __init__(
        self, head: AnnyHead, metric: SCCMetric, daas: str = "paper", pictures: int = 8, size: int = CROP_SIZE
    ):
        super().__init__()
        self.picture, self.pictures = FrontalHeadRenderer(head, size), pictures
        self.loss = ASCCLLoss(metric, LossSettings(daas=daas))  # type: ignore[arg-type]

    def forward(self, source: torch.Tensor, made: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """(B, T, 52) both -> scalar, with gradient to `made`. One frame of each of the first sequences is drawn."""
        source, made = source[: self.pictures], made[: self.pictures]
        frame = distributed.rank_slice(
            lambda n: torch.randint(source.shape[1], (n,), generator=rng, device=rng.device), len(source)
        )
        before, after = (x[torch.arange(len(x), device=x.device), frame] for x in (source, made))
        with torch.no_grad():
            seen = self.picture(before)
        return self.loss(seen, self.picture(after), rng)


class ManipulatorObjective(nn.Module):
    """Generator, mapping network and style encoder with their losses in one module, so that several devices keep
    step."""

    def __init__(self, net: Manipulator, jaw: int):
        super().__init__()
        self.generator, self.mapping_network, self.style_encoder = (
            net.generator, net.mapping_network, net.style_encoder
        )  # fmt: skip
        self.latent, self.jaw = net.sizes.latent, jaw

    def generate(self, batch: ManipulatorWindow, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """The sources in a style drawn for their target emotion, (B, T, C) and (B, style)."""
        z = distributed.rank_slice(
            lambda n: torch.randn(n, self.latent, generator=rng, device=rng.device), len(batch.source)
        )
        style = self.mapping_network(z, batch.target_emotion)
        return self.generator(batch.source, style), style

    def forward(
        self,
        batch: ManipulatorWindow,
        rng: torch.Generator,
        discriminator: nn.Module,
        paired: bool,
        asccl: RenderedASCCLLoss | None = None,
    ) -> dict[str, torch.Tensor]:
        """-> losses "adversarial", "style", "cycle", "mouth_forward", "mouth_back"; on demand "paired", "asccl"."""
        made, style = self.generate(batch, rng)
        returned = self.generator(made, self.style_encoder(batch.source))
        found = {
            "adversarial": losses.lsgan_real(discriminator(made, batch.target_emotion)),
            "style": losses.style_reconstruction(self.style_encoder(made), style),
            "cycle": losses.cycle_consistency(returned, batch.source),
            "mouth_forward": losses.mouth_forward(made, batch.source, self.jaw),
            "mouth_back": losses.mouth_back(returned, made, self.jaw),
        }
        if paired:
            chance = distributed.rank_slice(lambda n: torch.rand(n, 1, 1, generator=rng, device=rng.device), len(style))
            given = torch.where(chance < UNCHANGED, batch.target, batch.source)
            answer = self.generator(given, self.style_encoder(batch.reference))
            found["paired"] = (F.mse_loss(answer, batch.target, reduction="none").mean((1, 2)) * batch.paired).mean()
        if asccl is not None:
            found["asccl"] = asccl(batch.source, made, rng)
        return found


Windows = SyntheticWindows | RecordedWindows


@torch.no_grad()
def mean_styles(net: Manipulator, data: Windows) -> torch.Tensor:
    """(emotions, style): of the sequences that show each emotion. An emotion that none shows keeps its own."""
    found: list[list[torch.Tensor]] = [[] for _ in EMOTIONS]
    for coefficients, emotion in data.examples():
        found[emotion].append(encode_style(net.style_encoder, _on(net, coefficients)))
    return torch.stack(
        [
            torch.stack(s).mean(0) if s else own
            for s, own in zip(found, net.mean_style.to(next(net.parameters()).device), strict=True)
        ]
    )


def _on(net: Manipulator, x: np.ndarray) -> torch.Tensor:
    """On the device of the networks that train; what else the manipulator keeps may lie elsewhere."""
    return torch.from_numpy(x).to(next(net.parameters()).device)


@torch.no_grad()
def evaluate_held_out(net: Manipulator, data: Windows, jaw: int) -> dict[str, float]:
    """Of sequences not trained on, in the emotion's mean style: mean distance to the truth, and the source's as it is,
    where there is a truth; correlation of the jaw with the source's; the share whose style is nearest to the wanted
    emotion's."""
    styles = mean_styles(net, data)
    found: dict[str, list[torch.Tensor]] = defaultdict(list)
    for source, target, emotion in data.tests():
        x = _on(net, source)
        made = translate(net.generator, x, styles[emotion])
        if target is not None:
            y = _on(net, target)
            found["copy_error"].append((x - y).abs().mean())
            found["error"].append((made - y).abs().mean())
        found["mouth_correlation"].append(torch.corrcoef(torch.stack([made[:, jaw], x[:, jaw]]))[0, 1])
        nearest = (styles - encode_style(net.style_encoder, made)).square().sum(1).argmin()
        found["style_found"].append((nearest == emotion).float())
    return {name: torch.stack(values).nanmean().item() for name, values in found.items()}


def linear_decay(steps: int):
    """Factor of the learning rate: 1 for the first half, then in a straight line to nothing."""
    return lambda step: min(1.0, 2 * (1 - step / steps))


def load_windows(settings: ManipulatorSettings, head: AnnyHead) -> tuple[Windows, Windows]:
    """To train on, and to look at only. Raises InputError."""
    if settings.data is None:
        drawn = SyntheticWindows(settings.seed, settings.synthetic_sequences)
        return drawn, SyntheticWindows(settings.seed + HELD_OUT, settings.held_out_sequences)
    clips = labelled(settings.data, head, settings.people, settings.verify)
    return RecordedWindows(settings.seed, split(clips, False)), RecordedWindows(settings.seed, split(clips, True))


def main(settings: ManipulatorSettings) -> None:
    run = loop.accelerator(settings)
    head = load_anny_head()
    jaw = head.index["jawOpen"]
    net = Manipulator(ManipulatorSizes(width=settings.width, residual=settings.residual))
    modules: list[nn.Module] = [ManipulatorObjective(net, jaw), net.discriminator]
    adams = [torch.optim.Adam(m.parameters(), settings.learning_rate, (settings.adam_beta1, 0.99)) for m in modules]
    learner, critic, *adams = run.prepare(*modules, *adams)
    schedules = [torch.optim.lr_scheduler.LambdaLR(a, linear_decay(settings.steps)) for a in adams]
    run.register_for_checkpointing(*schedules)

    on_pictures = None
    if settings.asccl_weight > 0:
        metric = load_metric(settings.metric, run.device, settings.heads)  # type: ignore[arg-type]
        on_pictures = RenderedASCCLLoss(head, metric, settings.daas, settings.asccl_images, settings.asccl_image_size)
        on_pictures.to(run.device)

    def judge(batch: ManipulatorWindow, rng: torch.Generator) -> Mapping[str, torch.Tensor]:
        with torch.no_grad():
            made, _ = run.unwrap_model(learner).generate(batch, rng)
        scores = critic(torch.cat([batch.target, made]), torch.cat([batch.target_emotion] * 2))
        real, fake = scores.chunk(2)
        return {"real": losses.lsgan_real(real), "fake": losses.lsgan_fake(fake)}

    def make(batch: ManipulatorWindow, rng: torch.Generator) -> Mapping[str, torch.Tensor]:
        return learner(batch, rng, critic, settings.paired_weight > 0, on_pictures)

    weights = {
        "adversarial": settings.adversarial_weight, "style": settings.style_weight, "cycle": settings.cycle_weight,
        "mouth_forward": settings.mouth_weight, "mouth_back": settings.mouth_weight,
        "paired": settings.paired_weight, "asccl": settings.asccl_weight,
    }  # fmt: skip
    turns = [
        loop.Phase("discriminator", adams[1], judge, schedule=schedules[1]),
        loop.Phase("manipulator", adams[0], make, weights, schedules[0]),
    ]
    data, held_out = load_windows(settings, head)
    loop.train(run, [learner, critic], turns, data, settings, lambda: evaluate_held_out(net, held_out, jaw))
    if run.is_main_process:
        net.mean_style.copy_(mean_styles(net, data))
        told = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS), **net.sizes.to_metadata()}
        write_weights(settings.weights, net.state_dict(), told)


if __name__ == "__main__":
    command(main, ManipulatorSettings, __doc__)

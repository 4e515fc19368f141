"""Teach NED's manipulator (stage 1) to change the emotion of coefficient sequences and keep the words.

    python -m training.train_manipulator --preset cpu     # as the bundled one, into build/
    accelerate launch -m training.train_manipulator --preset paper

It goes on from the newest checkpoint in --output; delete that folder to begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from asccl.face.crop import SIZE
from asccl.metric.loss import ASCCLLoss, LossSettings
from asccl.metric.scc import SCCMetric
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.render import HeadPicture
from asccl.nets.ned_manipulator import Manipulator, Sizes, style_of, translate
from asccl.types import EMOTIONS
from asccl.zoo import METRIC, load_metric
from training import loop, losses
from training.sequences import SyntheticWindows, Window
from training.settings import parse
from training.weights_file import write

HELD_OUT = 1_000_000  # added to the seed of the sequences that are not trained on
UNCHANGED = 0.25  # share of the paired term in which the source already shows the reference's emotion


@dataclass(frozen=True)
class ManipulatorSettings(loop.LoopSettings):
    """sequences, held_out: how many are drawn to train on, and to look at only. width, residual: see `Sizes`.
    learning_rate: of Adam, with betas (momentum, 0.99), falling in a straight line over the second half.
    adversarial_weight, style_weight, cycle_weight, mouth_weight: of NED's terms, all 1 there. paired_weight: of the
    squared distance to the true answer, which only synthetic sequences have; 0 leaves NED's training alone.
    asccl_weight: of ASCCL between pictures of the head before and after; 0 leaves it out. asccl_pictures: how many in a
    step, each of another sequence. asccl_size: their side, pixels. metric, heads: see `load_metric`. daas: see
    `LossSettings`. weights: file for the finished networks."""

    output: Path = Path("build/manipulator")
    weights: Path = Path("build/ned-manipulator.safetensors")
    batch: int = 64
    sequences: int = 2000
    held_out: int = 70
    width: int = 512
    residual: bool = False
    learning_rate: float = 1e-4
    momentum: float = 0.0
    adversarial_weight: float = 1.0
    style_weight: float = 1.0
    cycle_weight: float = 1.0
    mouth_weight: float = 1.0
    paired_weight: float = 0.0
    asccl_weight: float = 0.0
    asccl_pictures: int = 8
    asccl_size: int = SIZE
    metric: str = METRIC
    heads: str = "trained"
    daas: str = "paper"


class OnPictures(nn.Module):
    """ASCCL at the level of the 3DMM (paper, Table 5): of pictures of the head, not of its numbers.

    pictures: at most so many of a batch. size: of each, pixels."""

    def __init__(self, head: AnnyHead, metric: SCCMetric, daas: str = "paper", pictures: int = 8, size: int = SIZE):
        super().__init__()
        self.picture, self.pictures = HeadPicture(head, size), pictures
        self.loss = ASCCLLoss(metric, LossSettings(daas=daas))  # type: ignore[arg-type]

    def forward(self, source: torch.Tensor, made: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """(B, T, 52) both -> scalar, with gradient to `made`. One frame of each of the first sequences is drawn."""
        source, made = source[: self.pictures], made[: self.pictures]
        frame = torch.randint(source.shape[1], (len(source),), generator=rng, device=rng.device)
        before, after = (x[torch.arange(len(x), device=x.device), frame] for x in (source, made))
        with torch.no_grad():
            seen = self.picture(before)
        return self.loss(seen, self.picture(after), rng)


class Learner(nn.Module):
    """Generator, mapping network and style encoder with their losses in one module, so that several devices keep
    step."""

    def __init__(self, net: Manipulator, jaw: int):
        super().__init__()
        self.generator, self.mapping_network, self.style_encoder = (
            net.generator, net.mapping_network, net.style_encoder
        )  # fmt: skip
        self.latent, self.jaw = net.sizes.latent, jaw

    def fake(self, batch: Window, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """The sources in a style drawn for their target emotion, (B, T, C) and (B, style)."""
        z = torch.randn(len(batch.source), self.latent, generator=rng, device=rng.device)
        style = self.mapping_network(z, batch.target_emotion)
        return self.generator(batch.source, style), style

    def forward(
        self,
        batch: Window,
        rng: torch.Generator,
        discriminator: nn.Module,
        paired: bool,
        asccl: OnPictures | None = None,
    ) -> dict[str, torch.Tensor]:
        """-> losses "adversarial", "style", "cycle", "mouth_forward", "mouth_back"; on demand "paired", "asccl"."""
        made, style = self.fake(batch, rng)
        returned = self.generator(made, self.style_encoder(batch.source))
        found = {
            "adversarial": losses.lsgan_real(discriminator(made, batch.target_emotion)),
            "style": losses.style_reconstruction(self.style_encoder(made), style),
            "cycle": losses.cycle_consistency(returned, batch.source),
            "mouth_forward": losses.mouth_forward(made, batch.source, self.jaw),
            "mouth_back": losses.mouth_back(returned, made, self.jaw),
        }
        if paired:
            same = torch.rand(len(style), 1, 1, generator=rng, device=rng.device) < UNCHANGED
            given = torch.where(same, batch.target, batch.source)
            found["paired"] = F.mse_loss(self.generator(given, self.style_encoder(batch.reference)), batch.target)
        if asccl is not None:
            found["asccl"] = asccl(batch.source, made, rng)
        return found


@torch.no_grad()
def mean_styles(net: Manipulator, data: SyntheticWindows, most: int = 1000) -> torch.Tensor:
    """(emotions, style): of the sequences that show each emotion. An emotion that none shows keeps its own."""
    found: list[list[torch.Tensor]] = [[] for _ in EMOTIONS]
    for number in range(min(len(data.sequences), most)):
        _, target, _, emotion = data.sequence(number)
        found[emotion].append(style_of(net.style_encoder, _on(net, target)))
    return torch.stack(
        [
            torch.stack(s).mean(0) if s else own
            for s, own in zip(found, net.mean_style.to(next(net.parameters()).device), strict=True)
        ]
    )


def _on(net: Manipulator, x: np.ndarray) -> torch.Tensor:
    """On the device of the networks that train; what else the manipulator keeps may lie elsewhere."""
    return torch.from_numpy(x).to(next(net.parameters()).device)


def held_out_errors(net: Manipulator, data: SyntheticWindows, jaw: int) -> dict[str, float]:
    """Mean distance to the truth of sequences not trained on: of the source as it is, and in the emotion's mean style;
    and the correlation of the jaw with the source's."""
    styles = mean_styles(net, data)
    copied, changed, mouth = [], [], []
    for number in range(len(data.sequences)):
        source, target, _, emotion = data.sequence(number)
        x, y = _on(net, source), _on(net, target)
        made = translate(net.generator, x, styles[emotion])
        copied.append((x - y).abs().mean())
        changed.append((made - y).abs().mean())
        mouth.append(torch.corrcoef(torch.stack([made[:, jaw], x[:, jaw]]))[0, 1])
    means = [torch.stack(values).nanmean().item() for values in (copied, changed, mouth)]
    return dict(zip(("copy_error", "error", "mouth_correlation"), means, strict=True))


def falling(steps: int):
    """Factor of the learning rate: 1 for the first half, then in a straight line to nothing."""
    return lambda step: min(1.0, 2 * (1 - step / steps))


def main(settings: ManipulatorSettings) -> None:
    run = loop.accelerator(settings)
    head = load_anny_head()
    jaw = head.index["jawOpen"]
    net = Manipulator(Sizes(width=settings.width, residual=settings.residual))
    modules: list[nn.Module] = [Learner(net, jaw), net.discriminator]
    adams = [torch.optim.Adam(m.parameters(), settings.learning_rate, (settings.momentum, 0.99)) for m in modules]
    learner, critic, *adams = run.prepare(*modules, *adams)
    schedules = [torch.optim.lr_scheduler.LambdaLR(a, falling(settings.steps)) for a in adams]
    run.register_for_checkpointing(*schedules)

    on_pictures = None
    if settings.asccl_weight > 0:
        metric = load_metric(settings.metric, run.device, settings.heads)  # type: ignore[arg-type]
        on_pictures = OnPictures(head, metric, settings.daas, settings.asccl_pictures, settings.asccl_size)
        on_pictures.to(run.device)

    def judge(batch: Window, rng: torch.Generator) -> Mapping[str, torch.Tensor]:
        with torch.no_grad():
            made, _ = run.unwrap_model(learner).fake(batch, rng)
        scores = critic(torch.cat([batch.target, made]), torch.cat([batch.target_emotion] * 2))
        real, fake = scores.chunk(2)
        return {"real": losses.lsgan_real(real), "fake": losses.lsgan_fake(fake)}

    def make(batch: Window, rng: torch.Generator) -> Mapping[str, torch.Tensor]:
        return learner(batch, rng, critic, settings.paired_weight > 0, on_pictures)

    weights = {
        "adversarial": settings.adversarial_weight, "style": settings.style_weight, "cycle": settings.cycle_weight,
        "mouth_forward": settings.mouth_weight, "mouth_back": settings.mouth_weight,
        "paired": settings.paired_weight, "asccl": settings.asccl_weight,
    }  # fmt: skip
    turns = [
        loop.Turn("discriminator", adams[1], judge, schedule=schedules[1]),
        loop.Turn("manipulator", adams[0], make, weights, schedules[0]),
    ]
    data = SyntheticWindows(settings.seed, settings.sequences)
    held_out = SyntheticWindows(settings.seed + HELD_OUT, settings.held_out)
    loop.train(run, [learner, critic], turns, data, settings, lambda: held_out_errors(net, held_out, jaw))
    if run.is_main_process:
        net.mean_style.copy_(mean_styles(net, data))
        told = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS), **net.sizes.told()}
        write(settings.weights, net.state_dict(), told)


if __name__ == "__main__":
    main(parse(ManipulatorSettings, __doc__))

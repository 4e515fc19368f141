"""The generator's losses in a step: of the reconstruction of real frames, and of an edit that no real frame shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.loss import ASCCLLoss
from asccl.nets.ned_renderer import NedGenerator
from training import losses
from training.datasets.edited_windows import EditedWindow
from training.datasets.portraits import RendererWindow
from training.perceptual import PerceptualLoss
from training.renderer_settings import RendererSettings
from training.renderer_step import (
    Discriminators,
    GeneratorResult,
    batch_frames,
    compare_crops,
    frozen,
    generate_frames,
    generator_losses,
    previous_frames,
    select_targets,
)


def edited_losses(
    generator: nn.Module,
    discriminators: Discriminators | None,
    batch: EditedWindow,
    rng: torch.Generator,
    asccl: ASCCLLoss | None = None,
    max_asccl_images: int | None = None,
    asccl_image_size: int = CROP_SIZE,
) -> GeneratorResult:
    """Render an edit of a batch and compute the losses that need no true answer. Gradients reach the generator alone.

    The edit starts like a clip, with nothing before it, because the faces before it would be edited, too.

    Args:
        generator: NED's generator.
        discriminators: None leaves out the losses "edited_adversarial" and "edited_mouth_adversarial".
        batch: windows and the conditions of their edit.
        rng: random numbers.
        asccl: adds the loss "edited_asccl" between the source frame and the edited one. Pixels that only one of the two
            masks covers are not compared.
        max_asccl_images: see `compare_crops`.
        asccl_image_size: side of the crops, pixels.

    Returns:
        These losses and the edited faces.
    """
    window = batch.window()
    everywhere = torch.ones(len(window.frames), dtype=torch.bool, device=window.frames.device)
    edited = generate_frames(generator, window.conditions, previous_frames(window, everywhere))
    face, targets = edited.flatten(0, 1), select_targets(window)
    values = {}
    if discriminators is not None:
        with frozen(discriminators):
            features = discriminators.features(targets, face)
        for prefix, fake in zip(("", "mouth_"), features, strict=True):
            values[f"edited_{prefix}adversarial"] = losses.mean_over_scales(losses.lsgan_real, fake)
    if asccl is not None:
        comparable = select_targets(batch.source).mask == targets.mask
        limits = batch_frames(window), max_asccl_images
        values["edited_asccl"] = compare_crops(asccl, targets, face, rng, *limits, comparable, asccl_image_size)
    return GeneratorResult(values, edited)


@dataclass(frozen=True)
class FrozenLosses:
    """Losses with networks of their own, which are no part of the training.

    Attributes:
        asccl: the ASCCL loss, None without one.
        perceptual: the VGG loss, None without one.
    """

    asccl: ASCCLLoss | None
    perceptual: PerceptualLoss | None


class StepResult(NamedTuple):
    """Result of the generator phase of a step.

    Attributes:
        losses: named scalars.
        generated: (B, T - 2, 3, S, S) faces of the reconstruction.
        edited: faces of the edit of the same windows; None in a step without one.
    """

    losses: dict[str, torch.Tensor]
    generated: torch.Tensor
    edited: torch.Tensor | None


class RendererObjective(nn.Module):
    """The generator with its losses in one module, so that devices synchronize its gradients."""

    def __init__(self, generator: NedGenerator, settings: RendererSettings):
        super().__init__()
        self.generator, self.settings = generator, settings

    def forward(
        self,
        discriminators: Discriminators | None,
        batch: RendererWindow | EditedWindow,
        rng: torch.Generator,
        frozen_losses: FrozenLosses,
    ) -> StepResult:
        """Reconstruct a batch and, in some of the steps, render its edit.

        Args:
            discriminators: see `generator_losses`.
            batch: windows, with an edit where `asccl_on` needs one.
            rng: random numbers.
            frozen_losses: see `FrozenLosses`.
        """
        settings, asccl = self.settings, frozen_losses.asccl
        limits = settings.asccl_images, settings.asccl_image_size
        compared = asccl if settings.asccl_on != "edited" else None
        window = batch.source if isinstance(batch, EditedWindow) else batch
        arguments = discriminators, window, rng, compared, frozen_losses.perceptual
        result = generator_losses(self.generator, *arguments, settings.cold_start_share, *limits)
        if not isinstance(batch, EditedWindow) or not self._is_edited_step(rng):
            return StepResult(*result, None)
        edit = edited_losses(self.generator, discriminators, batch, rng, asccl, *limits)
        return StepResult(result.losses | edit.losses, result.generated, edit.generated)

    def _is_edited_step(self, rng: torch.Generator) -> bool:
        return float(torch.rand((), generator=rng, device=rng.device)) < self.settings.edited_share

"""One training step of ICface: the discriminator, then the animator, then the neutralizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.align import warp_affine
from asccl.metric.loss import ASCCLLoss
from asccl.nets.icface import Icface, IcfaceGenerator, neutral_controls
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_synthesis import ImageChange
from asccl.renderers.icface.controls import MOUTH_CORNERS, UPPER_FACE, control_index
from training import losses
from training.datasets.controlled_clips import FramePair
from training.perceptual import PerceptualLoss
from training.renderer_step import frozen

Losses = dict[str, torch.Tensor]


class GeneratedImages(NamedTuple):
    """Images of a batch before its updates, all without gradients.

    Attributes:
        neutral: (B, 3, S, S), the sources without expression and pose.
        generated: (B, 3, S, S), with the controls of the targets.
    """

    neutral: torch.Tensor
    generated: torch.Tensor


def edit_controls(batch: FramePair, count: int) -> torch.Tensor:
    """Return controls (count, 20) of edits: speech and pose of the sources, emotion of the targets.

    The emotion of a frame is its upper face and the corners of its mouth, of which an edit of a clip takes the mean.
    """
    controls = batch.source_controls[:count].clone()
    emotion = control_index((*UPPER_FACE, *MOUTH_CORNERS))
    controls[:, emotion] = batch.target_controls[:count, emotion]
    return controls


@torch.no_grad()
def generate_images(net: Icface, batch: FramePair) -> GeneratedImages:
    """Neutralize the sources of a batch and animate them by the controls of the targets."""
    return GeneratedImages(*net(batch.source, batch.source_controls, batch.target_controls))


def opacity_loss(change: ImageChange) -> Losses:
    """Return the loss "opacity": how much generated colour lies over the image; none for colours alone.

    It leaves colours where a shift of pixels cannot explain the target, and keeps them off the rest of the face.
    """
    return {} if change.opacity is None else {"opacity": change.opacity.mean()}


class DiscriminatorObjective(nn.Module):
    """The discriminator with its losses in one module, so that devices synchronize its gradients.

    Args:
        discriminator: the network.
        softmax_twice: see `losses.identity_loss`.
        penalize: compute the gradient penalty, which costs a second backward pass.
    """

    def __init__(self, discriminator: IcfaceDiscriminator, softmax_twice: bool, penalize: bool):
        super().__init__()
        self.discriminator, self.softmax_twice, self.penalize = discriminator, softmax_twice, penalize

    def forward(self, batch: FramePair, images: GeneratedImages) -> Losses:
        """Return the losses "real", "attributes", "identity", "r1", "fake" and "fake_neutral"."""
        source = batch.source.detach().requires_grad_(self.penalize)
        with torch.autocast(source.device.type, enabled=False):  # gradients of gradients need float32
            real = self.discriminator(source)
            penalty = losses.gradient_penalty(real.scores, source) if self.penalize else None
        fake, fake_neutral = self.discriminator(torch.cat([images.generated, images.neutral])).scores.chunk(2)
        values = {
            "real": losses.lsgan_real(real.scores),
            "attributes": losses.attribute_distance(real.controls, batch.source_controls),
            "identity": losses.identity_loss(real.identities, batch.person, self.softmax_twice),
            "fake": losses.lsgan_fake(fake),
            "fake_neutral": losses.lsgan_fake(fake_neutral),
        }
        return values if penalty is None else values | {"r1": penalty}


@dataclass(frozen=True)
class GeneratorLosses:
    """What the losses of neutralizer and animator need beside the batch.

    Attributes:
        discriminator: its weights receive no gradient.
        softmax_twice: see `losses.identity_loss`.
        edits: images of a batch that the animator also generates as edits: with the speech and pose of their source and
            the emotion of their target.
        asccl: adds the loss "asccl" between sources and edits.
        asccl_size: side of the crops that it compares, pixels.
        perceptual: adds the loss "vgg" of the neutralizer.
    """

    discriminator: IcfaceDiscriminator
    softmax_twice: bool = False
    edits: int = 0
    asccl: ASCCLLoss | None = None
    asccl_size: int = CROP_SIZE
    perceptual: PerceptualLoss | None = None

    def scored(self, images: torch.Tensor, controls: torch.Tensor, person: torch.Tensor) -> Losses:
        """Return what the discriminator's heads say to generated images.

        Args:
            images: (B, 3, S, S).
            controls: (B, 20) that they should show.
            person: (B,) whom they should show.

        Returns:
            The losses "adversarial", "attributes" and "identity".
        """
        with frozen(self.discriminator):
            output = self.discriminator(images)
        return {
            "adversarial": losses.lsgan_real(output.scores),
            "attributes": losses.attribute_distance(output.controls, controls),
            "identity": losses.identity_loss(output.identities, person, self.softmax_twice),
        }

    def asccl_loss(
        self, asccl: ASCCLLoss, batch: FramePair, edited: torch.Tensor, rng: torch.Generator
    ) -> torch.Tensor:
        """Compare ArcFace crops of the first sources with their edits, which have the same pose.

        Args:
            asccl: the loss.
            batch: its first images are the sources.
            edited: (n, 3, S, S).
            rng: draws the regions.

        Returns:
            Scalar.
        """
        matrix, size = batch.crop_matrix[: len(edited)] * (self.asccl_size / CROP_SIZE), (self.asccl_size,) * 2
        with torch.no_grad():
            source, valid = warp_affine(batch.source[: len(edited)], matrix, size)
        return asccl(source, warp_affine(edited.float(), matrix, size)[0], rng, valid)


class AnimatorObjective(nn.Module):
    """The animator with its losses in one module."""

    def __init__(self, animator: IcfaceGenerator, settings: GeneratorLosses):
        super().__init__()
        self.animator, self.settings = animator, settings

    def forward(self, batch: FramePair, neutral: torch.Tensor, rng: torch.Generator) -> Losses:
        """Return the losses of the animator, which draws from constant neutral images.

        Args:
            batch: pairs of frames.
            neutral: (B, 3, S, S), the sources without expression and pose.
            rng: random numbers.

        Returns:
            "adversarial", "attributes", "identity", "reconstruction", "opacity" of a network that changes its image,
            and "asccl" where it is asked for.
        """
        count = self.settings.edits
        controls = torch.cat([batch.target_controls, edit_controls(batch, count)])
        own = torch.cat([batch.source_controls, batch.source_controls[:count]])
        sources = torch.cat([neutral, neutral[:count]])
        change = self.animator.predict_change(sources, controls, own)
        images = change.apply(sources)
        generated, edited = images[: len(neutral)], images[len(neutral) :]
        values = self.settings.scored(images, controls, torch.cat([batch.person, batch.person[:count]]))
        values["reconstruction"] = losses.reconstruction(generated, batch.target)
        values |= opacity_loss(change)
        if self.settings.asccl is not None:
            values["asccl"] = self.settings.asccl_loss(self.settings.asccl, batch, edited, rng)
        return values


class NeutralizerObjective(nn.Module):
    """The neutralizer with its losses in one module."""

    def __init__(self, neutralizer: IcfaceGenerator, settings: GeneratorLosses):
        super().__init__()
        self.neutralizer, self.settings = neutralizer, settings

    def forward(self, batch: FramePair, animator: IcfaceGenerator) -> Losses:
        """Return the losses of the neutralizer; the animator receives no gradient.

        Both images that the animator draws are one batch: batch normalization would remove controls that are the same
        in all images of a batch.

        Returns:
            "adversarial", "attributes", "identity", "reconstruction", "neutral", "opacity" of a network that changes
            its image, and "vgg" where it is asked for.
        """
        controls = neutral_controls(batch.source_controls)
        change = self.neutralizer.predict_change(batch.source, controls)
        neutral = change.apply(batch.source)
        with frozen(animator):
            own = torch.cat([batch.source_controls, controls])
            images = animator(torch.cat([neutral, neutral]), torch.cat([batch.target_controls, controls]), own)
        generated, redrawn = images.chunk(2)
        values = self.settings.scored(neutral, controls, batch.person)
        values["reconstruction"] = losses.reconstruction(generated, batch.target)
        values["neutral"] = losses.neutral_consistency(neutral, redrawn)
        values |= opacity_loss(change)
        if self.settings.perceptual is not None:
            values["vgg"] = self.settings.perceptual(neutral, batch.target)
        return values

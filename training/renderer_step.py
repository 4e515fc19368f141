"""One training step of NED's renderer: generate a window frame by frame, then compute the losses of both phases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.align import warp_affine
from asccl.metric.loss import ASCCLLoss
from asccl.nets.ned_renderer import CONDITION_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, NedDiscriminator, RendererSizes
from training import losses
from training.datasets.portraits import RendererWindow, mouth_side
from training.engine import distributed
from training.losses import ScaleFeatures
from training.perceptual import PerceptualLoss

MIN_COMPARABLE = 0.999  # of a pixel of a crop, the share whose source pixels may be compared


class RenderTargets(NamedTuple):
    """The N frames of a batch that the generator renders.

    Attributes:
        conditions: (N, 9, S, S) condition images.
        mask: (N, 1, S, S), 1 on the face.
        frame: (N, 3, S, S), the real frame with its background.
        face: (N, 3, S, S), the real face, -1 outside the mask.
        mouth_corner: (N, 2) first row and column of the square around the mouth.
        crop_matrix: (N, 2, 3) from pixels of the frame to those of its ArcFace crop.
    """

    conditions: torch.Tensor
    mask: torch.Tensor
    frame: torch.Tensor
    face: torch.Tensor
    mouth_corner: torch.Tensor
    crop_matrix: torch.Tensor

    def paste(self, face: torch.Tensor) -> torch.Tensor:
        """Put faces (N, 3, S, S) into the real frames."""
        return self.mask * face + (1 - self.mask) * self.frame


class GeneratorResult(NamedTuple):
    """Result of the generator phase.

    Attributes:
        losses: named scalars.
        generated: (B, T - 2, 3, S, S) faces.
    """

    losses: dict[str, torch.Tensor]
    generated: torch.Tensor


def select_targets(batch: RendererWindow) -> RenderTargets:
    """Select the frames of a batch that are rendered: all but the `PREVIOUS_FRAMES` first ones of each window."""
    conditions, frame, mouth_corner, crop_matrix = (part[:, PREVIOUS_FRAMES:].flatten(0, 1) for part in batch)
    mask = conditions[:, CONDITION_CHANNELS:]
    face = frame * mask - (1 - mask)
    return RenderTargets(conditions[:, :CONDITION_CHANNELS], mask, frame, face, mouth_corner, crop_matrix)


def previous_frames(batch: RendererWindow, cold_start: torch.Tensor) -> torch.Tensor:
    """Return the faces before the first frame that is rendered.

    Args:
        batch: B windows.
        cold_start: (B,) bool, windows that start with nothing (-1), as at the start of a clip; the others continue the
            real frames before them.

    Returns:
        (B, 2, 3, S, S).
    """
    mask = batch.conditions[:, :PREVIOUS_FRAMES, CONDITION_CHANNELS:]
    real = batch.frames[:, :PREVIOUS_FRAMES] * mask - (1 - mask)
    return torch.where(cold_start[:, None, None, None, None], -1, real)


def generate_frames(generator: nn.Module, conditions: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
    """Generate frames one after the other.

    The input of a frame is its own and two earlier conditions, and the two outputs before it, through which no gradient
    flows, as in NED.

    Args:
        generator: (conditions, previous outputs) -> faces.
        conditions: (B, T, 10, S, S), those of the two frames before the first one included.
        previous: (B, 2, 3, S, S) faces before the first frame.

    Returns:
        Faces (B, T - 2, 3, S, S).
    """
    faces = list(previous.unbind(1))
    for t in range(INPUT_FRAMES, conditions.shape[1] + 1):
        outputs = torch.cat([face.detach() for face in faces[-PREVIOUS_FRAMES:]], 1)
        faces.append(generator(conditions[:, t - INPUT_FRAMES : t].flatten(1, 2), outputs))
    return torch.stack(faces[PREVIOUS_FRAMES:], 1)


@torch.inference_mode()
def generate_clip(generator: nn.Module, conditions: torch.Tensor) -> torch.Tensor:
    """Render a clip from its start, as in an edit: conditions (N, 10, S, S) -> faces (N, 3, S, S)."""
    repeated = torch.cat([*[conditions[:1]] * PREVIOUS_FRAMES, conditions])
    nothing = conditions.new_full((1, PREVIOUS_FRAMES, 3, *conditions.shape[2:]), -1.0)
    return generate_frames(generator, repeated[None], nothing)[0]


def crop_mouths(images: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Cut out the square around each mouth: (N, C, S, S) and (N, 2) rows and columns -> (N, C, s, s)."""
    side = mouth_side(images.shape[-1])
    crops = [
        x[:, top : top + side, left : left + side] for x, (top, left) in zip(images, corners.tolist(), strict=True)
    ]
    return torch.stack(crops)


class Discriminators(nn.Module):
    """NED's two discriminators, of the face image and of the mouth."""

    def __init__(self, sizes: RendererSizes):
        super().__init__()
        self.image, self.mouth = NedDiscriminator(sizes), NedDiscriminator(sizes)

    def features(self, targets: RenderTargets, face: torch.Tensor) -> tuple[ScaleFeatures, ScaleFeatures]:
        """Return the features of both discriminators for faces (N, 3, S, S)."""
        mouth = crop_mouths(torch.cat([targets.conditions, face], 1), targets.mouth_corner)
        conditions, mouth_image = mouth[:, :CONDITION_CHANNELS], mouth[:, CONDITION_CHANNELS:]
        return self.image(targets.conditions, face), self.mouth(conditions, mouth_image)

    def forward(
        self,
        batch: RendererWindow,
        generated: torch.Tensor,
        edit: tuple[RendererWindow, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the discriminators' losses, means of both networks.

        Args:
            batch: B windows.
            generated: their faces (B, T - 2, 3, S, S).
            edit: the same windows with the conditions of an edit, and its faces.

        Returns:
            "real" and "fake"; "edited_fake" where there is an edit.
        """
        targets = select_targets(batch)
        real = [losses.mean_over_scales(losses.lsgan_real, x) for x in self.features(targets, targets.face)]
        values = {"real": torch.stack(real).mean(), "fake": self._fake_loss(targets, generated)}
        if edit is not None:
            values["edited_fake"] = self._fake_loss(select_targets(edit[0]), edit[1])
        return values

    def _fake_loss(self, targets: RenderTargets, generated: torch.Tensor) -> torch.Tensor:
        faces = generated.detach().flatten(0, 1)
        fake = [losses.mean_over_scales(losses.lsgan_fake, x) for x in self.features(targets, faces)]
        return torch.stack(fake).mean()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a module and leave none in its weights."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def generator_losses(
    generator: nn.Module,
    discriminators: Discriminators | None,
    batch: RendererWindow,
    rng: torch.Generator,
    asccl: ASCCLLoss | None = None,
    perceptual: PerceptualLoss | None = None,
    cold_start_share: float = 0.5,
    max_asccl_images: int | None = None,
    asccl_image_size: int = CROP_SIZE,
) -> GeneratorResult:
    """Generate a batch and compute the generator's losses. Gradients reach the generator alone.

    Args:
        generator: NED's generator.
        discriminators: None leaves out the losses "adversarial", "features", "mouth_adversarial", "mouth_features".
        batch: windows of frames and conditions.
        rng: random numbers.
        asccl: adds the loss "asccl" between the real frame and the same frame with the generated face, both cropped for
            ArcFace.
        perceptual: adds the loss "vgg".
        cold_start_share: share of the windows that start without frames before them.
        max_asccl_images: frames of the batch, the first ones, in the loss "asccl"; None for all.
        asccl_image_size: side of their crops, pixels.

    Returns:
        These losses and "pixels", and the generated faces.
    """
    random = distributed.rank_slice(lambda n: torch.rand(n, generator=rng, device=rng.device), len(batch.frames))
    previous = previous_frames(batch, random < cold_start_share)
    generated = generate_frames(generator, batch.conditions, previous)
    face, targets = generated.flatten(0, 1), select_targets(batch)
    values = {"pixels": losses.masked_l1(targets.mask, face, targets.face)}
    if discriminators is not None:
        values |= _adversarial_losses(discriminators, targets, face)
    if perceptual is not None:
        values["vgg"] = perceptual(face, targets.face)
    if asccl is not None:
        limits = batch_frames(batch), max_asccl_images
        values["asccl"] = compare_crops(asccl, targets, face, rng, *limits, size=asccl_image_size)
    return GeneratorResult(values, generated)


def _adversarial_losses(
    discriminators: Discriminators, targets: RenderTargets, face: torch.Tensor
) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        real_features = discriminators.features(targets, targets.face)
    with frozen(discriminators):
        fake_features = discriminators.features(targets, face)
    values = {}
    for prefix, fake, real in zip(("", "mouth_"), fake_features, real_features, strict=True):
        values[prefix + "adversarial"] = losses.mean_over_scales(losses.lsgan_real, fake)
        values[prefix + "features"] = losses.feature_matching(fake, real)
    return values


def batch_frames(batch: RendererWindow) -> int:
    """Return the number of frames that are rendered in each window of a batch."""
    return batch.frames.shape[1] - PREVIOUS_FRAMES


def compare_crops(
    asccl: ASCCLLoss,
    targets: RenderTargets,
    face: torch.Tensor,
    rng: torch.Generator,
    frames: int,
    max_images: int | None = None,
    comparable: torch.Tensor | None = None,
    size: int = CROP_SIZE,
) -> torch.Tensor:
    """Compute ASCCL between real frames and the same frames with a generated face, both cropped for ArcFace.

    Args:
        asccl: the loss; with `temporal` it compares whole windows.
        targets: N frames, which are N / `frames` windows.
        face: (N, 3, S, S) generated faces.
        rng: random numbers.
        frames: of a window.
        max_images: number of frames that are compared, the first ones; None for all. A temporal loss compares as many
            whole windows as that, and at least one.
        comparable: pixels of the frames that may be compared, (N, 1, S, S) bool; None for all.
        size: side of the crops, pixels.

    Returns:
        Scalar.
    """
    count = len(face) if max_images is None else min(max_images, len(face))
    if asccl.settings.temporal:
        count = max(1, count // frames) * frames
    matrix, shape = targets.crop_matrix[:count] * (size / CROP_SIZE), (size, size)
    with torch.no_grad():
        source, valid = warp_affine(targets.frame[:count], matrix, shape)
        if comparable is not None:
            valid = valid & (warp_affine(comparable[:count].float(), matrix, shape)[0] > MIN_COMPARABLE)
    generated, _ = warp_affine(targets.paste(face)[:count], matrix, shape)
    if asccl.settings.temporal:
        source, generated, valid = (x.unflatten(0, (-1, frames)) for x in (source, generated, valid))
    return asccl(source, generated, rng, valid)

"""One step of NED's renderer: draw a window frame by frame, then what everybody says about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.align import warp_affine
from asccl.metric.loss import ASCCLLoss
from asccl.nets.ned_renderer import CONDITION_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, Discriminator, RendererSizes
from training import losses
from training.datasets.portraits import RendererWindow, mouth_side
from training.engine import distributed
from training.perceptual import Perceptual

ScaleFeatures = list[list[torch.Tensor]]


class RenderTargets(NamedTuple):
    """The N frames of a batch that are drawn. seen: (N, 9, S, S) conditions. mask: (N, 1, S, S). real: (N, 3, S, S),
    the whole frame. face: (N, 3, S, S), what is to be drawn: -1 outside of the mask. mouth: (N, 2). crop: (N, 2, 3)."""

    seen: torch.Tensor
    mask: torch.Tensor
    real: torch.Tensor
    face: torch.Tensor
    mouth: torch.Tensor
    crop: torch.Tensor


def select_targets(batch: RendererWindow) -> RenderTargets:
    drawn = [part[:, PREVIOUS_FRAMES:].flatten(0, 1) for part in batch]
    conditions, real, mouth, crop = drawn
    mask = conditions[:, CONDITION_CHANNELS:]
    return RenderTargets(conditions[:, :CONDITION_CHANNELS], mask, real, real * mask - (1 - mask), mouth, crop)


def generate_frames(generator: nn.Module, batch: RendererWindow, cold: torch.Tensor | None = None) -> torch.Tensor:
    """(B, T - 2, 3, S, S): each frame sees its own and two earlier conditions and the two outputs before it, through
    which no gradient flows, as in NED. Before the first come the real frames; black where cold (B,) says so, as at the
    start of a clip."""
    first = batch.frames[:, :PREVIOUS_FRAMES] * batch.conditions[:, :PREVIOUS_FRAMES, CONDITION_CHANNELS:]
    first = first - (1 - batch.conditions[:, :PREVIOUS_FRAMES, CONDITION_CHANNELS:])
    if cold is not None:
        first = torch.where(cold[:, None, None, None, None], -1, first)
    made = list(first.unbind(1))
    for t in range(INPUT_FRAMES, batch.conditions.shape[1] + 1):
        before = torch.cat([x.detach() for x in made[-PREVIOUS_FRAMES:]], 1)
        made.append(generator(batch.conditions[:, t - INPUT_FRAMES : t].flatten(1, 2), before))
    return torch.stack(made[PREVIOUS_FRAMES:], 1)


def crop_mouths(picture: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
    """(N, C, S, S) and (N, 2) rows and columns -> (N, C, s, s), the square round each mouth."""
    side = mouth_side(picture.shape[-1])
    return torch.stack([p[:, y : y + side, x : x + side] for p, (y, x) in zip(picture, corner.tolist(), strict=True)])


class Discriminators(nn.Module):
    """NED's two discriminators, of the picture and of the mouth."""

    def __init__(self, sizes: RendererSizes):
        super().__init__()
        self.picture, self.mouth = Discriminator(sizes), Discriminator(sizes)

    def features(self, targets: RenderTargets, face: torch.Tensor) -> tuple[ScaleFeatures, ScaleFeatures]:
        """What each says of faces (N, 3, S, S)."""
        near = crop_mouths(torch.cat([targets.seen, face], 1), targets.mouth)
        return self.picture(targets.seen, face), self.mouth(near[:, :CONDITION_CHANNELS], near[:, CONDITION_CHANNELS:])

    def forward(self, batch: RendererWindow, made: torch.Tensor) -> dict[str, torch.Tensor]:
        """Its own losses, "real" and "fake", each the mean of both discriminators'. made: (B, T - 2, 3, S, S)."""
        there = select_targets(batch)
        real = [losses.on_scales(losses.lsgan_real, told) for told in self.features(there, there.face)]
        fake = [losses.on_scales(losses.lsgan_fake, told) for told in self.features(there, made.detach().flatten(0, 1))]
        return {"real": torch.stack(real).mean(), "fake": torch.stack(fake).mean()}


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Gradients pass through, and leave none in the module."""
    trained = [p for p in module.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def generator_losses(
    generator: nn.Module,
    critics: Discriminators | None,
    batch: RendererWindow,
    rng: torch.Generator,
    asccl: ASCCLLoss | None = None,
    vgg: Perceptual | None = None,
    cold: float = 0.5,
    most: int | None = None,
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """-> losses "pixels"; with critics "adversarial" and "features", also with "mouth_" before them; on demand "vgg",
    "asccl"; and what was drawn, (B, T - 2, 3, S, S).

    cold: share of the windows that begin without frames before them. ASCCL is between the real frame and the same with
    the drawn face in it, both cropped as ArcFace wants them; of the first `most` frames.
    Gradients reach the generator alone.
    """
    begins = distributed.rank_slice(lambda n: torch.rand(n, generator=rng, device=rng.device), len(batch.frames))
    made = generate_frames(generator, batch, begins < cold)
    face, there = made.flatten(0, 1), select_targets(batch)
    found = {"pixels": losses.inside(there.mask, face, there.face)}
    if critics is not None:
        found |= _adversarial(critics, there, face)
    if vgg is not None:
        found["vgg"] = vgg(face, there.face)
    if asccl is not None:
        mask, real, crop = there.mask[:most], there.real[:most], there.crop[:most]
        with torch.no_grad():
            source, valid = warp_affine(real, crop, (CROP_SIZE, CROP_SIZE))
        whole = mask * face[:most] + (1 - mask) * real
        found["asccl"] = asccl(source, warp_affine(whole, crop, (CROP_SIZE, CROP_SIZE))[0], rng, valid)
    return found, made


def _adversarial(critics: Discriminators, there: RenderTargets, face: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        wanted = critics.features(there, there.face)
    with frozen(critics):
        told = critics.features(there, face)
    found = {}
    for prefix, fake, real in zip(("", "mouth_"), told, wanted, strict=True):
        found[prefix + "adversarial"] = losses.on_scales(losses.lsgan_real, fake)
        found[prefix + "features"] = losses.feature_matching(fake, real)
    return found

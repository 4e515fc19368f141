"""One training step of NED's manipulator: translate sequences to a random style, then compute the losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from asccl.face.crop import CROP_SIZE
from asccl.metric.loss import ASCCLLoss
from asccl.metric.loss_settings import Daas, LossSettings
from asccl.metric.scc import MAX_REGIONS, SCCMetric
from asccl.morphable.anny_head import AnnyHead
from asccl.morphable.render import FrontalHeadRenderer
from asccl.nets.ned_manipulator import Manipulator
from training import losses
from training.datasets.windows import ManipulatorWindow
from training.engine import distributed

TARGET_AS_SOURCE_SHARE = 0.25  # share of the paired term whose source already shows the reference's emotion


class RenderedASCCLLoss(nn.Module):
    """ASCCL at the level of the 3DMM (paper, Table 5): of images of the head, not of its coefficients.

    Args:
        head: rendered from the front.
        metric: the SCC metric.
        daas: see `LossSettings`.
        images: largest number of images per batch.
        size: side of an image, pixels.
        temporal_weight: weight of the comparison over time (STCCL), over that of ASCCL. Unless it is 0, two consecutive
            frames of half as many sequences are compared.
        regions: largest number of regions of each feature map, drawn anew in every step.
        share: share of the steps, drawn at random, that compute the loss and divide it by the share; in the others it
            is 0. The mean is the same, as with the lazy regularization of StyleGAN2.
        outlines: add the movement of outlines to the gradient, see `FrontalHeadRenderer`.
        samples: per pixel and axis, see `FrontalHeadRenderer`.
    """

    def __init__(
        self,
        head: AnnyHead,
        metric: SCCMetric,
        daas: Daas = "paper",
        images: int = 8,
        size: int = CROP_SIZE,
        temporal_weight: float = 0.0,
        regions: int = MAX_REGIONS,
        share: float = 1.0,
        outlines: bool = False,
        samples: int = 1,
    ):
        super().__init__()
        self.share = share
        self.render = FrontalHeadRenderer(head, size, outlines, samples)
        self.frames = 2 if temporal_weight else 1
        self.sequences = max(1, images // self.frames)
        temporal = temporal_weight > 0
        settings = LossSettings(daas=daas, samples=regions, temporal=temporal, temporal_weight=temporal_weight)
        self.loss = ASCCLLoss(metric, settings)

    def forward(self, source: torch.Tensor, generated: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Render one random frame, or two consecutive ones, of each of the first sequences and compare.

        Args:
            source: (B, T, 52) coefficients.
            generated: (B, T, 52) coefficients; the gradient reaches these alone.
            rng: random numbers.

        Returns:
            Scalar.
        """
        if self.share < 1 and float(torch.rand((), generator=rng, device=rng.device)) >= self.share:
            return generated.new_zeros(())
        source, generated = source[: self.sequences], generated[: self.sequences]
        last = source.shape[1] - self.frames + 1
        first = distributed.rank_slice(
            lambda n: torch.randint(last, (n,), generator=rng, device=rng.device), len(source)
        )
        sequence = torch.arange(len(source), device=source.device)[:, None]
        frames = first[:, None] + torch.arange(self.frames, device=source.device)
        with torch.no_grad():
            source_images = self.render(source[sequence, frames].flatten(0, 1))
        images = self.render(generated[sequence, frames].flatten(0, 1))
        if self.frames > 1:
            source_images, images = (x.unflatten(0, frames.shape) for x in (source_images, images))
        return self.loss(source_images, images, rng) / self.share


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

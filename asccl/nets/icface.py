"""The networks of ICface (Tripathy et al., WACV 2020): one image and 20 control values per frame.

A neutralizer removes expression and pose from the image of a face, an animator gives it those of the control values:
the head's pose and 17 facial action units, each a constant map beside the image. A discriminator with three heads
trains them. Layers and tensors have the names of the published checkpoints, and their shapes with the default settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import nn

from asccl.nets.blocks import Freezable
from asccl.nets.icface_settings import (
    CONTROLS,
    DISCRIMINATOR_STRIDE,
    ICFACE_KIND,
    NEUTRAL_SCALE,
    POSE_CONTROLS,
    ZERO_POSE,
    DiscriminatorSettings,
    IcfaceSettings,
)
from asccl.nets.pretrained import PretrainedNetwork


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with dropout between them, and a shortcut: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, dropout: float):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the output of two convolutions to x."""
        return x + self.conv_block(x)


class Generator(Freezable):
    """Neutralizer or animator: changes the image of a face to what the control values say."""

    def __init__(self, settings: IcfaceSettings | None = None):
        super().__init__()
        self.settings = settings = settings or IcfaceSettings()
        width = settings.width
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(3 + CONTROLS, width, 7, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        for _ in range(settings.downsamplings):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()]
            width *= 2
        layers += [ResidualBlock(width, settings.dropout) for _ in range(settings.blocks)]
        for _ in range(settings.downsamplings):
            up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1, bias=False)
            layers += [up, nn.BatchNorm2d(width // 2), nn.ReLU()]
            width //= 2
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, image: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Generate an image.

        image: (B, 3, H, W) RGB in [-1, 1]. controls: (B, 20), see `ACTION_UNITS`. Returns (B, 3, H, W) RGB in [-1, 1].
        """
        image_weight, control_weight = self.model[1].weight.split((3, CONTROLS), 1)
        # a constant map stays constant when its border is reflected, so its convolution is a bias
        offset = F.linear(controls.to(image.dtype), control_weight.sum((2, 3)))
        return self.model[2:](F.conv2d(self.model[0](image), image_weight) + offset[:, :, None, None])


def neutral_controls(controls: torch.Tensor) -> torch.Tensor:
    """Controls (B, 20) of an image -> those that ask the neutralizer for its neutral face, looking straight ahead."""
    neutral = controls * NEUTRAL_SCALE
    pose = torch.full_like(neutral[:, :POSE_CONTROLS], ZERO_POSE)
    return torch.cat([pose, neutral[:, POSE_CONTROLS:]], 1)


class Icface(PretrainedNetwork):
    """Neutralizer and animator of one training, with the same settings."""

    KIND = ICFACE_KIND

    def __init__(self, settings: IcfaceSettings | None = None):
        super().__init__()
        self.settings = settings = settings or IcfaceSettings()
        self.neutralizer = Generator(settings)
        self.animator = Generator(settings)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        return cls(IcfaceSettings.from_metadata(metadata))

    def to_metadata(self) -> dict[str, str]:
        return self.settings.to_metadata()

    def neutralize(self, image: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, S, S) RGB in [-1, 1] with its own controls (B, 20) -> neutral image of the same shape."""
        return self.neutralizer(image, neutral_controls(controls))

    def animate(self, neutral: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Neutral image (B, 3, S, S) RGB in [-1, 1] and controls (B, 20) -> image with these controls."""
        return self.animator(neutral, controls)

    def forward(
        self, image: torch.Tensor, controls: torch.Tensor, driving: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Neutralize and animate a face.

        Args:
            image: (B, 3, S, S) RGB in [-1, 1].
            controls: of this image, (B, 20).
            driving: controls of the image to generate, (B, 20).

        Returns:
            The neutral and the generated image, (B, 3, S, S) RGB in [-1, 1] each.
        """
        neutral = self.neutralize(image, controls)
        return neutral, self.animate(neutral, driving)


@dataclass(frozen=True)
class DiscriminatorOutput:
    """Output of the three heads of the discriminator for a batch of images.

    Attributes:
        scores: of patches, (B, 1, S / 16 - 1, S / 16 - 1): 1 for real, 0 for generated ones (least squares).
        controls: (B, 20) in (0, 1), estimated from the image.
        identities: (B, identities), logits. The published training takes their softmax as the logits of its
            cross-entropy, a second softmax.
    """

    scores: torch.Tensor
    controls: torch.Tensor
    identities: torch.Tensor


class Discriminator(nn.Module):
    """Tells real from generated images, and estimates control values and identity."""

    def __init__(self, settings: DiscriminatorSettings | None = None):
        super().__init__()
        self.settings = settings = settings or DiscriminatorSettings()
        width = settings.width
        code = width // 2
        self.model = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 1, 1, bias=False),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 1, 1, bias=False),
            nn.Conv2d(4 * width, 4 * width, 3, 2, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(4 * width, 8 * width, 3, 1, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(8 * width, 8 * width, 3, 1, 1),
            nn.Conv2d(8 * width, code, 3, 2, 1),
        )
        code_size = code * (settings.size // DISCRIMINATOR_STRIDE) ** 2
        self.conv1 = nn.Conv2d(code, 1, 4, 1, 1)
        self.conv2 = nn.Linear(code_size, CONTROLS)
        self.aux_layer = nn.Sequential(nn.Linear(code_size, settings.identities))

    def forward(self, image: torch.Tensor) -> DiscriminatorOutput:
        """Image (B, 3, S, S) RGB in [-1, 1] -> scores, controls and identities. Raises ValueError for another size."""
        if image.shape[-2:] != (self.settings.size, self.settings.size):
            raise ValueError(f"expected images of {self.settings.size} pixels, got {tuple(image.shape)}")
        features = self.model(image)
        code = features.flatten(1)
        return DiscriminatorOutput(self.conv1(features), self.conv2(code).sigmoid(), self.aux_layer(code))


def initialize(net: nn.Module) -> None:
    """Draw the initial weights of the published training: convolutions N(0, 0.02), norms N(1, 0.02), biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)

"""The networks of ICface (Tripathy et al., WACV 2020): one image and 20 control values per frame.

A neutralizer removes expression and pose from the image of a face, an animator gives it those of the control values:
the head's pose and 17 facial action units, each a constant map beside the image. The discriminator
that trains them is in `icface_discriminator.py`. Layers and tensors have the names of the published checkpoints, and
their shapes with the default settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import nn

from asccl.nets.blocks import Freezable
from asccl.nets.icface_settings import (
    CONTROLS,
    ICFACE_KIND,
    NEUTRAL_SCALE,
    POSE_CONTROLS,
    ZERO_POSE,
    IcfaceSettings,
    Norm,
)
from asccl.nets.icface_synthesis import OUTPUT_CHANNELS, ImageChange, ShiftMaps, read_synthesis, start_unchanged
from asccl.nets.pretrained import PretrainedNetwork

MIRRORED_POSE = [1, 2]  # the rotations about the axes down and away from the camera
MIN_GROUP_CHANNELS = 16  # of each group of group normalization


def create_norm(norm: Norm, channels: int) -> nn.Module:
    """Create the normalization of a layer with this number of channels."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    groups = next(n for n in range(max(channels // MIN_GROUP_CHANNELS, 1), 0, -1) if channels % n == 0)
    return nn.GroupNorm(groups, channels)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with dropout between them, and a shortcut: (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
        dropout: probability while training.
        norm: normalization of both.
    """

    def __init__(self, channels: int, dropout: float, norm: Norm = "batch"):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            create_norm(norm, channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            create_norm(norm, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the output of two convolutions to x."""
        return x + self.conv_block(x)


class IcfaceGenerator(Freezable):
    """Neutralizer or animator: changes the image of a face to what the control values say.

    Args:
        settings: of the network.
        maps: whether a network that warps has `ShiftMaps`.
    """

    def __init__(self, settings: IcfaceSettings | None = None, maps: bool = True):
        super().__init__()
        self.settings = settings = settings or IcfaceSettings()
        norm, width = settings.norm, settings.width
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(3 + CONTROLS, width, 7, bias=False),
            create_norm(norm, width),
            nn.ReLU(),
        ]
        for _ in range(settings.downsamplings):
            down = nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False)
            layers += [down, create_norm(norm, 2 * width), nn.ReLU()]
            width *= 2
        layers += [ResidualBlock(width, settings.dropout, norm) for _ in range(settings.blocks)]
        for _ in range(settings.downsamplings):
            up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1, bias=False)
            layers += [up, create_norm(norm, width // 2), nn.ReLU()]
            width //= 2
        last = nn.Conv2d(width, OUTPUT_CHANNELS[settings.synthesis], 7)
        if settings.synthesis != "colours":
            start_unchanged(last)
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), last)
        self.shift_maps = ShiftMaps() if maps and settings.synthesis == "warp" else None

    def forward(self, image: torch.Tensor, driving: torch.Tensor, controls: torch.Tensor | None = None) -> torch.Tensor:
        """Generate an image.

        A network that changes its image, instead of generating all colours, reads a reduced copy of a larger image, and
        changes the larger one.

        Args:
            image: (B, 3, S, S) RGB in [-1, 1]; (B, 3, k S, k S) for a network that changes it, with an integer k.
            driving: controls of the image to generate, (B, 20), see `ACTION_UNITS`.
            controls: of this image, (B, 20), which only `ShiftMaps` read; None for a neutral face.

        Returns:
            RGB in [-1, 1], as large as the image.
        """
        return self.predict_change(image, driving, controls).apply(image)

    def predict_change(
        self, image: torch.Tensor, driving: torch.Tensor, controls: torch.Tensor | None = None
    ) -> ImageChange:
        """Predict the change of an image that may be larger than what the network reads.

        Args:
            image: see `forward`.
            driving: see `forward`.
            controls: see `forward`.
        """
        block = image.shape[-1] // self.settings.size
        reads_all = self.settings.synthesis == "colours" or block < 2
        return self.predict_small_change(image if reads_all else F.avg_pool2d(image, block), driving, controls)

    def predict_small_change(
        self, image: torch.Tensor, driving: torch.Tensor, controls: torch.Tensor | None = None
    ) -> ImageChange:
        """Predict the change of an image of the size that the network reads.

        Args:
            image: (B, 3, S, S) RGB in [-1, 1].
            driving: see `forward`.
            controls: see `forward`.
        """
        image_weight, control_weight = self.model[1].weight.split((3, CONTROLS), 1)
        # a constant map stays constant when its border is reflected, so its convolution is a bias
        offset = F.linear(driving.to(image.dtype), control_weight.sum((2, 3)))
        features = F.conv2d(self.model[0](image), image_weight) + offset[:, :, None, None]
        change = read_synthesis(self.model[2:](features), self.settings.synthesis)
        if self.shift_maps is None or change.shift is None:
            return change
        own = neutral_controls(torch.zeros_like(driving)) if controls is None else controls
        difference = driving - own
        return change._replace(shift=change.shift + self.shift_maps(difference.to(image.dtype), image.shape[-1]))


def neutral_controls(controls: torch.Tensor) -> torch.Tensor:
    """Controls (B, 20) of an image -> those that ask the neutralizer for its neutral face, looking straight ahead."""
    neutral = controls * NEUTRAL_SCALE
    pose = torch.full_like(neutral[:, :POSE_CONTROLS], ZERO_POSE)
    return torch.cat([pose, neutral[:, POSE_CONTROLS:]], 1)


def mirror_controls(controls: torch.Tensor) -> torch.Tensor:
    """Controls (B, 20) of an image -> those of its mirror image: the rotations about y and z change their sign."""
    mirrored = controls.clone()
    mirrored[:, MIRRORED_POSE] = 2 * ZERO_POSE - controls[:, MIRRORED_POSE]
    return mirrored


class Icface(PretrainedNetwork):
    """Neutralizer and animator of one training, with the same settings."""

    KIND = ICFACE_KIND

    def __init__(self, settings: IcfaceSettings | None = None):
        super().__init__()
        self.settings = settings = settings or IcfaceSettings()
        self.neutralizer = IcfaceGenerator(settings, maps=False)
        self.animator = IcfaceGenerator(settings)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        return cls(IcfaceSettings.from_metadata(metadata))

    def to_metadata(self) -> dict[str, str]:
        return self.settings.to_metadata()

    def neutralize(self, image: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, S, S) RGB in [-1, 1] with its own controls (B, 20) -> neutral image of the same shape."""
        return self.neutralizer(image, neutral_controls(controls))

    def forward(
        self, image: torch.Tensor, controls: torch.Tensor, driving: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Neutralize and animate a face.

        Args:
            image: see `IcfaceGenerator.forward`.
            controls: of this image, (B, 20).
            driving: controls of the image to generate, (B, 20).

        Returns:
            The neutral and the generated image, RGB in [-1, 1], as large as the image.
        """
        neutral = self.neutralize(image, controls)
        return neutral, self.animator(neutral, driving, controls)

    def predict_change(self, image: torch.Tensor, controls: torch.Tensor, driving: torch.Tensor) -> ImageChange:
        """Predict the change of an image by both networks, as one change.

        Args:
            image: see `IcfaceGenerator.forward`.
            controls: of this image, (B, 20).
            driving: controls of the image to generate, (B, 20).
        """
        first = self.neutralizer.predict_change(image, neutral_controls(controls))
        return self.animator.predict_change(first.apply(image), driving, controls).after(first)

    def predict_symmetric_change(
        self, image: torch.Tensor, controls: torch.Tensor, driving: torch.Tensor
    ) -> ImageChange:
        """Predict the mean of the change of an image and of that of its mirror image, mirrored back.

        Control values are the same on both sides of a face, but the networks of a short training are not.

        Args:
            image: see `IcfaceGenerator.forward`.
            controls: of this image, (B, 20).
            driving: controls of the image to generate, (B, 20).
        """
        mirrored = self.predict_change(image.flip(-1), mirror_controls(controls), mirror_controls(driving)).mirrored()
        return self.predict_change(image, controls, driving).average(mirrored)


def initialize(net: nn.Module) -> None:
    """Draw the initial weights of the published training: convolutions N(0, 0.02), norms N(1, 0.02), biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, IcfaceGenerator) and module.settings.synthesis != "colours":
            start_unchanged(module.model[-1])

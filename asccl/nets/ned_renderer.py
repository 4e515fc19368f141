"""The networks of NED's second stage (Papantoniou et al., CVPR 2022).

A generator renders the face of a frame from condition images and its last two outputs; a discriminator scores images at
two scales. Layers and tensors have the names of the published checkpoints, and their shapes with `RendererSizes()`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import nn

from asccl.nets.pretrained import PretrainedNetwork

INPUT_FRAMES = 3  # frames whose conditions the generator reads; it renders the last
PREVIOUS_FRAMES = 2  # previous outputs that it reads
CONDITION_CHANNELS = 9  # condition channels of a frame: NMFC, shape and eyes, 3 each
INPUT_CHANNELS = CONDITION_CHANNELS + 1  # with the mask, which comes last
DUPLICATE_TENSOR = re.compile(r"\.resnetblock_sequential\.")  # published files also hold `conv_block` by this name


@dataclass(frozen=True)
class RendererSizes:
    """Sizes of the networks.

    Attributes:
        ngf: channels of the generator's first layer.
        downsamplings: how often the generator halves the resolution and doubles the channels.
        blocks: residual blocks of the generator; the smaller half follows the sum of its two encoders.
        ndf: channels of the discriminator's first layer.
        scales: discriminators, each at half the resolution of the one before.
        layers: layers of a discriminator that halve the resolution.
        running: whether evaluation mode normalizes by the statistics of the training, as NED does, or by those of the
            image.
    """

    ngf: int = 64
    downsamplings: int = 3
    blocks: int = 9
    ndf: int = 64
    scales: int = 2
    layers: int = 3
    running: bool = True

    def to_metadata(self) -> dict[str, str]:
        """Return the fields as metadata of a file of weights."""
        return {name: str(int(value)) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> RendererSizes:
        """Read the sizes from the metadata of a file of weights. Raises KeyError, ValueError."""
        numbers = {name: int(metadata[name]) for name in cls.__dataclass_fields__}
        running = bool(numbers.pop("running"))
        return cls(**numbers, running=running)

    def norm(self, channels: int) -> nn.InstanceNorm2d:
        """Build a normalization layer."""
        return nn.InstanceNorm2d(channels, track_running_stats=self.running)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (B, C, H, W) -> (B, C, H, W), H and W 2 or more."""

    def __init__(self, channels: int, sizes: RendererSizes):
        super().__init__()
        first = (nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), sizes.norm(channels))
        second = (nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), sizes.norm(channels))
        self.conv_block = nn.Sequential(*first, nn.ReLU(), *second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the output of two convolutions to x."""
        return x + self.conv_block(x)


def build_encoder(in_channels: int, sizes: RendererSizes) -> nn.Sequential:
    """Build an encoder with d downsamplings and the larger half of the residual blocks.

    (B, in_channels, H, W) -> (B, ngf * 2**d, H / 2**d, W / 2**d).
    """
    width = sizes.ngf
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, width, 7), sizes.norm(width), nn.ReLU()]
    for _ in range(sizes.downsamplings):
        layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), sizes.norm(2 * width), nn.ReLU()]
        width *= 2
    return nn.Sequential(*layers, *(ResidualBlock(width, sizes) for _ in range(sizes.blocks - sizes.blocks // 2)))


class NedGenerator(PretrainedNetwork):
    """Renders the face of a frame. Height and width are multiples of 2**downsamplings and at least 4 times that.

    The file of a renderer also has the entries of `asccl.renderers.neural.checkpoint.RendererMetadata`.
    """

    KIND = "ned-renderer"
    DEPICTS_PERSON = True

    def __init__(self, sizes: RendererSizes | None = None):
        super().__init__()
        self.sizes = sizes = sizes or RendererSizes()
        width = sizes.ngf * 2**sizes.downsamplings
        self.model_down_seg = build_encoder(INPUT_FRAMES * CONDITION_CHANNELS, sizes)
        self.model_down_img = build_encoder(PREVIOUS_FRAMES * 3, sizes)
        self.model_res_img = nn.Sequential(*(ResidualBlock(width, sizes) for _ in range(sizes.blocks // 2)))
        layers: list[nn.Module] = []
        for _ in range(sizes.downsamplings):
            layers += [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1), sizes.norm(width // 2), nn.ReLU()]
            width //= 2
        self.model_up_img = nn.Sequential(*layers)
        self.model_final_img = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())
        self.register_load_state_dict_pre_hook(_drop_duplicates)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        return cls(RendererSizes.from_metadata(metadata))

    def to_metadata(self) -> dict[str, str]:
        return {**super().to_metadata(), **self.sizes.to_metadata()}

    def forward(self, conditions: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """Render one frame.

        conditions: (B, 30, H, W) in [0, 1], NMFC, shape, eyes and mask of three frames, the oldest first.
        previous: (B, 6, H, W) RGB in [-1, 1], the outputs for the two frames before, the older first; -1 where there is
        none. Returns (B, 3, H, W) RGB in [-1, 1], -1 outside of the last mask.
        """
        frames = conditions.unflatten(1, (INPUT_FRAMES, INPUT_CHANNELS))
        images, mask = frames[:, :, :CONDITION_CHANNELS].flatten(1, 2), frames[:, -1, CONDITION_CHANNELS:]
        # without previous outputs, at the start of a clip, instance normalization would amplify rounding errors
        has_previous = (previous > -1).flatten(1).any(1)[:, None, None, None]
        features = self.model_res_img(self.model_down_seg(images) + self.model_down_img(previous) * has_previous)
        return self.model_final_img(self.model_up_img(features)) * mask - (1 - mask)


def _drop_duplicates(_module: nn.Module, state: dict[str, torch.Tensor], *_: Any) -> None:
    for name in [name for name in state if DUPLICATE_TENSOR.search(name)]:
        del state[name]


class NedDiscriminator(nn.Module):
    """Scores the patches of an image at several scales: 1 for real, 0 for generated ones.

    NED has one for the image and one for the mouth.
    """

    def __init__(self, sizes: RendererSizes | None = None):
        super().__init__()
        self.sizes = sizes = sizes or RendererSizes()
        widths = [sizes.ndf * min(2**n, 8) for n in range(sizes.layers + 1)]
        for scale in range(sizes.scales):
            layers: list[nn.Module] = [
                nn.Sequential(nn.Conv2d(CONDITION_CHANNELS + 3, widths[0], 4, 2, 2), nn.LeakyReLU(0.2))
            ]
            for n in range(sizes.layers):
                stride = 2 if n + 1 < sizes.layers else 1
                conv = nn.Conv2d(widths[n], widths[n + 1], 4, stride, 2)
                layers.append(nn.Sequential(conv, sizes.norm(widths[n + 1]), nn.LeakyReLU(0.2)))
            layers.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, 1, 2)))
            for n, layer in enumerate(layers):
                self.add_module(f"scale{scale}_layer{n}", layer)
        self.halve = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, conditions: torch.Tensor, image: torch.Tensor) -> list[list[torch.Tensor]]:
        """Score an image.

        conditions: (B, 9, H, W) in [0, 1], of the image's frame. image: (B, 3, H, W) RGB in [-1, 1]. Returns the output
        of every layer for each scale, the finest first; the last of each are the scores (B, 1, h, w).
        """
        x = torch.cat([conditions, image], 1)
        scales = []
        for scale in reversed(range(self.sizes.scales)):
            features = [x]
            for n in range(self.sizes.layers + 2):
                features.append(self.get_submodule(f"scale{scale}_layer{n}")(features[-1]))
            scales.append(features[1:])
            x = self.halve(x)
        return scales

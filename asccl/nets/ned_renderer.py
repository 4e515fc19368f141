"""The networks of NED's second stage (Papantoniou et al., CVPR 2022): a generator that draws the face of a frame from
condition images and its own last two frames, and a discriminator that looks at two scales.

Layers and their names are those of the published checkpoints; `Sizes()` has their shapes, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from asccl.nets.blocks import Freezable

INPUT_FRAMES = 3  # of condition images that the generator sees, the one to draw last
PREVIOUS_FRAMES = 2  # own outputs that it sees
CONDITION_CHANNELS = 9  # condition channels of a frame without the mask: NMFC, shape, eyes, 3 each
INPUT_CHANNELS = CONDITION_CHANNELS + 1  # the mask comes last
DUPLICATE_TENSOR = re.compile(
    r"\.resnetblock_sequential\."
)  # published files hold what is in `conv_block` a second time


@dataclass(frozen=True)
class RendererSizes:
    """ngf, ndf: channels of the first layer of generator and discriminator. downsamplings: halvings of the picture with
    twice the channels. blocks: residual ones, the smaller half of them after the two encoders meet. scales, layers:
    discriminators, each at half the resolution of the one before; how often each halves. running: in evaluation mode
    normalise by the statistics of the training, as NED does, and not by those of the picture itself."""

    ngf: int = 64
    downsamplings: int = 3
    blocks: int = 9
    ndf: int = 64
    scales: int = 2
    layers: int = 3
    running: bool = True

    def to_metadata(self) -> dict[str, str]:
        """As a weights file's metadata has it."""
        return {name: str(int(value)) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, told: Mapping[str, str]) -> RendererSizes:
        """From a weights file's metadata. Raises KeyError, ValueError."""
        numbers = {name: int(told[name]) for name in cls.__dataclass_fields__}
        running = bool(numbers.pop("running"))
        return cls(**numbers, running=running)

    def norm(self, channels: int) -> nn.InstanceNorm2d:
        return nn.InstanceNorm2d(channels, track_running_stats=self.running)


class ResidualBlock(nn.Module):
    """(B, C, H, W) -> (B, C, H, W), H and W 2 or more."""

    def __init__(self, channels: int, sizes: RendererSizes):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), sizes.norm(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), sizes.norm(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


def encoder(inputs: int, sizes: RendererSizes) -> nn.Sequential:
    """(B, inputs, H, W) -> (B, ngf * 2**d, H / 2**d, W / 2**d), then the larger half of the residual blocks."""
    width = sizes.ngf
    parts = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7), sizes.norm(width), nn.ReLU()]
    for _ in range(sizes.downsamplings):
        parts += [nn.Conv2d(width, 2 * width, 3, 2, 1), sizes.norm(2 * width), nn.ReLU()]
        width *= 2
    return nn.Sequential(*parts, *(ResidualBlock(width, sizes) for _ in range(sizes.blocks - sizes.blocks // 2)))


class Generator(Freezable):
    """What the face looks like in a frame. Height and width are multiples of 2**downsamplings and at least 4 times
    that."""

    def __init__(self, sizes: RendererSizes | None = None):
        super().__init__()
        self.sizes = sizes = sizes or RendererSizes()
        width = sizes.ngf * 2**sizes.downsamplings
        self.model_down_seg = encoder(INPUT_FRAMES * CONDITION_CHANNELS, sizes)
        self.model_down_img = encoder(PREVIOUS_FRAMES * 3, sizes)
        self.model_res_img = nn.Sequential(*(ResidualBlock(width, sizes) for _ in range(sizes.blocks // 2)))
        parts: list[nn.Module] = []
        for _ in range(sizes.downsamplings):
            parts += [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1), sizes.norm(width // 2), nn.ReLU()]
            width //= 2
        self.model_up_img = nn.Sequential(*parts)
        self.model_final_img = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())
        self.register_load_state_dict_pre_hook(_without_twins)

    def forward(self, conditions: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        """conditions: (B, 30, H, W) in [0, 1], three frames, the oldest first, of NMFC, shape, eyes and mask.
        previous: (B, 6, H, W) RGB in [-1, 1], its outputs for the two frames before, the older first; -1 where there is
        none. Returns (B, 3, H, W) RGB in [-1, 1], -1 outside of the last mask.
        """
        frames = conditions.unflatten(1, (INPUT_FRAMES, INPUT_CHANNELS))
        seen, mask = frames[:, :, :CONDITION_CHANNELS].flatten(1, 2), frames[:, -1, CONDITION_CHANNELS:]
        # an even picture has no contrast to normalise: at the start of a clip rounding errors would speak
        known = (previous > -1).flatten(1).any(1)[:, None, None, None]
        features = self.model_res_img(self.model_down_seg(seen) + self.model_down_img(previous) * known)
        return self.model_final_img(self.model_up_img(features)) * mask - (1 - mask)


def _without_twins(_module: nn.Module, state: dict[str, torch.Tensor], *_: Any) -> None:
    for name in [name for name in state if DUPLICATE_TENSOR.search(name)]:
        del state[name]


class Discriminator(nn.Module):
    """How real a picture is, patch by patch and scale by scale: 1 real, 0 made. NED has one for the picture and one for
    the mouth."""

    def __init__(self, sizes: RendererSizes | None = None):
        super().__init__()
        self.sizes = sizes = sizes or RendererSizes()
        widths = [sizes.ndf * min(2**n, 8) for n in range(sizes.layers + 1)]
        for scale in range(sizes.scales):
            parts: list[nn.Module] = [
                nn.Sequential(nn.Conv2d(CONDITION_CHANNELS + 3, widths[0], 4, 2, 2), nn.LeakyReLU(0.2))
            ]
            for n in range(sizes.layers):
                stride = 2 if n + 1 < sizes.layers else 1
                conv = nn.Conv2d(widths[n], widths[n + 1], 4, stride, 2)
                parts.append(nn.Sequential(conv, sizes.norm(widths[n + 1]), nn.LeakyReLU(0.2)))
            parts.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, 1, 2)))
            for n, part in enumerate(parts):
                self.add_module(f"scale{scale}_layer{n}", part)
        self.halve = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, conditions: torch.Tensor, picture: torch.Tensor) -> list[list[torch.Tensor]]:
        """conditions: (B, 9, H, W) in [0, 1], of the picture's frame. picture: (B, 3, H, W) RGB in [-1, 1].

        Returns what every layer says, for each scale, the finest first; the last of each are the scores (B, 1, h, w).
        """
        x = torch.cat([conditions, picture], 1)
        told = []
        for scale in reversed(range(self.sizes.scales)):
            features = [x]
            for n in range(self.sizes.layers + 2):
                features.append(self.get_submodule(f"scale{scale}_layer{n}")(features[-1]))
            told.append(features[1:])
            x = self.halve(x)
        return told

"""Initial weights of ICface's networks."""

from __future__ import annotations

from itertools import product
from typing import Literal

import torch
from torch import nn
from torch.utils.data import default_collate

from asccl.errors import SettingError
from asccl.nets.icface import Discriminator, Generator, Icface, ResidualBlock, initialize, neutral_controls
from training.datasets.controlled_clips import FramePairs
from training.renderer_eval import spread_indices

Initialization = Literal["published", "default", "copy"]
LINEAR_SHIFT = 3.0  # bias of a batch norm, in standard deviations, with which the ReLU after it cuts hardly anything
IMAGE_STD = 0.5  # of a picture in [-1, 1], about
MAX_LEVEL = 0.99  # of a pixel whose colour is matched; tanh reaches 1 nowhere
MEASURED_PAIRS = 64
FIT_ITERATIONS = 25


def initialize_networks(
    net: Icface, discriminator: Discriminator, pairs: FramePairs, initialization: Initialization
) -> None:
    """Draw the initial weights of all networks.

    Args:
        net: neutralizer and animator.
        discriminator: the discriminator.
        pairs: training data.
        initialization: "published" as ICface does, for its width; "default" as PyTorch does; "copy" as `start_as_copy`
            does, the discriminator as PyTorch does.

    Raises:
        SettingError: the networks are too narrow to carry an image.
    """
    if initialization == "published":
        for network in (net, discriminator):
            initialize(network)
    elif initialization == "copy":
        start_as_copy(net, pairs)


@torch.no_grad()
def start_as_copy(net: Icface, pairs: FramePairs) -> None:
    """Let neutralizer and animator return their image, and normalize by fixed statistics of some training data.

    ICface normalizes by the statistics of each batch. Those of a small batch differ from those of the next one, and
    with them the colours that a network generates: an error that is larger than that of a copy of the source.

    Args:
        net: the networks, on the CPU.
        pairs: training data.

    Raises:
        SettingError: the networks are too narrow to carry an image.
    """
    batch = default_collate([pairs[int(index)] for index in spread_indices(len(pairs), MEASURED_PAIRS)])
    neutral = _start_generator(net.neutralizer, batch.source, neutral_controls(batch.source_controls))
    _start_generator(net.animator, neutral, batch.target_controls)


def _start_generator(generator: Generator, images: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
    """Initialize a network for images (B, 3, S, S) and controls (B, 20); return its output for them."""
    carry_image(generator)
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # the next call sets the statistics
    generator(images, controls)
    for norm in norms:
        norm.eval()
    _match_colours(generator.model[-2], generator(images, controls), images)
    return generator(images, controls)


def carry_image(generator: Generator) -> None:
    """Let the first channels of every layer carry the image; the other channels keep their weights.

    A downsampling layer puts the four pixels of a square into four channels, an upsampling layer takes them back.

    Raises:
        SettingError: the network is too narrow to carry the image.
    """
    settings = generator.settings
    if settings.width < 3 * 2**settings.downsamplings:
        raise SettingError(
            f"a network of width {settings.width} with {settings.downsamplings} downsamplings cannot carry an image",
            f"give a width of {3 * 2**settings.downsamplings} or more, or another --initialization",
        )
    carried = 3
    for layer, following in zip(generator.model[:-1], generator.model[1:], strict=True):
        if isinstance(layer, ResidualBlock):
            nn.init.zeros_(layer.conv_block[-1].weight)
        elif isinstance(layer, nn.ConvTranspose2d):
            carried //= 4
            layer.weight[:, :carried] = 0
            _connect_squares(layer.weight, carried)
        elif isinstance(layer, nn.Conv2d) and layer.stride[0] == 2:
            layer.weight[: 4 * carried] = 0
            _connect_squares(layer.weight, carried)
            carried *= 4
        elif isinstance(layer, nn.Conv2d):
            layer.weight[:carried] = 0
            nn.init.dirac_(layer.weight[:carried])
        if isinstance(following, nn.BatchNorm2d):
            following.weight[:carried], following.bias[:carried] = 1, LINEAR_SHIFT
    last = generator.model[-2]
    last.weight *= IMAGE_STD
    last.bias.fill_(-LINEAR_SHIFT * IMAGE_STD)


def _connect_squares(weight: torch.Tensor, channels: int) -> None:
    """Connect each of the first channels of the large images with four channels of the small ones, one per pixel.

    weight: (small, large, 3, 3) of a convolution with stride 2, or of a transposed one.
    """
    for channel, row, column in product(range(channels), (0, 1), (0, 1)):
        weight[4 * channel + 2 * row + column, channel, 1 + row, 1 + column] = 1


def _match_colours(last: nn.Conv2d, generated: torch.Tensor, images: torch.Tensor) -> None:
    """Change gain and bias of the last layer, before tanh, so that generated images get the colours of these images.

    The fit is by least squares; generated and images are (B, 3, S, S) in [-1, 1].
    """
    before = generated.clamp(-MAX_LEVEL, MAX_LEVEL).atanh()
    gain, shift = torch.ones(3, 1, 1, requires_grad=True), torch.zeros(3, 1, 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([gain, shift], max_iter=FIT_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = (torch.tanh(gain * before + shift) - images).square().mean()
            loss.backward()
        return loss.item()

    optimizer.step(closure)
    last.weight *= gain[..., None]
    last.bias.copy_(gain.flatten() * last.bias + shift.flatten())

"""Initial weights of ICface's networks."""

from __future__ import annotations

from functools import partial
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
MAX_LEVEL = 0.99  # of a pixel whose colour is matched; tanh reaches 1 nowhere
UNSATURATED_GAIN = 0.2  # of the last layer before the colours are matched, with which tanh is nearly linear
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
    carried = carry_image(generator)
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.eval().register_forward_pre_hook(partial(_fix_norm, carried.get(norm, 0))) for norm in norms]
    generator(images, controls)
    for hook in hooks:
        hook.remove()
    _match_colours(generator.model[-2], generator(images, controls), images)
    return generator(images, controls)


def _fix_norm(carried: int, norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
    """Set the statistics of a batch norm to those of its input; keep 0 where it is in the first channels.

    Args:
        carried: number of these channels.
        norm: the batch norm, in evaluation mode.
        inputs: (B, C, H, W), in a tuple.
    """
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.bias[:carried] = (mean / (variance + norm.eps).sqrt())[:carried]


def carry_image(generator: Generator) -> dict[nn.Module, int]:
    """Let the first channels of every layer carry the image; the other channels keep their weights.

    A downsampling layer puts the four pixels of a square into four signals, an upsampling layer takes them back. Every
    signal has two channels, its positive and its negative part, so that no ReLU cuts it.

    Returns:
        The number of these channels by the batch norm that follows a layer.

    Raises:
        SettingError: the network is too narrow to carry the image.
    """
    settings = generator.settings
    min_width = 6 * 2**settings.downsamplings
    if settings.width < min_width:
        raise SettingError(
            f"a network of width {settings.width} with {settings.downsamplings} downsamplings cannot carry an image",
            f"give a width of {min_width} or more, or another --initialization",
        )
    signals, carried = 3, {}
    first, last = generator.model[1], generator.model[-2]
    for layer, following in zip(generator.model[:-1], generator.model[1:], strict=True):
        if isinstance(layer, ResidualBlock):
            nn.init.zeros_(layer.conv_block[-1].weight)
        elif isinstance(layer, nn.ConvTranspose2d):
            signals //= 4
            layer.weight[:, : 2 * signals] = 0
            _connect_squares(layer.weight, signals)
        elif isinstance(layer, nn.Conv2d) and layer.stride[0] == 2:
            layer.weight[: 8 * signals] = 0
            _connect_squares(layer.weight, signals)
            signals *= 4
        if isinstance(following, nn.BatchNorm2d):
            nn.init.ones_(following.weight)
            carried[following] = 2 * signals
    nn.init.zeros_(first.weight[:6])
    nn.init.dirac_(first.weight[:3])
    first.weight[3:6] = -first.weight[:3]
    nn.init.dirac_(last.weight)
    last.weight[:, 3:6] = -last.weight[:, :3]
    last.weight *= UNSATURATED_GAIN
    nn.init.zeros_(last.bias)
    return carried


def _connect_squares(weight: torch.Tensor, signals: int) -> None:
    """Connect each signal of the large images with four signals of the small ones, one per pixel.

    weight: (small, large, 3, 3) of a convolution with stride 2, or of a transposed one.
    """
    for signal, row, column in product(range(signals), (0, 1), (0, 1)):
        small = 4 * signal + 2 * row + column
        for small_sign, large_sign in product((0, 1), (0, 1)):
            value = 1 if small_sign == large_sign else -1
            weight[small + 4 * signals * small_sign, signal + signals * large_sign, 1 + row, 1 + column] = value


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

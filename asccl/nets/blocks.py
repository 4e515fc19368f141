"""Building blocks that several networks share."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

BATCH_NORM_COUNTER = "num_batches_tracked"  # suffix of tensors that a frozen network does not use


def saved_tensors(net: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors of a network that belong into a file: its state dict without the batch-norm counters."""
    return {name: value for name, value in net.state_dict().items() if not name.endswith(BATCH_NORM_COUNTER)}


def tensor_shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of `saved_tensors`."""
    return {name: tuple(value.shape) for name, value in saved_tensors(net).items()}


class Freezable(nn.Module):
    """A network that can be frozen permanently."""

    frozen = False

    def freeze(self):
        """Enter evaluation mode, disable gradients, and ignore later `.train()` calls, including a parent module's."""
        self.eval().requires_grad_(False)
        self.frozen = True
        return self

    def train(self, mode: bool = True):
        """Set the mode as `nn.Module.train` does, unless the network is frozen."""
        return self if self.frozen else super().train(mode)


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Compute TensorFlow's SAME padding, with which a convolution has ceil(size / stride) outputs.

    Args:
        size: length of the input.
        kernel_size: length of the kernel.
        stride: stride of the convolution.

    Returns:
        Zeros to add before and after the input. An odd zero is added after it.
    """
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A square convolution with TensorFlow's SAME padding, which for stride 2 depends on the size of the input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel.
        stride: stride in both directions.
        options: other options of `nn.Conv2d`.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, **options: Any):
        # for stride 1 and an odd kernel SAME is the symmetric padding of nn.Conv2d
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] > 1:
            rows, columns = (same_padding(n, self.kernel_size[0], self.stride[0]) for n in x.shape[-2:])
            x = F.pad(x, (*columns, *rows))
        return super().forward(x)


class ConvPReLU(nn.Sequential):
    """SAME convolution with its batch normalization folded in, then a PReLU with one slope per channel.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel.
        stride: stride of the convolution.
        groups: groups of channels, see `nn.Conv2d`.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = SameConv2d(in_channels, out_channels, kernel_size, stride, groups=groups)
        self.prelu = nn.PReLU(out_channels)


class SeparableConv2d(nn.Sequential):
    """3x3 depthwise SAME convolution, then a 1x1 convolution with a bias.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: stride of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.depthwise = SameConv2d(in_channels, in_channels, 3, stride, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

"""Building blocks that several networks share."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

BATCH_NORM_COUNTER = "num_batches_tracked"  # suffix of tensors that a frozen network does not use


def saved_tensors(net: nn.Module) -> dict[str, torch.Tensor]:
    """Return the state dict of a network without the counters of batch normalisation, as a file of weights has it."""
    return {name: value for name, value in net.state_dict().items() if not name.endswith(BATCH_NORM_COUNTER)}


class Freezable(nn.Module):
    """A network that can be made constant for good."""

    frozen = False

    def freeze(self):
        """Evaluation mode, no gradient to the weights, and deaf to `.train()` from now on, a parent's too."""
        self.eval().requires_grad_(False)
        self.frozen = True
        return self

    def train(self, mode: bool = True):
        return self if self.frozen else super().train(mode)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME: zeros (before, after) so that ceil(size / stride) outputs come out; the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A square convolution with TensorFlow's SAME padding, which for stride 2 depends on the size of the input."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, **options: Any):
        # for stride 1 and an odd kernel SAME is the symmetric padding that the convolution does by itself
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))"""
        if self.stride[0] > 1:
            rows, columns = (same_padding(n, self.kernel_size[0], self.stride[0]) for n in x.shape[-2:])
            x = F.pad(x, (*columns, *rows))
        return super().forward(x)


class ConvPReLU(nn.Sequential):
    """SAME convolution (its batch normalisation folded in), then a PReLU with one slope per channel."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups)
        self.prelu = nn.PReLU(outputs)


class SeparableConv2d(nn.Sequential):
    """3x3 depthwise SAME convolution, then 1x1 with a bias."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.depthwise = SameConv2d(inputs, inputs, 3, stride, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

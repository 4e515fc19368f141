"""The expression network of face-api.js: seven emotions from a face of 112 pixels (MIT, V. Mühler)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from asccl.nets.blocks import SameConv2d, SeparableConv2d
from asccl.nets.pretrained import PretrainedNetwork
from asccl.types import EMOTIONS

INPUT_SIZE = 112  # pixels
FEATURE_SIZE = 256
MEAN_COLOUR = (122.782, 117.001, 104.298)  # of the training images, RGB in [0, 255]


class DenseBlock(nn.Module):
    """A layer that halves the resolution, then three layers; each reads the sum of the outputs of all earlier layers.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        first: whether this is the network's first block, which begins with a full convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, first: bool = False):
        super().__init__()
        self.conv0 = (
            SameConv2d(in_channels, out_channels, 3, stride=2)
            if first
            else SeparableConv2d(in_channels, out_channels, stride=2)
        )
        self.conv1 = SeparableConv2d(out_channels, out_channels)
        self.conv2 = SeparableConv2d(out_channels, out_channels)
        self.conv3 = SeparableConv2d(out_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / 2), ceil(W / 2))."""
        total = F.relu(self.conv0(x))
        x = total
        for layer in (self.conv1, self.conv2, self.conv3):
            total = total + layer(x)
            x = F.relu(total)
        return x


class ExpressionNet(PretrainedNetwork):
    """A classifier of seven emotions for RGB in [-1, 1]; the mean colour of its training is subtracted inside."""

    offset: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        channels = (32, 64, 128, FEATURE_SIZE)
        blocks = (DenseBlock(i, o, first=i == 3) for i, o in zip((3, *channels), channels, strict=False))
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(FEATURE_SIZE, len(EMOTIONS))
        self.register_buffer("offset", (127.5 - torch.tensor(MEAN_COLOUR).view(3, 1, 1)) / 255, persistent=False)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Compute expression features.

        x: (B, 3, 112, 112) RGB in [-1, 1], an expression crop. Returns (B, 256), not negative. Raises ValueError.
        """
        if x.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"expected (B, 3, {INPUT_SIZE}, {INPUT_SIZE}), got {tuple(x.shape)}")
        return self.blocks(x / 2 + self.offset).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify: (B, 3, 112, 112) RGB in [-1, 1] -> (B, 7) logits in the order of `EMOTIONS`."""
        return self.classify(self.features(x))

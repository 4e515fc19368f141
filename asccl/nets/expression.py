"""The expression network of face-api.js: seven emotions from a face of 112 pixels (MIT, V. Mühler)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from asccl.nets.blocks import Freezable, SameConv2d, SeparableConv2d
from asccl.types import EMOTIONS

INPUT_SIZE = 112
FEATURE_SIZE = 256
MEAN_COLOUR = (122.782, 117.001, 104.298)  # RGB of 0..255


class DenseBlock(nn.Module):
    """Halves the size; then three layers, each of which sees the sum of all before it."""

    def __init__(self, inputs: int, outputs: int, first: bool = False):
        super().__init__()
        self.conv0 = SameConv2d(inputs, outputs, 3, stride=2) if first else SeparableConv2d(inputs, outputs, stride=2)
        self.conv1 = SeparableConv2d(outputs, outputs)
        self.conv2 = SeparableConv2d(outputs, outputs)
        self.conv3 = SeparableConv2d(outputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = F.relu(self.conv0(x))
        x = total
        for layer in (self.conv1, self.conv2, self.conv3):
            total = total + layer(x)
            x = F.relu(total)
        return x


class ExpressionNet(Freezable):
    """Takes RGB in [-1, 1]; the mean colour and the scale that it was trained with are applied inside."""

    offset: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 128, FEATURE_SIZE)
        blocks = (DenseBlock(i, o, first=i == 3) for i, o in zip((3, *widths), widths, strict=False))
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(FEATURE_SIZE, len(EMOTIONS))
        self.register_buffer("offset", (127.5 - torch.tensor(MEAN_COLOUR).view(3, 1, 1)) / 255, persistent=False)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, 112, 112) RGB in [-1, 1], an expression crop -> (B, 256), 0 or more. Raises ValueError."""
        if x.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"expected (B, 3, {INPUT_SIZE}, {INPUT_SIZE}), got {tuple(x.shape)}")
        return self.blocks(x / 2 + self.offset).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, 112, 112) RGB in [-1, 1], an expression crop -> (B, 7) logits in the order of `EMOTIONS`."""
        return self.classify(self.features(x))

"""A grey-scale ArcFace ResNet-18 of 128 pixels: the feature network of the FAD of the paper's group.

Tensors have the names of the published `resnet18_110.pth` (without `module.`). Those weights carry no licence.
"""

from __future__ import annotations

import torch
from torch import nn

from asccl.nets.blocks import Freezable

INPUT_SIZE = 128  # pixels
EMBEDDING_SIZE = 512
CHANNELS = (64, 128, 256, 512)
BLOCKS = 2  # of each layer


class Block(nn.Module):
    """Residual block BN-conv-BN-PReLU-conv-BN-PReLU; both PReLUs are one, with one slope.

    Args:
        in_channels: channels of the input, and of the first convolution.
        out_channels: channels of the output.
        stride: of the second convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride > 1 or in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(self.bn0(x))))))
        return self.prelu(y + (x if self.downsample is None else self.downsample(x)))


class FaceResNet18(Freezable):
    """A face-recognition network for grey values in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, CHANNELS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS[0])
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2)
        inputs = CHANNELS[0]
        for number, width in enumerate(CHANNELS, 1):
            blocks = [
                Block(inputs, width, 1 if number == 1 else 2),
                *(Block(width, width, 1) for _ in range(BLOCKS - 1)),
            ]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            inputs = width
        self.bn4 = nn.BatchNorm2d(inputs)
        self.fc5 = nn.Linear(inputs * (INPUT_SIZE // 16) ** 2, EMBEDDING_SIZE)
        self.bn5 = nn.BatchNorm1d(EMBEDDING_SIZE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute an identity embedding: (B, 1, 128, 128) grey in [-1, 1] -> (B, 512), not normalized."""
        x = self.maxpool(self.prelu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.bn5(self.fc5(self.bn4(x).flatten(1)))

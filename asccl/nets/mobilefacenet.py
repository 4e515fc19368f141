"""MobileFaceNet: a small face-recognition network with four feature maps (Chen et al., CCBR 2018)."""

from __future__ import annotations

import torch
from torch import nn

from asccl.nets.blocks import ConvPReLU
from asccl.nets.pretrained import PretrainedNetwork

INPUT_SIZE = 112  # pixels
EMBEDDING_SIZE = 192
MAP_CHANNELS = (64, 64, 128, 128)
MAP_STRIDES = (2, 4, 8, 16)


class Bottleneck(nn.Module):
    """Inverted residual block: 1x1 and 3x3 depthwise convolution with PReLU, linear 1x1 projection, and a shortcut.

    Args:
        in_channels: channels of the input.
        expanded_channels: channels between the two 1x1 convolutions.
        out_channels: channels of the output.
        stride: stride of the depthwise convolution. The shortcut exists where input and output have the same shape.
    """

    def __init__(self, in_channels: int, expanded_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.expand = ConvPReLU(in_channels, expanded_channels, 1)
        self.depthwise = ConvPReLU(expanded_channels, expanded_channels, 3, stride, groups=expanded_channels)
        self.project = nn.Conv2d(expanded_channels, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class MobileFaceNet(PretrainedNetwork):
    """A face-recognition network for RGB in [-1, 1], value / 127.5 - 1.

    Batch normalization is folded into the convolutions, and so is the scale of the input: the network was trained on
    (value - 127.5) / 128, and the first convolution contains the factor 127.5 / 128. That is exact because it pads with
    zeros.
    """

    MAP_CHANNELS = MAP_CHANNELS
    MAP_STRIDES = MAP_STRIDES

    def __init__(self) -> None:
        super().__init__()
        stem = [ConvPReLU(3, 64, 3, stride=2), ConvPReLU(64, 64, 3, groups=64), nn.Conv2d(64, 64, 1)]
        self.stages = nn.ModuleList(
            [
                nn.Sequential(*stem),
                nn.Sequential(Bottleneck(64, 128, 64, stride=2), *(Bottleneck(64, 128, 64) for _ in range(4))),
                nn.Sequential(Bottleneck(64, 256, 128, stride=2), *(Bottleneck(128, 256, 128) for _ in range(6))),
                nn.Sequential(Bottleneck(128, 512, 128, stride=2), *(Bottleneck(128, 256, 128) for _ in range(2))),
            ]
        )
        self.expand = ConvPReLU(128, 512, 1)
        self.pool = nn.Conv2d(512, 512, INPUT_SIZE // MAP_STRIDES[-1], groups=512)  # "global depthwise convolution"
        self.embed = nn.Conv2d(512, EMBEDDING_SIZE, 1)

    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Compute four feature maps of decreasing size.

        x: (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16, an ArcFace crop. Returns the output of the last block
        of each resolution, (B, `MAP_CHANNELS`[i], H / `MAP_STRIDES`[i], W / `MAP_STRIDES`[i]). Differentiable. Raises
        ValueError.
        """
        if x.dim() != 4 or x.shape[1] != 3 or x.shape[2] % 16 or x.shape[3] % 16 or 0 in x.shape[2:]:
            raise ValueError(f"expected (B, 3, H, W) with H and W multiples of 16, got {tuple(x.shape)}")
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute an identity embedding.

        x: (B, 3, 112, 112) RGB in [-1, 1], an ArcFace crop. Returns (B, 192), not normalized. Raises ValueError.
        """
        if x.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ValueError(f"expected (B, 3, {INPUT_SIZE}, {INPUT_SIZE}), got {tuple(x.shape)}")
        return self.embed_map(self.feature_maps(x)[-1])

    def embed_map(self, last_map: torch.Tensor) -> torch.Tensor:
        """Compute an identity embedding (B, 192), not normalized, from the last feature map, (B, 128, 7, 7)."""
        return self.embed(self.pool(self.expand(last_map))).flatten(1)

"""EfficientFace: a small expression network (Zhao, Liu and Zhou, AAAI 2021; code MIT), for the CSIM of the group.

A ShuffleNet V2 whose second stage is modulated by an attention and joined by features of the four quarters of the face.
Tensors have the names of the published `EfficientFace_Trained_on_AffectNet7.pth.tar`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu

from asccl.nets.blocks import Freezable

INPUT_SIZE = 224  # pixels
FEATURE_SIZE = 1024
CHANNELS = (29, 116, 232, 464)
REPEATS = (4, 8, 4)  # blocks of the stages 2 to 4
CLASSES = 7
GATE_REDUCTION = 16
GATE_DILATION = 4
MEAN = (0.57535914, 0.44928582, 0.40079932)  # of its training images, RGB in [0, 1]
DEVIATION = (0.20735591, 0.18981615, 0.18132027)


class ShuffleBlock(nn.Module):
    """Block of ShuffleNet V2: half of the channels pass, half are convolved, then both are interleaved.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: 2 halves the resolution and convolves both halves.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        half = out_channels // 2
        self.branch1 = None
        if stride > 1:
            self.branch1 = nn.Sequential(*_depthwise(in_channels, stride), *_pointwise(in_channels, half))
        self.branch2 = nn.Sequential(
            *_pointwise(in_channels if stride > 1 else half, half), *_depthwise(half, stride), *_pointwise(half, half)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        first, second = (self.branch1(x), x) if self.branch1 is not None else x.chunk(2, 1)
        return torch.stack([first, self.branch2(second)], 2).flatten(1, 2)


class LocalFeatures(nn.Module):
    """Features of the four quarters of a map, each with convolutions of its own."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        for quarter in range(1, 5):
            for step, channels, stride in ((1, in_channels, 2), (2, out_channels, 1)):
                layer = nn.Conv2d(channels, out_channels, 3, stride, 1, groups=channels, bias=False)
                self.add_module(f"conv{quarter}_{step}", layer)
                self.add_module(f"bn{quarter}_{step}", nn.BatchNorm2d(out_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', H / 2, W / 2)."""
        columns = [self._column(part, 2 * number) for number, part in enumerate(x.chunk(2, 3))]
        return torch.cat(columns, 3)

    def _column(self, x: torch.Tensor, before: int) -> torch.Tensor:
        return torch.cat([self._quarter(part, before + number) for number, part in enumerate(x.chunk(2, 2), 1)], 2)

    def _quarter(self, x: torch.Tensor, quarter: int) -> torch.Tensor:
        for step in (1, 2):
            x = relu(self.get_submodule(f"bn{quarter}_{step}")(self.get_submodule(f"conv{quarter}_{step}")(x)))
        return x


class ChannelGate(nn.Module):
    """One weight per channel, from the mean of the map."""

    def __init__(self, channels: int):
        super().__init__()
        reduced = channels // GATE_REDUCTION
        self.gate_c = nn.Sequential()
        self.gate_c.add_module("gate_c_fc_0", nn.Linear(channels, reduced))
        self.gate_c.add_module("gate_c_bn_1", nn.BatchNorm1d(reduced))
        self.gate_c.add_module("gate_c_relu_1", nn.ReLU())
        self.gate_c.add_module("gate_c_fc_final", nn.Linear(reduced, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, 1, 1)."""
        return self.gate_c(x.mean((2, 3)))[:, :, None, None]


class SpatialGate(nn.Module):
    """One weight per location, from two dilated convolutions."""

    def __init__(self, channels: int):
        super().__init__()
        reduced = channels // GATE_REDUCTION
        self.gate_s = nn.Sequential()
        self.gate_s.add_module("gate_s_conv_reduce0", nn.Conv2d(channels, reduced, 1))
        self.gate_s.add_module("gate_s_bn_reduce0", nn.BatchNorm2d(reduced))
        self.gate_s.add_module("gate_s_relu_reduce0", nn.ReLU())
        for i in range(2):
            layer = nn.Conv2d(reduced, reduced, 3, padding=GATE_DILATION, dilation=GATE_DILATION)
            self.gate_s.add_module(f"gate_s_conv_di_{i}", layer)
            self.gate_s.add_module(f"gate_s_bn_di_{i}", nn.BatchNorm2d(reduced))
            self.gate_s.add_module(f"gate_s_relu_di_{i}", nn.ReLU())
        self.gate_s.add_module("gate_s_conv_final", nn.Conv2d(reduced, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, 1, H, W)."""
        return self.gate_s(x)


class Modulator(nn.Module):
    """Multiply a map by the sigmoid of the product of a channel gate and a spatial gate."""

    def __init__(self, channels: int):
        super().__init__()
        self.channel_att = ChannelGate(channels)
        self.spatial_att = SpatialGate(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x * torch.sigmoid(self.channel_att(x) * self.spatial_att(x))


class EfficientFace(Freezable):
    """A classifier of seven emotions for RGB in [0, 1], `MEAN` and `DEVIATION` applied."""

    def __init__(self) -> None:
        super().__init__()
        stem, *widths = CHANNELS
        self.conv1 = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = stem
        for stage, (width, repeats) in enumerate(zip(widths, REPEATS, strict=True), 2):
            blocks = [ShuffleBlock(inputs, width, 2), *(ShuffleBlock(width, width, 1) for _ in range(repeats - 1))]
            self.add_module(f"stage{stage}", nn.Sequential(*blocks))
            inputs = width
        self.local = LocalFeatures(stem, widths[0])
        self.modulator = Modulator(widths[0])
        self.conv5 = nn.Sequential(*_pointwise(inputs, FEATURE_SIZE))
        self.fc = nn.Linear(FEATURE_SIZE, CLASSES)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Compute expression features: (B, 3, 224, 224) -> (B, 1024)."""
        x = self.maxpool(self.conv1(x))
        x = self.modulator(self.stage2(x)) + self.local(x)
        return self.conv5(self.stage4(self.stage3(x))).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify: (B, 3, 224, 224) -> (B, 7) logits."""
        return self.fc(self.features(x))


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False), nn.BatchNorm2d(channels)]


def _pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]

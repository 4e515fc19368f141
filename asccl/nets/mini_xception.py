"""Mini-Xception: small grey-scale classifiers of seven emotions (Arriaga et al., 2017), for a face of 64 pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from asccl.nets.blocks import SameConv2d, SeparableConv2d, same_padding
from asccl.nets.pretrained import PretrainedNetwork
from asccl.types import EMOTIONS

INPUT_SIZE = 64  # pixels
LUMINANCE = (0.299, 0.587, 0.114)  # of R, G, B


class XceptionModule(nn.Module):
    """Two separable convolutions and a pooling that halves the resolution, beside a strided 1x1 convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        pre_activation: whether the separable branch begins with a rectified linear unit.
    """

    def __init__(self, in_channels: int, out_channels: int, pre_activation: bool):
        super().__init__()
        self.pre_activation = pre_activation
        self.shortcut = SameConv2d(in_channels, out_channels, 1, stride=2)
        self.first = SeparableConv2d(in_channels, out_channels)
        self.second = SeparableConv2d(out_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / 2), ceil(W / 2))."""
        y = F.relu(x) if self.pre_activation else x
        y = self.second(F.relu(self.first(y)))
        rows, columns = (same_padding(n, 3, 2) for n in y.shape[-2:])
        return F.max_pool2d(F.pad(y, (*columns, *rows), value=float("-inf")), 3, 2) + self.shortcut(x)


class MiniXception(PretrainedNetwork):
    """A classifier of seven emotions for RGB in [-1, 1]; batch normalization is folded into the convolutions.

    Args:
        stem: channels of the two first convolutions.
        stem_stride: stride of the first one.
        modules: channels of the modules.
        pre_activation: see `XceptionModule`.
    """

    luminance: torch.Tensor

    def __init__(
        self,
        stem: tuple[int, int] = (32, 64),
        stem_stride: int = 2,
        modules: Sequence[int] = (128, 256),
        pre_activation: bool = True,
    ):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem[0], 3, stem_stride), nn.ReLU(), nn.Conv2d(stem[0], stem[1], 3), nn.ReLU()
        )
        pairs = zip((stem[1], *modules), modules, strict=False)
        self.blocks = nn.Sequential(*(XceptionModule(i, o, pre_activation) for i, o in pairs))
        self.classify = SameConv2d(modules[-1], len(EMOTIONS), 3)
        self.register_buffer("luminance", torch.tensor(LUMINANCE).view(1, 3, 1, 1), persistent=False)

    def predict(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute logits and expression features.

        x: (B, 3, H, W) RGB in [-1, 1], an expression crop, scaled to 64 pixels inside. Returns (B, 7) in the order of
        `EMOTIONS` and (B, `modules[-1]`), not negative.
        """
        grey = (x * self.luminance).sum(1, keepdim=True)
        if grey.shape[-2:] != (INPUT_SIZE, INPUT_SIZE):
            size = (INPUT_SIZE, INPUT_SIZE)
            grey = F.interpolate(grey, size, mode="bilinear", align_corners=False, antialias=True)
        maps = self.blocks(self.stem(grey))
        return self.classify(maps).mean((2, 3)), F.relu(maps).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify: (B, 3, H, W) RGB in [-1, 1] -> (B, 7) logits in the order of `EMOTIONS`."""
        return self.predict(x)[0]

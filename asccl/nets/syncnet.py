"""SyncNet: embeddings of moving lips and of sound that are near each other when both belong together.

Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016. Tensors have the names of the
published `syncnet_v2.model`.
"""

from __future__ import annotations

import torch
from torch import nn

from asccl.nets.blocks import Freezable

EMBEDDING_SIZE = 1024
HIDDEN_SIZE = 512


class SyncNet(Freezable):
    """The two streams of SyncNet."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_convolution(nn.Conv2d(1, 64, 3, padding=1)),
            nn.MaxPool2d(1),
            *_convolution(nn.Conv2d(64, 192, 3, padding=1)),
            nn.MaxPool2d(3, (1, 2)),
            *_convolution(nn.Conv2d(192, 384, 3, padding=1)),
            *_convolution(nn.Conv2d(384, 256, 3, padding=1)),
            *_convolution(nn.Conv2d(256, 256, 3, padding=1)),
            nn.MaxPool2d(3, 2),
            *_convolution(nn.Conv2d(256, HIDDEN_SIZE, (5, 4))),
        )
        self.netfcaud = _projection()
        self.netfclip = _projection()
        self.netcnnlip = nn.Sequential(
            *_convolution(nn.Conv3d(3, 96, (5, 7, 7), (1, 2, 2))),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_convolution(nn.Conv3d(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_convolution(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1))),
            *_convolution(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1))),
            *_convolution(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_convolution(nn.Conv3d(256, HIDDEN_SIZE, (1, 6, 6))),
        )

    def lips(self, x: torch.Tensor) -> torch.Tensor:
        """Embed windows of lips: (B, 3, 5, 224, 224) BGR in [0, 255] -> (B, 1024)."""
        return self.netfclip(self.netcnnlip(x).flatten(1))

    def sound(self, x: torch.Tensor) -> torch.Tensor:
        """Embed windows of sound: cepstra (B, 1, 13, 20), 4 columns per frame -> (B, 1024)."""
        return self.netfcaud(self.netcnnaud(x).flatten(1))


def _convolution(layer: nn.Conv2d | nn.Conv3d) -> list[nn.Module]:
    norm = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm3d
    return [layer, norm(layer.out_channels), nn.ReLU()]


def _projection() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(HIDDEN_SIZE, HIDDEN_SIZE),
        nn.BatchNorm1d(HIDDEN_SIZE),
        nn.ReLU(),
        nn.Linear(HIDDEN_SIZE, EMBEDDING_SIZE),
    )

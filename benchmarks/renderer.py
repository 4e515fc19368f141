"""A network of the size of NED's renderer, with random weights, to have something to compare the time with.

Its layers have the shapes of the published one: two encoders (27 and 6 channels; three downsamplings and five residual
blocks each), their sum, four more blocks, three upsamplings; 64 to 512 channels; instance norm; 70.8 million
parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PARAMETERS = 70_834_755  # of the published generator, every shared one counted once
MAPS, PREVIOUS = 27, 6  # channels: three frames of nine maps; the two frames before
SIDE = 256  # pixels
BASE = 64  # channels


def norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=False, track_running_stats=True)


class Block(nn.Module):
    """Residual block."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def encoder(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, BASE, 7), norm(BASE), nn.ReLU()]
    for n in (BASE, 2 * BASE, 4 * BASE):
        layers += [nn.Conv2d(n, 2 * n, 3, stride=2, padding=1), norm(2 * n), nn.ReLU()]
    return nn.Sequential(*layers, *(Block(8 * BASE) for _ in range(5)))


class SizedLikeNed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.maps, self.previous = encoder(MAPS), encoder(PREVIOUS)
        layers: list[nn.Module] = [Block(8 * BASE) for _ in range(4)]
        for n in (8 * BASE, 4 * BASE, 2 * BASE):
            up = nn.ConvTranspose2d(n, n // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, norm(n // 2), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(BASE, 3, 7), nn.Tanh())

    def forward(self, maps: Tensor, previous: Tensor) -> Tensor:
        """(B, 27, 256, 256), (B, 6, 256, 256) -> (B, 3, 256, 256)."""
        return self.decoder(self.maps(maps) + self.previous(previous))


def build() -> SizedLikeNed:
    """In eval mode, with weights from a fixed seed."""
    torch.manual_seed(0)
    net = SizedLikeNed().eval()
    found = sum(p.numel() for p in net.parameters())
    assert found == PARAMETERS, found
    return net

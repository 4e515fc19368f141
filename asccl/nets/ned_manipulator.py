"""The four networks of NED's first stage (Papantoniou et al., CVPR 2022): coefficients in, coefficients of another
emotion out. A style, 16 numbers, says which emotion and in whose manner.

Layers and their names are those of the published checkpoint; `Sizes()` with 51 coefficients has its shapes, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from torch import nn

from asccl.nets.blocks import Freezable
from asccl.types import EMOTIONS

WINDOW_LENGTH = 10  # frames of a sequence, in training and here
WINDOW_STRIDE = 3  # frames from one window of a long sequence to the next
BLEND_SIGMA = 0.2  # of a window's weight over its frames, in windows
WINDOW_BATCH = 256  # windows at once
MEAN_STYLE_LATENTS = 1000  # latents whose mean style stands for an emotion


@dataclass(frozen=True)
class ManipulatorSizes:
    """coefficients: 52 ARKit units, or 51 of FLAME (jaw, then 50 of expression). width: of the generator's LSTM; what
    looks at sequences is a quarter as wide. classes: emotions. residual: the generator adds to its input,
    which NED's does not."""

    coefficients: int = 52
    width: int = 512
    style: int = 16
    latent: int = 4
    hidden: int = 64
    classes: int = len(EMOTIONS)
    residual: bool = False

    def to_metadata(self) -> dict[str, str]:
        """As a weights file's metadata has it."""
        return {name: str(int(value)) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, told: Mapping[str, str]) -> ManipulatorSizes:
        """From a weights file's metadata. Raises KeyError, ValueError."""
        numbers = {name: int(told[name]) for name in cls.__dataclass_fields__}
        residual = bool(numbers.pop("residual"))
        return cls(**numbers, residual=residual)


def mlp(*sizes: int, bend_last: bool = False) -> nn.Sequential:
    """Linear layers with a ReLU between each two, and after the last on demand."""
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        parts += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*(parts if bend_last else parts[:-1]))


class MappingNetwork(nn.Module):
    """A latent drawn at random -> a style of an emotion."""

    def __init__(self, sizes: ManipulatorSizes):
        super().__init__()
        width = sizes.hidden
        self.shared = mlp(sizes.latent, width, width, width, bend_last=True)
        self.unshared = nn.ModuleList(mlp(width, width, sizes.style) for _ in range(sizes.classes))

    def forward(self, z: torch.Tensor, emotion: torch.Tensor) -> torch.Tensor:
        """(B, latent) standard normal, (B,) int64 -> (B, style)."""
        h = self.shared(z)
        every = torch.stack([head(h) for head in self.unshared], 1)
        return every[torch.arange(len(z), device=z.device), emotion]


class SequenceNetwork(nn.Module):
    """Frame by frame, then both ways along time, then frame by frame again."""

    def __init__(self, before: tuple[int, ...], width: int, after: tuple[int, ...]):
        super().__init__()
        self.seq1 = mlp(*before, bend_last=True)
        self.LSTM = nn.LSTM(before[-1], width, num_layers=2, batch_first=True, bidirectional=True)
        self.seq2 = mlp(2 * width, *after)

    def frames(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, inputs) -> (B, T, outputs)."""
        return self.seq2(self.LSTM(self.seq1(x))[0])


class SequenceGenerator(SequenceNetwork):
    """Coefficients and a style -> coefficients in that style."""

    def __init__(self, sizes: ManipulatorSizes):
        w = sizes.width
        super().__init__((sizes.coefficients + sizes.style, w, w), w, (2 * w, 2 * w, sizes.coefficients))
        self.residual = sizes.residual

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, T, C), (B, style) -> (B, T, C)."""
        out = self.frames(torch.cat([x, style[:, None].expand(-1, x.shape[1], -1)], -1))
        return x + out if self.residual else out


class StyleEncoder(SequenceNetwork):
    """Coefficients -> their style."""

    def __init__(self, sizes: ManipulatorSizes):
        w = sizes.width
        super().__init__((sizes.coefficients, w, w // 2), w // 4, (w // 4, w // 8, sizes.style))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, C) -> (B, style), the mean over the frames."""
        return self.frames(x).mean(1)


class SequenceDiscriminator(SequenceNetwork):
    """Coefficients -> how real they are as a sequence of an emotion: 1 real, 0 made."""

    def __init__(self, sizes: ManipulatorSizes):
        w = sizes.width
        super().__init__((sizes.coefficients, w, w // 2), w // 4, (w // 4, w // 8, sizes.classes))

    def forward(self, x: torch.Tensor, emotion: torch.Tensor) -> torch.Tensor:
        """(B, T, C), (B,) int64 -> (B,), the mean over the frames."""
        return self.frames(x).mean(1)[torch.arange(len(x), device=x.device), emotion]


class Manipulator(Freezable):
    """All four, and the mean style of every emotion, (emotions, style), which stands for its name."""

    mean_style: torch.Tensor

    def __init__(self, sizes: ManipulatorSizes | None = None):
        super().__init__()
        self.sizes = sizes = sizes or ManipulatorSizes()
        self.generator = SequenceGenerator(sizes)
        self.mapping_network = MappingNetwork(sizes)
        self.style_encoder = StyleEncoder(sizes)
        self.discriminator = SequenceDiscriminator(sizes)
        self.register_buffer("mean_style", torch.zeros(sizes.classes, sizes.style))


@torch.no_grad()
def mean_styles(mapping: MappingNetwork, latent: int, emotions: int = len(EMOTIONS)) -> torch.Tensor:
    """(emotions, style): what the mapping network makes of `MEAN_STYLE_LATENTS` latents on average, always the same ones."""
    z = torch.randn(MEAN_STYLE_LATENTS, latent, generator=torch.Generator().manual_seed(0))
    return torch.stack([mapping(z, torch.full((MEAN_STYLE_LATENTS,), e)).mean(0) for e in range(emotions)])


def window_indices(x: torch.Tensor, window: int = WINDOW_LENGTH, stride: int = WINDOW_STRIDE) -> torch.Tensor:
    """(T, ...) -> (N, window) numbers of the frames of each window: every frame is in one, the last ends at the end.
    A shorter sequence goes on with its last frame."""
    last = max(len(x) - window, 0)
    starts = torch.tensor([*range(0, last, stride), last])
    return (starts[:, None] + torch.arange(window)).clamp(max=len(x) - 1)


@torch.no_grad()
def translate(
    generator: SequenceGenerator, x: torch.Tensor, style: torch.Tensor, stride: int = WINDOW_STRIDE
) -> torch.Tensor:
    """A whole video: coefficients (T, C) of any length in a style (style,) -> (T, C).

    Window by window, as in training; where windows overlap each counts by a Gaussian around its middle.
    """
    index = window_indices(x, stride=stride).to(x.device)
    made = torch.cat([generator(x[part], style.expand(len(part), -1)) for part in index.split(WINDOW_BATCH)])
    middle = (WINDOW_LENGTH - 1) / 2
    bell = torch.exp(
        -(((torch.arange(WINDOW_LENGTH, device=x.device) - middle) / (BLEND_SIGMA * WINDOW_LENGTH)) ** 2) / 2
    )
    total, weight = torch.zeros_like(x), torch.zeros_like(x[:, :1])
    total.index_add_(0, index.flatten(), (made * bell[:, None]).flatten(0, 1))
    weight.index_add_(0, index.flatten(), bell.expand(len(index), -1).reshape(-1, 1))
    return total / weight


@torch.no_grad()
def encode_style(encoder: StyleEncoder, x: torch.Tensor, stride: int = WINDOW_STRIDE) -> torch.Tensor:
    """Coefficients (T, C) of any length -> (style,), the mean over windows."""
    index = window_indices(x, stride=stride).to(x.device)
    return torch.cat([encoder(x[part]) for part in index.split(WINDOW_BATCH)]).mean(0)

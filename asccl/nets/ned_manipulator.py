"""The four networks of NED's first stage (Papantoniou et al., CVPR 2022).

They change the emotion of a sequence of expression coefficients. A style, a vector of 16 numbers, determines the
emotion and the speaker's way to express it. Layers and tensors have the names of the published checkpoint, and its
shapes with `ManipulatorSizes(51)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import nn

from asccl.nets.pretrained import PretrainedNetwork
from asccl.types import EMOTIONS

WINDOW_LENGTH = 10  # frames of a sequence, in training and in use
WINDOW_STRIDE = 3  # frames from one window of a long sequence to the next
BLEND_SIGMA = 0.2  # of the Gaussian that weighs the frames of a window, in window lengths
WINDOW_BATCH = 256  # windows in one batch
MEAN_STYLE_LATENTS = 1000  # random latents whose mean style represents an emotion


@dataclass(frozen=True)
class ManipulatorSizes:
    """Sizes of the networks.

    Attributes:
        coefficients: 52 ARKit units, or 51 coefficients of FLAME (jaw, then 50 of expression).
        width: of the generator's LSTM; style encoder and discriminator are a quarter as wide.
        style: numbers of a style.
        latent: numbers of a random latent.
        hidden: width of the mapping network.
        classes: number of emotions.
        residual: whether the generator adds its output to its input; NED's does not.
    """

    coefficients: int = 52
    width: int = 512
    style: int = 16
    latent: int = 4
    hidden: int = 64
    classes: int = len(EMOTIONS)
    residual: bool = False

    def to_metadata(self) -> dict[str, str]:
        """Return the fields as metadata of a file of weights."""
        return {name: str(int(value)) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ManipulatorSizes:
        """Read the sizes from the metadata of a file of weights. Raises KeyError, ValueError."""
        numbers = {name: int(metadata[name]) for name in cls.__dataclass_fields__}
        residual = bool(numbers.pop("residual"))
        return cls(**numbers, residual=residual)


def mlp(*sizes: int, final_relu: bool = False) -> nn.Sequential:
    """Build linear layers of these sizes with a ReLU between them, and one after the last if `final_relu`."""
    layers: list[nn.Module] = []
    for in_features, out_features in pairwise(sizes):
        layers += [nn.Linear(in_features, out_features), nn.ReLU()]
    return nn.Sequential(*(layers if final_relu else layers[:-1]))


class MappingNetwork(nn.Module):
    """Map a random latent to a style of an emotion."""

    def __init__(self, sizes: ManipulatorSizes):
        super().__init__()
        width = sizes.hidden
        self.shared = mlp(sizes.latent, width, width, width, final_relu=True)
        self.unshared = nn.ModuleList(mlp(width, width, sizes.style) for _ in range(sizes.classes))

    def forward(self, z: torch.Tensor, emotion: torch.Tensor) -> torch.Tensor:
        """(B, latent) standard normal, (B,) int64 -> (B, style)."""
        h = self.shared(z)
        styles = torch.stack([head(h) for head in self.unshared], 1)
        return styles[torch.arange(len(z), device=z.device), emotion]


def _copy_shared_tensors(module: nn.Module, state: dict[str, torch.Tensor], prefix: str, _: object) -> None:
    """Copy the tensors of an LSTM in a state dict: cuDNN keeps them in one buffer, which safetensors refuses."""
    for name, tensor in state.items():
        if name.startswith(prefix):
            state[name] = tensor.clone()


class SequenceNetwork(nn.Module):
    """Layers that read single frames, a bidirectional LSTM over time, then layers that read single frames again.

    Args:
        input_sizes: of the first layers.
        width: of each direction of the LSTM.
        output_sizes: of the last layers.
    """

    def __init__(self, input_sizes: tuple[int, ...], width: int, output_sizes: tuple[int, ...]):
        super().__init__()
        self.seq1 = mlp(*input_sizes, final_relu=True)
        self.LSTM = nn.LSTM(input_sizes[-1], width, num_layers=2, batch_first=True, bidirectional=True)
        self.seq2 = mlp(2 * width, *output_sizes)
        self.LSTM.register_state_dict_post_hook(_copy_shared_tensors)

    def per_frame(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, inputs) -> (B, T, outputs)."""
        return self.seq2(self.LSTM(self.seq1(x))[0])


class SequenceGenerator(SequenceNetwork):
    """Change coefficients to a style."""

    def __init__(self, sizes: ManipulatorSizes):
        w = sizes.width
        super().__init__((sizes.coefficients + sizes.style, w, w), w, (2 * w, 2 * w, sizes.coefficients))
        self.residual = sizes.residual

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, T, C), (B, style) -> (B, T, C)."""
        out = self.per_frame(torch.cat([x, style[:, None].expand(-1, x.shape[1], -1)], -1))
        return x + out if self.residual else out


class StyleEncoder(SequenceNetwork):
    """Compute the style of coefficients."""

    def __init__(self, sizes: ManipulatorSizes):
        w = sizes.width
        super().__init__((sizes.coefficients, w, w // 2), w // 4, (w // 4, w // 8, sizes.style))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, C) -> (B, style), averaged over the frames."""
        return self.per_frame(x).mean(1)


class SequenceDiscriminator(SequenceNetwork):
    """Score coefficients as a sequence of an emotion: 1 for real, 0 for generated ones."""

    def __init__(self, sizes: ManipulatorSizes):
        w = sizes.width
        super().__init__((sizes.coefficients, w, w // 2), w // 4, (w // 4, w // 8, sizes.classes))

    def forward(self, x: torch.Tensor, emotion: torch.Tensor) -> torch.Tensor:
        """(B, T, C), (B,) int64 -> (B,), averaged over the frames."""
        return self.per_frame(x).mean(1)[torch.arange(len(x), device=x.device), emotion]


class Manipulator(PretrainedNetwork):
    """The four networks, and the mean style of every emotion, (emotions, style), for edits to a named emotion."""

    KIND = "ned-manipulator"
    mean_style: torch.Tensor

    def __init__(self, sizes: ManipulatorSizes | None = None):
        super().__init__()
        self.sizes = sizes = sizes or ManipulatorSizes()
        self.generator = SequenceGenerator(sizes)
        self.mapping_network = MappingNetwork(sizes)
        self.style_encoder = StyleEncoder(sizes)
        self.discriminator = SequenceDiscriminator(sizes)
        self.register_buffer("mean_style", torch.zeros(sizes.classes, sizes.style))

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        return cls(ManipulatorSizes.from_metadata(metadata))

    def to_metadata(self) -> dict[str, str]:
        space = "arkit" if self.sizes.coefficients == ManipulatorSizes.coefficients else "flame"
        stated = {"emotions": ",".join(EMOTIONS), "space": space, **self.metadata}
        return {**stated, **super().to_metadata(), **self.sizes.to_metadata()}


@torch.no_grad()
def sample_mean_styles(mapping: MappingNetwork, latent: int, emotions: int = len(EMOTIONS)) -> torch.Tensor:
    """Average the styles that the mapping network computes from fixed random latents.

    Args:
        mapping: the mapping network.
        latent: numbers of a latent.
        emotions: number of emotions.

    Returns:
        (emotions, style), the mean over `MEAN_STYLE_LATENTS` latents that are the same in every call.
    """
    z = torch.randn(MEAN_STYLE_LATENTS, latent, generator=torch.Generator().manual_seed(0))
    return torch.stack([mapping(z, torch.full((MEAN_STYLE_LATENTS,), e)).mean(0) for e in range(emotions)])


def window_indices(x: torch.Tensor, window: int = WINDOW_LENGTH, stride: int = WINDOW_STRIDE) -> torch.Tensor:
    """Split a sequence into overlapping windows.

    Args:
        x: (T, ...).
        window: frames of a window.
        stride: frames from one window to the next.

    Returns:
        (N, window) indices of frames. Every frame is in a window, and the last window ends with the last frame, which
        is repeated where the sequence is shorter than a window.
    """
    last = max(len(x) - window, 0)
    starts = torch.tensor([*range(0, last, stride), last])
    return (starts[:, None] + torch.arange(window)).clamp(max=len(x) - 1)


@torch.no_grad()
def translate_expression(
    generator: SequenceGenerator, x: torch.Tensor, style: torch.Tensor, stride: int = WINDOW_STRIDE
) -> torch.Tensor:
    """Change the coefficients of a video to a style.

    The generator reads windows, as in training. Overlapping windows are blended with a Gaussian around their centre.

    Args:
        generator: the generator.
        x: coefficients (T, C), any number of frames.
        style: (style,).
        stride: frames from one window to the next.

    Returns:
        (T, C).
    """
    index = window_indices(x, stride=stride).to(x.device)
    generated = torch.cat([generator(x[part], style.expand(len(part), -1)) for part in index.split(WINDOW_BATCH)])
    offset = torch.arange(WINDOW_LENGTH, device=x.device) - (WINDOW_LENGTH - 1) / 2
    gaussian = torch.exp(-((offset / (BLEND_SIGMA * WINDOW_LENGTH)) ** 2) / 2)
    total, weight = torch.zeros_like(x), torch.zeros_like(x[:, :1])
    total.index_add_(0, index.flatten(), (generated * gaussian[:, None]).flatten(0, 1))
    weight.index_add_(0, index.flatten(), gaussian.expand(len(index), -1).reshape(-1, 1))
    return total / weight


@torch.no_grad()
def encode_style(encoder: StyleEncoder, x: torch.Tensor, stride: int = WINDOW_STRIDE) -> torch.Tensor:
    """Compute the style of the coefficients of a video.

    Args:
        encoder: the style encoder.
        x: coefficients (T, C), any number of frames.
        stride: frames from one window to the next.

    Returns:
        (style,), the mean over windows.
    """
    index = window_indices(x, stride=stride).to(x.device)
    return torch.cat([encoder(x[part]) for part in index.split(WINDOW_BATCH)]).mean(0)

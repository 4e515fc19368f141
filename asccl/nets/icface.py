"""The networks of ICface (Tripathy et al., WACV 2020): one image and 20 control values per frame.

A neutralizer removes expression and pose from the image of a face, an animator gives it those of the control values:
the head's pose and 17 facial action units, each a constant map beside the image. A discriminator with three heads
trains them. Layers and tensors have the names of the published checkpoints, and their shapes with the default settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import nn

from asccl.nets.blocks import Freezable

ICFACE_KIND = "icface"  # of the files of weights
DISCRIMINATOR_KIND = "icface-discriminator"  # of the files that a training writes beside them
CONTROLS_VERSION = "openface-1"  # meaning and order of the control values; changes with them
POSE_CONTROLS = 3  # the first controls: rotation about x, y and z
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)  # the controls after them
CONTROLS = POSE_CONTROLS + len(ACTION_UNITS)
MAX_ACTION_UNIT = 5.0  # intensity that OpenFace states for an action unit at its full; control value 1
ZERO_POSE = 0.5  # control value of a head that looks straight ahead
NEUTRAL_SCALE = 1e-5  # factor of the source's action units in the controls of the neutralizer: nearly nothing
DISCRIMINATOR_STRIDE = 16  # pixels of the image per pixel of the discriminator's code


@dataclass(frozen=True)
class IcfaceSettings:
    """Sizes of neutralizer and animator, and the conventions of their training.

    Attributes:
        width: channels of the first layer.
        blocks: residual blocks.
        downsamplings: how often the resolution is halved and the number of channels doubled.
        dropout: probability in the residual blocks while training; the published networks have 0.5.
        size: side of the square image, pixels; a multiple of 2**downsamplings.
        pose_limit: rotation whose control value is 1, radians; minus this rotation has the value 0.
    """

    width: int = 128
    blocks: int = 6
    downsamplings: int = 2
    dropout: float = 0.5
    size: int = 128
    pose_limit: float = 0.7

    def __post_init__(self) -> None:
        step = 2**self.downsamplings
        if min(self.width, self.blocks, self.downsamplings) < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"there is no network of the sizes {self}")
        if self.size < 4 * step or self.size % step:
            raise ValueError(f"images of {self.size} pixels do not fit {self.downsamplings} downsamplings")
        if not self.pose_limit > 0:
            raise ValueError(f"the pose limit {self.pose_limit} is not a positive angle")

    def to_metadata(self) -> dict[str, str]:
        """Return kind, controls and all fields as metadata of a file of weights."""
        fields = {name: str(value) for name, value in asdict(self).items()}
        return {"kind": ICFACE_KIND, "controls": CONTROLS_VERSION, **fields}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> IcfaceSettings:
        """Read the settings from the metadata of a file of weights. Raises KeyError, ValueError."""
        if metadata.get("kind") != ICFACE_KIND:
            raise ValueError(f"its kind is {metadata.get('kind', 'unknown')}, not {ICFACE_KIND}")
        if metadata["controls"] != CONTROLS_VERSION:
            raise ValueError(f"its controls are {metadata['controls']}, not {CONTROLS_VERSION}")
        integers = {name: int(metadata[name]) for name in ("width", "blocks", "downsamplings", "size")}
        return cls(**integers, dropout=float(metadata["dropout"]), pose_limit=float(metadata["pose_limit"]))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with dropout between them, and a shortcut: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, dropout: float):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the output of two convolutions to x."""
        return x + self.conv_block(x)


class Generator(Freezable):
    """Neutralizer or animator: changes the image of a face to what the control values say."""

    def __init__(self, settings: IcfaceSettings | None = None):
        super().__init__()
        self.settings = settings = settings or IcfaceSettings()
        width = settings.width
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(3 + CONTROLS, width, 7, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        for _ in range(settings.downsamplings):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()]
            width *= 2
        layers += [ResidualBlock(width, settings.dropout) for _ in range(settings.blocks)]
        for _ in range(settings.downsamplings):
            up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1, bias=False)
            layers += [up, nn.BatchNorm2d(width // 2), nn.ReLU()]
            width //= 2
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, image: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Generate an image.

        image: (B, 3, H, W) RGB in [-1, 1]. controls: (B, 20), see `ACTION_UNITS`. Returns (B, 3, H, W) RGB in [-1, 1].
        """
        maps = controls[:, :, None, None].to(image.dtype).expand(-1, -1, *image.shape[-2:])
        return self.model(torch.cat([image, maps], 1))


def neutral_controls(controls: torch.Tensor) -> torch.Tensor:
    """Controls (B, 20) of an image -> those that ask the neutralizer for its neutral face, looking straight ahead."""
    neutral = controls * NEUTRAL_SCALE
    pose = torch.full_like(neutral[:, :POSE_CONTROLS], ZERO_POSE)
    return torch.cat([pose, neutral[:, POSE_CONTROLS:]], 1)


class Icface(Freezable):
    """Neutralizer and animator of one training, with the same settings."""

    def __init__(self, settings: IcfaceSettings | None = None):
        super().__init__()
        self.settings = settings = settings or IcfaceSettings()
        self.neutralizer = Generator(settings)
        self.animator = Generator(settings)

    def neutralize(self, image: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, S, S) RGB in [-1, 1] with its own controls (B, 20) -> neutral image of the same shape."""
        return self.neutralizer(image, neutral_controls(controls))

    def animate(self, neutral: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """Neutral image (B, 3, S, S) RGB in [-1, 1] and controls (B, 20) -> image with these controls."""
        return self.animator(neutral, controls)

    def forward(
        self, image: torch.Tensor, controls: torch.Tensor, driving: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Neutralize and animate a face.

        Args:
            image: (B, 3, S, S) RGB in [-1, 1].
            controls: of this image, (B, 20).
            driving: controls of the image to generate, (B, 20).

        Returns:
            The neutral and the generated image, (B, 3, S, S) RGB in [-1, 1] each.
        """
        neutral = self.neutralize(image, controls)
        return neutral, self.animate(neutral, driving)


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Sizes of the discriminator.

    Attributes:
        width: channels of the first layer, an even number.
        size: side of the square image, pixels; a multiple of `DISCRIMINATOR_STRIDE`.
        identities: people of the training data.
    """

    width: int = 256
    size: int = 128
    identities: int = 939

    def __post_init__(self) -> None:
        if self.width < 2 or self.width % 2 or self.identities < 1:
            raise ValueError(f"there is no discriminator of the sizes {self}")
        if self.size < 2 * DISCRIMINATOR_STRIDE or self.size % DISCRIMINATOR_STRIDE:
            raise ValueError(f"images of {self.size} pixels do not fit: give a multiple of {DISCRIMINATOR_STRIDE}")

    def to_metadata(self) -> dict[str, str]:
        """Return kind, controls and all fields as metadata of a file of weights."""
        fields = {name: str(value) for name, value in asdict(self).items()}
        return {"kind": DISCRIMINATOR_KIND, "controls": CONTROLS_VERSION, **fields}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> DiscriminatorSettings:
        """Read the settings from the metadata of a file of weights. Raises KeyError, ValueError."""
        return cls(**{name: int(metadata[name]) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class DiscriminatorOutput:
    """Output of the three heads of the discriminator for a batch of images.

    Attributes:
        scores: of patches, (B, 1, S / 16 - 1, S / 16 - 1): 1 for real, 0 for generated ones (least squares).
        controls: (B, 20) in (0, 1), estimated from the image.
        identities: (B, identities), logits. The published training takes their softmax as the logits of its
            cross-entropy, a second softmax.
    """

    scores: torch.Tensor
    controls: torch.Tensor
    identities: torch.Tensor


class Discriminator(nn.Module):
    """Tells real from generated images, and estimates control values and identity."""

    def __init__(self, settings: DiscriminatorSettings | None = None):
        super().__init__()
        self.settings = settings = settings or DiscriminatorSettings()
        width = settings.width
        code = width // 2
        self.model = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 1, 1, bias=False),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 1, 1, bias=False),
            nn.Conv2d(4 * width, 4 * width, 3, 2, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(4 * width, 8 * width, 3, 1, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(8 * width, 8 * width, 3, 1, 1),
            nn.Conv2d(8 * width, code, 3, 2, 1),
        )
        code_size = code * (settings.size // DISCRIMINATOR_STRIDE) ** 2
        self.conv1 = nn.Conv2d(code, 1, 4, 1, 1)
        self.conv2 = nn.Linear(code_size, CONTROLS)
        self.aux_layer = nn.Sequential(nn.Linear(code_size, settings.identities))

    def forward(self, image: torch.Tensor) -> DiscriminatorOutput:
        """Image (B, 3, S, S) RGB in [-1, 1] -> scores, controls and identities. Raises ValueError for another size."""
        if image.shape[-2:] != (self.settings.size, self.settings.size):
            raise ValueError(f"expected images of {self.settings.size} pixels, got {tuple(image.shape)}")
        features = self.model(image)
        code = features.flatten(1)
        return DiscriminatorOutput(self.conv1(features), self.conv2(code).sigmoid(), self.aux_layer(code))


def initialize(net: nn.Module) -> None:
    """Draw the initial weights of the published training: convolutions N(0, 0.02), norms N(1, 0.02), biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)

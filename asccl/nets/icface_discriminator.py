"""The discriminator that trains ICface's networks (Tripathy et al., WACV 2020); an edit does not need it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from asccl.nets.icface_settings import CONTROLS, DISCRIMINATOR_STRIDE, DiscriminatorSettings


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


class IcfaceDiscriminator(nn.Module):
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

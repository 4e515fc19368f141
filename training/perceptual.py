"""VGG-19 trained on ImageNet, as an eye that compares pictures. Its weights are not bundled: you bring them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from asccl import hub
from asccl.errors import SettingError
from asccl.nets.blocks import Freezable
from training.losses import perceptual

LAYERS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}  # the first ReLU of each of five stages, and its weight
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in [0, 1]


class Perceptual(Freezable):
    """The weighted distance of two pictures on five of its maps. Frozen; the gradient reaches the first picture."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self) -> None:
        from torchvision.models import vgg19

        super().__init__()
        self.features = vgg19().features[: max(LAYERS) + 1]
        for part in self.features:
            if isinstance(part, nn.ReLU):
                part.inplace = False
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.freeze()

    def forward(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in [-1, 1] both, H and W 16 or more -> scalar."""
        with torch.no_grad():
            wanted = self._maps(real)
        return perceptual(self._maps(made), wanted, list(LAYERS.values()))

    def _maps(self, picture: torch.Tensor) -> list[torch.Tensor]:
        x, maps = ((picture + 1) / 2 - self.mean) / self.deviation, []
        for n, layer in enumerate(self.features):
            x = layer(x)
            if n in LAYERS:
                maps.append(x)
        return maps


def load_perceptual(source: str | Path) -> Perceptual:
    """source: as for `hub.resolve`, a file with torchvision's names (`import-weights vgg19`).

    Raises WeightsError, and SettingError where torchvision is missing.
    """
    path = hub.resolve(source)
    try:
        net = Perceptual()
    except ImportError as error:
        raise SettingError("the VGG loss needs torchvision", "pip install torchvision, or --vgg-weight 0") from error
    net.load_state_dict(hub.load_safetensors(path, {name: tuple(v.shape) for name, v in net.state_dict().items()}))
    return net

"""The VGG-19 perceptual loss. Its weights, trained on ImageNet, are not bundled."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from asccl import hub, tensor_files
from asccl.errors import SettingError
from asccl.nets.blocks import Freezable
from training.losses import perceptual_distance

LAYER_WEIGHTS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}  # the first ReLU of each of five stages
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in [0, 1]


class PerceptualLoss(Freezable):
    """Weighted distance of two images on five feature maps of VGG-19.

    The network is frozen; the gradient reaches the first image only.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self) -> None:
        from torchvision.models import vgg19

        super().__init__()
        self.features = vgg19().features[: max(LAYER_WEIGHTS) + 1]
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.freeze()

    def forward(self, generated: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in [-1, 1] both, H and W 16 or more -> scalar."""
        with torch.no_grad():
            real_maps = self._feature_maps(real)
        return perceptual_distance(self._feature_maps(generated), real_maps, list(LAYER_WEIGHTS.values()))

    def _feature_maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        x, maps = ((image + 1) / 2 - self.mean) / self.std, []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in LAYER_WEIGHTS:
                maps.append(x)
        return maps


def load_perceptual_loss(source: str | Path) -> PerceptualLoss:
    """Load the VGG-19 loss.

    Args:
        source: as for `hub.resolve`, a file with torchvision's tensor names (`import-weights vgg19` makes it).

    Raises:
        WeightsError: the file does not fit.
        SettingError: torchvision is not installed.
    """
    path = hub.resolve(source)
    try:
        net = PerceptualLoss()
    except ImportError as error:
        raise SettingError("the VGG loss needs torchvision", "pip install torchvision, or --vgg-weight 0") from error
    net.load_state_dict(tensor_files.load_tensors(path, {name: tuple(v.shape) for name, v in net.state_dict().items()}))
    return net

"""What the last layer of ICface's networks generates: colours, as published, or a change of the image that they read.

A small network that is trained for minutes cannot learn to copy an image. One that says where each pixel's colour comes
from, and where it has to be replaced, starts as a copy and learns the change alone. Its change applies to the image at
any resolution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from asccl.nets.icface_settings import CONTROLS, Synthesis

COLOURS = 3
# channels of the last layer: colours, their opacity, shifts along x and y
OUTPUT_CHANNELS: Mapping[Synthesis, int] = MappingProxyType({"colours": 3, "blend": 4, "warp": 6})
MAX_SHIFT = 0.3  # of a pixel, in halves of the image's side
SHIFT_SMOOTHING = 5  # pixels, side of the box over which shifts are averaged
INITIAL_OPACITY = 0.05  # of the generated colours over the image
# of shifts and opacity before their tanh or sigmoid: an optimizer such as Adam changes all 784 weights of a channel of
# the small last layer by the learning rate, and one step would move the image by several pixels
CHANGE_GAIN = 0.1
SHIFT_MAP_SIDE = 16  # of the map of a control value
MAP_GAIN = 3.0  # of these maps, which can learn faster than the layers
EPS = 1e-6  # of an opacity


class ShiftMaps(nn.Module):
    """A map of shifts per control value, for faces that always lie in the same place of their square.

    A control value is the same number in all pixels, from which convolutions of a small network do not learn where in
    the face it acts. The maps do: they are what the control values move in all faces. They read the difference to the
    control values of the source, so that what does not change is not moved twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.zeros(CONTROLS, 2, SHIFT_MAP_SIDE, SHIFT_MAP_SIDE))

    def forward(self, difference: torch.Tensor, size: int) -> torch.Tensor:
        """Differences of controls (B, 20) -> shifts (B, 2, size, size), see `ImageChange`."""
        shift = MAP_GAIN * torch.einsum("bk,kchw->bchw", difference, self.maps.to(difference.dtype))
        return F.interpolate(shift, (size, size), mode="bicubic", align_corners=False)


class ImageChange(NamedTuple):
    """What becomes of an image of S pixels, or of the same image at another resolution.

    Attributes:
        colours: (B, 3, S, S) RGB in [-1, 1].
        opacity: of the colours over the image, (B, 1, S, S) in [0, 1]; None for 1.
        shift: from a pixel to the place in the image whose colour it gets, (B, 2, S, S), x and y in halves of the
            image's side; None for none.
    """

    colours: torch.Tensor
    opacity: torch.Tensor | None = None
    shift: torch.Tensor | None = None

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """Change an image (B, 3, H, W) RGB in [-1, 1]; colours alone keep their own resolution."""
        if self.opacity is None:
            return self.colours
        colours, opacity = (_resize(part, image) for part in (self.colours, self.opacity))
        if self.shift is not None:
            image = warp_image(image, _resize(self.shift, image))
        return image + opacity * (colours - image)

    def after(self, first: ImageChange) -> ImageChange:
        """Return the one change that equals `first` and then this one, up to interpolation.

        It samples the image once, where two changes one after the other sample it twice, which blurs. Colours alone
        replace whatever came before.
        """
        if self.opacity is None:
            return self
        if first.opacity is None:
            raise ValueError("expected a change of the image first, got colours alone")
        colours, opacity, shift = first
        if self.shift is not None:
            colours, opacity = warp_image(colours, self.shift), warp_image(opacity, self.shift)
            shift = self.shift if shift is None else self.shift + warp_image(shift, self.shift)
        covered = (1 - self.opacity) * opacity
        total = covered + self.opacity
        mixed = (covered * colours + self.opacity * self.colours) / total.clamp_min(EPS)
        return ImageChange(mixed, total, shift)

    def mirrored(self) -> ImageChange:
        """Return the same change of the mirrored image."""
        colours, opacity, shift = (None if part is None else part.flip(-1) for part in self)
        assert colours is not None
        return ImageChange(colours, opacity, None if shift is None else shift * shift.new_tensor([[[-1.0]], [[1.0]]]))

    def average(self, other: ImageChange) -> ImageChange:
        """Return the mean of two changes of an image; the colours are weighted by their opacity."""
        if self.opacity is None or other.opacity is None:
            return ImageChange((self.colours + other.colours) / 2)
        total = self.opacity + other.opacity
        mixed = (self.opacity * self.colours + other.opacity * other.colours) / total.clamp_min(EPS)
        shifts = [change.shift for change in (self, other) if change.shift is not None]
        return ImageChange(mixed, total / 2, sum(shifts) / 2 if shifts else None)


def read_synthesis(x: torch.Tensor, synthesis: Synthesis) -> ImageChange:
    """Read the channels of the last layer.

    Args:
        x: (B, `OUTPUT_CHANNELS`, S, S).
        synthesis: what they are.
    """
    colours = x[:, :COLOURS].tanh()
    if synthesis == "colours":
        return ImageChange(colours)
    bias = math.log(INITIAL_OPACITY / (1 - INITIAL_OPACITY))
    opacity = (CHANGE_GAIN * x[:, COLOURS : COLOURS + 1] + bias).sigmoid()
    if synthesis == "blend":
        return ImageChange(colours, opacity)
    shift = MAX_SHIFT * (CHANGE_GAIN * x[:, COLOURS + 1 :]).tanh()
    smooth = F.avg_pool2d(shift, SHIFT_SMOOTHING, 1, SHIFT_SMOOTHING // 2, count_include_pad=False)
    return ImageChange(colours, opacity, smooth)


@torch.no_grad()
def start_unchanged(last: nn.Conv2d) -> None:
    """Let the last layer say that hardly anything changes: no shift, grey of little opacity."""
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)


def warp_image(image: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Sample an image at shifted places; outside of it, its border is repeated.

    Args:
        image: (B, C, H, W).
        shift: (B, 2, H, W), x and y in halves of the image's side.

    Returns:
        (B, C, H, W).
    """
    x, y = ((torch.arange(n, device=image.device) * 2 + 1) / n - 1 for n in (image.shape[-1], image.shape[-2]))
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) + shift.float().permute(0, 2, 3, 1)
    sampled = F.grid_sample(image.float(), places, padding_mode="border", align_corners=False)
    return sampled.to(image.dtype)


def _resize(x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Interpolate x (B, C, S, S) to the resolution of the image."""
    if x.shape[-2:] == image.shape[-2:]:
        return x
    return F.interpolate(x, image.shape[-2:], mode="bilinear", align_corners=False)

"""VGG-19 of torchvision, for the perceptual loss of a training."""

from __future__ import annotations

from asccl.interop.base import ConvertedWeights, StateDict, match_tensors

# index of each convolution in torchvision's `features`; the loss reads maps up to the ReLU of the last one
LAYERS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512)  # before, between and after them


def convert_vgg(state: StateDict) -> ConvertedWeights:
    """Keep the convolutions up to the last feature map. Raises WeightsMismatchError."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, in_channels, out_channels in zip(LAYERS, CHANNELS[:-1], CHANNELS[1:], strict=True):
        shapes[f"features.{layer}.weight"] = (out_channels, in_channels, 3, 3)
        shapes[f"features.{layer}.bias"] = (out_channels,)
    tensors = match_tensors({name: state[name] for name in shapes if name in state}, shapes)
    notes = (f"kept {len(shapes)} tensors of {len(state)}, those before the last feature map",)
    return ConvertedWeights(tensors, {}, notes)

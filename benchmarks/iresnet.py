"""Measure what folding the batch normalization of a frozen IResNet-50 saves: processor time and memory for backward.

python -m benchmarks.iresnet [--batch 2] [--size 224] [--repeats 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import torch

from asccl.nets.iresnet import IResNet
from benchmarks.report import print_rows


def saved_memory(net: IResNet, x: torch.Tensor) -> float:
    """Measure the MiB that a forward pass keeps for the backward pass, without the weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in (*net.parameters(), *net.buffers())}
    sizes: dict[int, int] = {}

    def record(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        _maps = net.feature_maps(x.clone().requires_grad_())  # the reference keeps the storages alive
        return sum(sizes.values()) / 2**20


def processor_seconds(net: IResNet, x: torch.Tensor, repeats: int) -> tuple[float, float]:
    """Measure the minimum processor time of a forward pass, and of a forward and backward pass.

    Args:
        net: the network.
        x: images, (B, 3, H, W).
        repeats: number of measurements.

    Returns:
        Seconds of both.
    """
    forward, both = [], []
    for _ in range(repeats):
        start = time.process_time()
        with torch.inference_mode():
            net.feature_maps(x)
        middle = time.process_time()
        maps = net.feature_maps(x.clone().requires_grad_())
        torch.stack([m.square().mean() for m in maps]).sum().backward()
        forward.append(middle - start)
        both.append(time.process_time() - middle)
    return min(forward), min(both)


def main() -> None:
    """Print the measurements of the plain and the folded network, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=224, help="pixels of a side")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    plain = IResNet(50).freeze().to(memory_format=torch.channels_last)
    folded = copy.deepcopy(plain).fold_batch_norm().to(memory_format=torch.channels_last)
    x = torch.rand(arguments.batch, 3, arguments.size, arguments.size).to(memory_format=torch.channels_last) * 2 - 1
    rows: dict[str, float] = {"batch": arguments.batch, "size": arguments.size}
    for name, net in (("plain", plain), ("folded", folded)):
        forward, both = processor_seconds(net, x, arguments.repeats)
        rows |= {f"{name}: forward, s": forward, f"{name}: forward and backward, s": both}
        rows[f"{name}: kept for backward, MiB"] = saved_memory(net, x)
    for quantity in ("forward, s", "forward and backward, s", "kept for backward, MiB"):
        rows[f"folded / plain: {quantity}"] = rows[f"folded: {quantity}"] / rows[f"plain: {quantity}"]
    print_rows("iresnet", rows, arguments.json)


if __name__ == "__main__":
    main()

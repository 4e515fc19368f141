"""What folding the batch normalisation of a frozen IResNet-50 saves: CPU seconds and memory kept for the backward pass.

python -m benchmarks.iresnet [--batch 2] [--size 224] [--repeats 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import torch

from asccl.nets.iresnet import IResNet


def kept(net: IResNet, x: torch.Tensor) -> float:
    """MiB that a forward pass keeps for the backward one, weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in (*net.parameters(), *net.buffers())}
    sizes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _maps = net.feature_maps(x.clone().requires_grad_())  # alive until they are counted
        return sum(sizes.values()) / 2**20


def seconds(net: IResNet, x: torch.Tensor, repeats: int) -> tuple[float, float]:
    """Least CPU seconds of a forward pass, and of one with the gradient of the picture."""
    forward, both = [], []
    for _ in range(repeats):
        start = time.process_time()
        with torch.inference_mode():
            net.feature_maps(x)
        middle = time.process_time()
        sum(m.square().mean() for m in net.feature_maps(x.clone().requires_grad_())).backward()  # type: ignore[union-attr]
        forward.append(middle - start)
        both.append(time.process_time() - middle)
    return min(forward), min(both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    plain = IResNet(50).freeze().to(memory_format=torch.channels_last)
    folded = copy.deepcopy(plain).fold_batch_norm().to(memory_format=torch.channels_last)
    x = torch.rand(arguments.batch, 3, arguments.size, arguments.size).to(memory_format=torch.channels_last) * 2 - 1
    report: dict[str, float] = {"batch": arguments.batch, "size": arguments.size}
    for name, net in (("plain", plain), ("folded", folded)):
        forward, both = seconds(net, x, arguments.repeats)
        report |= {f"{name}_forward_s": forward, f"{name}_both_s": both, f"{name}_kept_mib": kept(net, x)}
        print(
            f"{name:7} forward {forward:.2f} s, with backward {both:.2f} s, keeps {report[f'{name}_kept_mib']:.0f} MiB"
        )
    for what in ("forward_s", "both_s", "kept_mib"):
        report[f"ratio_{what}"] = report[f"folded_{what}"] / report[f"plain_{what}"]
    print(json.dumps(report))
    if arguments.json:
        with arguments.json.open("a") as file:
            file.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()

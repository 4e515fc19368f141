"""What the ASCCL loss costs in a training: IResNet-50 at 224 pixels, forward and backward, each variant in a process of
its own, made-up weights.

    python -m benchmarks.asccl_loss [--batch 8] [--size 224] [--threads 2] [--repeats 3] [--json FILE]

backbone   one forward pass without gradient, one with it, and the way back to the picture: what no such loss can avoid
loss       `ASCCLLoss` on a frozen metric
plain      the same number as somebody would write it first: the metric not frozen, gradients on both sides
bfloat16   `ASCCLLoss` under autocast; much faster only where the processor multiplies bfloat16 matrices (AMX)

Times are seconds of processor time, all threads together, so other jobs on the machine disturb little. Memory is the
growth of the process's peak over what it was before the first step.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from asccl import ASCCLLoss
from asccl.metric.daas import daas_weight
from asccl.metric.loss import contrastive_loss, masked_mean
from asccl.metric.scc import SCCMetric
from asccl.nets.iresnet import MAP_CHANNELS, IResNet
from benchmarks.report import print_rows

VARIANTS = ("backbone", "loss", "plain", "bfloat16")


def pictures(batch: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, size // 8, size // 8, generator=rng) * 2 - 1
    x = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return x, (x + 0.1 * torch.randn(x.shape, generator=rng)).clamp(-1, 1)


def build(variant: str) -> SCCMetric:
    torch.manual_seed(0)
    backbone = IResNet(50).eval()
    if variant != "plain":
        backbone.freeze().fold_batch_norm()
        return SCCMetric(backbone, MAP_CHANNELS).freeze().to(memory_format=torch.channels_last)
    return SCCMetric(backbone, MAP_CHANNELS).eval()


def step(variant: str, metric: SCCMetric, x: torch.Tensor, y: torch.Tensor) -> tuple[float, torch.Tensor]:
    """One forward and backward pass -> loss and gradient of the picture."""
    y = y.clone().requires_grad_()
    if variant == "backbone":
        with torch.no_grad():
            metric.feature_maps(x)
        loss = sum(m.mean() for m in metric.feature_maps(y))
    elif variant == "plain":
        loss = asccl_loss_both_sides(metric, x.clone().requires_grad_(), y)
    else:
        with torch.autocast("cpu", torch.bfloat16, enabled=variant == "bfloat16"):
            loss = ASCCLLoss(metric)(x, y)
    loss.backward()
    return loss.item(), y.grad


def asccl_loss_both_sides(metric: SCCMetric, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    a, b = metric.feature_maps(x), metric.feature_maps(y)
    total = torch.zeros(())
    for s, g in zip(
        metric.disparities(a, metric.sample_pairs(a)), metric.disparities(b, metric.sample_pairs(b)), strict=True
    ):
        valid = s.pairs.inside.expand(len(x), -1, -1)
        total = total + masked_mean(daas_weight(s.values) * contrastive_loss(g.values, s.values, valid), valid)
    return total


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """In this process: seconds of processor time a step, and MiB that the steps added to the peak."""
    torch.set_num_threads(arguments.threads)
    metric = build(arguments.variant)
    x, y = pictures(arguments.batch, arguments.size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(arguments.repeats + 1):  # the first warms up
        start = time.process_time()
        loss, gradient = step(arguments.variant, metric, x, y)
        times.append(time.process_time() - start)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = {"seconds": min(times[1:]), "memory": memory, "loss": loss}
    if arguments.variant == "bfloat16":
        exact, wanted = step("loss", metric, x, y)
        found["loss_error"] = abs(loss / exact - 1)
        found["gradient_error"] = ((gradient - wanted).norm() / wanted.norm()).item()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("batch", 8), ("size", 224), ("threads", 2), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--variant", choices=VARIANTS, help="only this one, in this process")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.variant:
        print(json.dumps(measure(arguments)))
        return
    found = {}
    for variant in VARIANTS:
        options = [f"--{name}={getattr(arguments, name)}" for name in ("batch", "size", "threads", "repeats")]
        command = [sys.executable, "-m", "benchmarks.asccl_loss", "--variant", variant, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[variant] = json.loads(done.stdout.splitlines()[-1])
    rows: dict[str, float | str] = {}
    for variant, values in found.items():
        rows[f"{variant}: seconds of processor time a step"] = values["seconds"]
        rows[f"{variant}: MiB"] = values["memory"]
    rows["loss / backbone, time"] = found["loss"]["seconds"] / found["backbone"]["seconds"]
    rows["plain / loss, time"] = found["plain"]["seconds"] / found["loss"]["seconds"]
    rows["loss / plain, memory"] = found["loss"]["memory"] / found["plain"]["memory"]
    rows["loss / bfloat16, time"] = found["loss"]["seconds"] / found["bfloat16"]["seconds"]
    rows["bfloat16: relative error of the loss"] = found["bfloat16"]["loss_error"]
    rows["bfloat16: relative error of the gradient"] = found["bfloat16"]["gradient_error"]
    rows["processor multiplies bfloat16 matrices"] = "yes" if _has_amx() else "no"
    print_rows("asccl_loss", rows, arguments.json)


def _has_amx() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text()


if __name__ == "__main__":
    main()

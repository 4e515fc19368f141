"""Measure time and memory of the ASCCL loss in a training: IResNet-50 with random weights, forward and backward pass.

    python -m benchmarks.asccl_loss [--batch 8] [--size 224] [--threads 2] [--repeats 3] [--json FILE]

backbone   one forward pass without gradient, one with gradient, and the backward pass: the minimum of any such loss
loss       `ASCCLLoss` on a frozen metric
plain      the same value in the simplest code: the metric is not frozen, both images have gradients
bfloat16   `ASCCLLoss` under autocast; much faster only where the processor multiplies bfloat16 matrices (AMX)

Each variant runs in a process of its own. Times are seconds of processor time, summed over threads, so that other
programs disturb little. Memory is the growth of the process's peak since before the first step.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch

from asccl import ASCCLLoss
from asccl.metric.contrast import masked_mean
from asccl.metric.daas import daas_weight
from asccl.metric.scc import SCCMetric
from asccl.metric.sccl import contrastive_loss
from asccl.nets.iresnet import MAP_CHANNELS, IResNet
from benchmarks.report import print_rows

VARIANTS = ("backbone", "loss", "plain", "bfloat16")


def random_images(batch: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Create two batches of images (batch, 3, size, size) in [-1, 1] that differ by noise."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, size // 8, size // 8, generator=rng) * 2 - 1
    x = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return x, (x + 0.1 * torch.randn(x.shape, generator=rng)).clamp(-1, 1)


def build_metric(variant: str, depth: int = 50) -> SCCMetric:
    """Create a metric with random weights, frozen and folded unless the variant is "plain"."""
    torch.manual_seed(0)
    backbone = IResNet(depth).eval()
    if variant == "plain":
        return SCCMetric(backbone, MAP_CHANNELS).eval()
    backbone.freeze().fold_batch_norm()
    return SCCMetric(backbone, MAP_CHANNELS).freeze().to(memory_format=torch.channels_last)


def run_step(
    variant: str, metric: SCCMetric, source: torch.Tensor, generated: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """Run one forward and backward pass.

    Args:
        variant: one of `VARIANTS`.
        metric: see `build_metric`.
        source: (B, 3, H, W).
        generated: (B, 3, H, W).

    Returns:
        The loss, and its gradient with respect to `generated`.
    """
    generated = generated.clone().requires_grad_()
    if variant == "backbone":
        with torch.no_grad():
            metric.feature_maps(source)
        loss = torch.stack([m.mean() for m in metric.feature_maps(generated)]).sum()
    elif variant == "plain":
        loss = plain_asccl_loss(metric, source.clone().requires_grad_(), generated)
    else:
        bfloat16 = torch.autocast(generated.device.type, torch.bfloat16)
        with bfloat16 if variant == "bfloat16" else nullcontext():
            loss = ASCCLLoss(metric)(source, generated)
    loss.backward()
    return loss.item(), generated.grad


def plain_asccl_loss(metric: SCCMetric, source: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """Compute eq. 7 with gradients on both sides.

    Args:
        metric: see `build_metric`.
        source: (B, 3, H, W).
        generated: (B, 3, H, W).

    Returns:
        A scalar.
    """
    source_maps, generated_maps = metric.feature_maps(source), metric.feature_maps(generated)
    pairs = metric.sample_pairs(source_maps)
    total = torch.zeros(())
    for x, y in zip(metric.disparities(source_maps, pairs), metric.disparities(generated_maps, pairs), strict=True):
        valid = x.pairs.inside.expand(len(source), -1, -1)
        total = total + masked_mean(daas_weight(x.values) * contrastive_loss(y.values, x.values, valid), valid)
    return total


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Measure one variant in this process: processor seconds of a step, and MiB that the steps added to the peak."""
    torch.set_num_threads(arguments.threads)
    metric = build_metric(arguments.variant)
    source, generated = random_images(arguments.batch, arguments.size)
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(arguments.repeats + 1):  # the first warms up
        start = time.process_time()
        loss, gradient = run_step(arguments.variant, metric, source, generated)
        times.append(time.process_time() - start)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before) / 1024
    results = {"seconds": min(times[1:]), "memory": memory, "loss": loss}
    if arguments.variant == "bfloat16":
        exact_loss, exact_gradient = run_step("loss", metric, source, generated)
        results["loss_error"] = abs(loss / exact_loss - 1)
        results["gradient_error"] = ((gradient - exact_gradient).norm() / exact_gradient.norm()).item()
    return results


def main() -> None:
    """Measure all variants, or the one that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("batch", 8), ("size", 224), ("threads", 2), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--variant", choices=VARIANTS, help="only this one, in this process")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    if arguments.variant:
        print(json.dumps(measure(arguments)))
        return
    results = {}
    for variant in VARIANTS:
        options = [f"--{name}={getattr(arguments, name)}" for name in ("batch", "size", "threads", "repeats")]
        command = [sys.executable, "-m", "benchmarks.asccl_loss", "--variant", variant, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results[variant] = json.loads(done.stdout.splitlines()[-1])
    rows: dict[str, float | str] = {}
    for variant, values in results.items():
        rows[f"{variant}: seconds of processor time a step"] = values["seconds"]
        rows[f"{variant}: MiB"] = values["memory"]
    rows["loss / backbone, time"] = results["loss"]["seconds"] / results["backbone"]["seconds"]
    rows["plain / loss, time"] = results["plain"]["seconds"] / results["loss"]["seconds"]
    rows["loss / plain, memory"] = results["loss"]["memory"] / results["plain"]["memory"]
    rows["loss / bfloat16, time"] = results["loss"]["seconds"] / results["bfloat16"]["seconds"]
    rows["bfloat16: relative error of the loss"] = results["bfloat16"]["loss_error"]
    rows["bfloat16: relative error of the gradient"] = results["bfloat16"]["gradient_error"]
    rows["processor multiplies bfloat16 matrices"] = "yes" if _has_amx() else "no"
    print_rows("asccl_loss", rows, arguments.json)


def _has_amx() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text()


if __name__ == "__main__":
    main()

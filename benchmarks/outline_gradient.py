"""Measure what the gradient of the rendered ASCCL loss lacks without outlines, and what `outlines=True` adds.

    python -m benchmarks.outline_gradient [--pairs 8] [--size 64] [--step 0.05] [--samples 4] [--json FILE]

`FrontalHeadRenderer` chooses the triangle of each pixel without gradient: the colour inside a triangle has a gradient,
the movement of an outline, such as the border of the lips, has one with `outlines=True` alone. The reference is a
central difference of the loss by each of the 52 coefficients, of images that are rendered --samples times as large and
averaged to --size, so that no pixel jumps from one triangle to another. Compared with it, over all coefficients and
over those of jaw and mouth, on pairs of synthetic sequences (the same words with two emotions): the cosine of the
gradients, the norm over that of the reference, and the share of the coefficients whose sign agrees, weighted by the
size of the difference. Rows:

one sample          the gradients of images rendered at --size, without and with outlines; and central differences
many samples        the gradients of the averaged images, without and with outlines
ms                  processor time of loss and gradient
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import torch

from asccl.metric.loss import ASCCLLoss
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.render import FrontalHeadRenderer
from asccl.zoo import load_metric
from benchmarks.report import print_rows
from training.datasets.windows import SyntheticWindows

SEED = 7_000_000
MOUTH_UNITS = ("jaw", "mouth")
Render = Callable[[torch.Tensor], torch.Tensor]


def analytic_gradient(loss: ASCCLLoss, render: Render, source: torch.Tensor, generated: torch.Tensor) -> np.ndarray:
    """Differentiate the loss by the coefficients (52,) of the generated image, automatically.

    Args:
        loss: compares the images.
        render: renders them.
        source: (52,) coefficients.
        generated: (52,) coefficients.
    """
    variable = generated.clone().requires_grad_()
    loss(render(source[None]).detach(), render(variable[None])).backward()
    assert variable.grad is not None
    return variable.grad.numpy()


@torch.no_grad()
def difference_gradient(
    loss: ASCCLLoss, render: Render, source: torch.Tensor, generated: torch.Tensor, step: float
) -> np.ndarray:
    """Differentiate the loss by the coefficients (52,) of the generated image, by central differences.

    Args:
        loss: compares the images.
        render: renders them.
        source: (52,) coefficients.
        generated: (52,) coefficients.
        step: half of the difference.
    """
    image = render(source[None])
    steps = step * torch.eye(len(generated))
    values = [[loss(image, render((generated + sign * d)[None])) for d in steps] for sign in (1, -1)]
    upper, lower = torch.tensor(values)
    return ((upper - lower) / (2 * step)).numpy()


def compare(gradient: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Compare two gradients (n,)."""
    norms = np.linalg.norm(gradient), np.linalg.norm(reference)
    agrees = np.sign(gradient) == np.sign(reference)
    return {
        "cosine": float(gradient @ reference / (norms[0] * norms[1])),
        "norm over that of the reference": float(norms[0] / norms[1]),
        "signs that agree": float(np.abs(reference)[agrees].sum() / np.abs(reference).sum()),
    }


def measure(head: AnnyHead, pairs: int, size: int, step: float, samples: int) -> dict[str, float]:
    """Average the comparison over pairs of images.

    Args:
        head: the head model.
        pairs: number of pairs.
        size: side of an image, pixels.
        step: of the central differences.
        samples: per pixel and axis of the averaged images.
    """
    loss, data = ASCCLLoss(load_metric()), SyntheticWindows(SEED, pairs)
    renderers: dict[str, Render] = {}
    for name, outlines in (("without outlines", False), ("with outlines", True)):
        renderers[f"one sample, {name}"] = FrontalHeadRenderer(head, size, outlines)
        renderers[f"many samples, {name}"] = FrontalHeadRenderer(head, size, outlines, samples)
    mouth = [n for n, name in enumerate(head.names) if name.startswith(MOUTH_UNITS)]
    rows: dict[str, list[float]] = {}
    for number in range(pairs):
        source, target, *_ = data.sequence(number)
        frame = 7 * number % len(source)
        before, after = torch.from_numpy(source[frame]), torch.from_numpy(target[frame])
        gradients = {}
        for name, render in renderers.items():
            start = process_time()
            gradients[name] = analytic_gradient(loss, render, before, after)
            rows.setdefault(f"{name}: ms", []).append(1000 * (process_time() - start))
        one, many = "one sample, without outlines", "many samples, without outlines"
        gradients["one sample, differences"] = difference_gradient(loss, renderers[one], before, after, step)
        reference = difference_gradient(loss, renderers[many], before, after, step)
        for label, units in (("all", slice(None)), ("mouth", mouth)):
            for name, gradient in gradients.items():
                for part, value in compare(gradient[units], reference[units]).items():
                    rows.setdefault(f"{name}, {label}: {part}", []).append(value)
    return {name: float(np.mean(values)) for name, values in rows.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="side of an image, pixels")
    parser.add_argument("--step", type=float, default=0.05, help="of the central differences")
    parser.add_argument("--samples", type=int, default=4, help="per pixel and axis, of the averaged images")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(load_anny_head(), arguments.pairs, arguments.size, arguments.step, arguments.samples)
    print_rows("outline_gradient", rows, arguments.json)


if __name__ == "__main__":
    main()

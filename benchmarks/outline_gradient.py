"""Measure what the gradient of the rendered ASCCL loss lacks because outlines are not part of it.

    python -m benchmarks.outline_gradient [--pairs 12] [--size 64] [--step 0.05] [--json FILE]

`FrontalHeadRenderer` chooses the triangle of each pixel without gradient: the colour inside a triangle has a gradient,
the movement of an outline, such as the border of the lips, has none. Central differences of the loss by each of the 52
coefficients contain both. For pairs of synthetic sequences (the same words with two emotions) and for the trained and
the random metric: cosine of both gradients over all coefficients and over those of jaw and mouth, ratio of their norms,
and share of the coefficients whose sign agrees, weighted by the size of the difference.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from asccl.metric.loss import ASCCLLoss
from asccl.metric.scc import Heads
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.render import FrontalHeadRenderer
from asccl.zoo import load_metric
from benchmarks.report import print_rows
from training.datasets.windows import SyntheticWindows

SEED = 7_000_000
MOUTH_UNITS = ("jaw", "mouth")
HEADS: tuple[Heads, ...] = ("trained", "random")


def gradients(
    loss: ASCCLLoss, render: FrontalHeadRenderer, source: torch.Tensor, generated: torch.Tensor, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate the loss by the coefficients of the generated image.

    Args:
        loss: compares the images.
        render: renders them.
        source: (52,) coefficients.
        generated: (52,) coefficients.
        step: of the central differences.

    Returns:
        Gradient by automatic differentiation and by central differences, (52,) both.
    """
    with torch.no_grad():
        source_image = render(source[None])
    variable = generated.clone().requires_grad_()
    loss(source_image, render(variable[None])).backward()
    assert variable.grad is not None
    steps = step * torch.eye(len(generated))
    with torch.no_grad():
        values = [[loss(source_image, render((generated + sign * d)[None])) for d in steps] for sign in (1, -1)]
    upper, lower = torch.tensor(values)
    return variable.grad.numpy(), ((upper - lower) / (2 * step)).numpy()


def compare(analytic: np.ndarray, numeric: np.ndarray) -> dict[str, float]:
    """Compare two gradients (n,)."""
    norms = np.linalg.norm(analytic), np.linalg.norm(numeric)
    agrees = np.sign(analytic) == np.sign(numeric)
    return {
        "cosine": float(analytic @ numeric / (norms[0] * norms[1])),
        "norm over that of the differences": float(norms[0] / norms[1]),
        "signs that agree": float(np.abs(numeric)[agrees].sum() / np.abs(numeric).sum()),
    }


def measure(heads: Heads, head: AnnyHead, pairs: int, size: int, step: float) -> dict[str, float]:
    """Average the comparison over pairs of images.

    Args:
        heads: of the metric, see `load_metric`.
        head: the head model.
        pairs: number of pairs.
        size: side of an image, pixels.
        step: of the central differences.
    """
    render, data = FrontalHeadRenderer(head, size), SyntheticWindows(SEED, pairs)
    loss = ASCCLLoss(load_metric(heads=heads))
    mouth = [n for n, name in enumerate(head.names) if name.startswith(MOUTH_UNITS)]
    rows: dict[str, list[float]] = {}
    for number in range(pairs):
        source, target, *_ = data.sequence(number)
        frame = 7 * number % len(source)
        before, after = torch.from_numpy(source[frame]), torch.from_numpy(target[frame])
        both = gradients(loss, render, before, after, step)
        for label, units in (("all", slice(None)), ("mouth", mouth)):
            for name, value in compare(*(x[units] for x in both)).items():
                rows.setdefault(f"{heads}, {label}: {name}", []).append(value)
    return {name: float(np.mean(values)) for name, values in rows.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--size", type=int, default=64, help="side of an image, pixels")
    parser.add_argument("--step", type=float, default=0.05, help="of the central differences")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    head, rows = load_anny_head(), dict[str, float]()
    for heads in HEADS:
        rows |= measure(heads, head, arguments.pairs, arguments.size, arguments.step)
    print_rows("outline_gradient", rows, arguments.json)


if __name__ == "__main__":
    main()

"""Measure how similar faces of known populations are: the scale below the headline of the Correlation tab.

Synthetic speakers say the same words with two emotions (`asccl.synthetic.paired_takes`), in crops aligned with the
small errors of real landmarks. Three populations of pairs of takes are compared, frame by frame:

- same person, same words: frame k of both takes of a speaker;
- same person, other words: frame k of one take and another frame of the other;
- strangers: frame k of takes of two speakers.

    python -m benchmarks.correlation_scale [--speakers 24] [--frames 6] [--json FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from asccl.analysis.metric_variants import MetricVariant, load_variants
from asccl.analysis.statistics import MEASURES, RegionStatistics, compare_disparities
from asccl.metric.statistics import PAIR_KINDS
from asccl.nets.inference import single_thread
from asccl.synthetic.paired_takes import SyntheticTakes, Take
from asccl.zoo import DEFAULT_METRIC
from benchmarks.report import print_rows

SEED = 20_260
LEVELS = (0.1, 0.5, 0.9)
Crops = np.ndarray  # (K, S, S, 3) uint8 RGB


def compare_takes(variants: list[MetricVariant], source: Crops, generated: Crops) -> dict[tuple[str, str], float]:
    """Return (heads, measure) -> mean similarity of corresponding regions over all maps and frames.

    Args:
        variants: of the metric.
        source: crops of one take.
        generated: crops of the other, frame by frame.
    """
    inputs = [torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1 for images in (source, generated)]
    means: dict[tuple[str, str], float] = {}
    with torch.inference_mode(), single_thread():
        for variant in variants:
            maps = [variant.backbone.feature_maps(images) for images in inputs]
            pairs = variant.metric.sample_pairs(maps[0])
            disparities = [variant.metric.disparities(m, pairs) for m in maps]
            values = [
                RegionStatistics(x.size, x.pairs).add(
                    compare_disparities(x, y, x.pairs.inside.expand(len(source), -1, -1))
                )
                for x, y in zip(*disparities, strict=True)
            ]
            mean = np.stack(values)[..., PAIR_KINDS.index("corresponding")].mean((0, 1))
            means |= {(variant.heads, measure): float(mean[index]) for index, measure in enumerate(MEASURES)}
    return means


def measure_populations(speakers: int, frames: int) -> dict[str, float | str]:
    """Return the quantiles over pairs of takes of each population, heads and measure.

    Args:
        speakers: number of synthetic speakers.
        frames: number of frames of each take.
    """
    data, variants = SyntheticTakes(SEED, count=speakers, frames=frames), load_variants(DEFAULT_METRIC)
    takes = [data[index] for index in range(speakers)]
    populations: dict[str, Callable[[Take, Take], tuple[Crops, Crops]]] = {
        "same person, same words": lambda take, _: (take.source, take.target),
        "same person, other words": lambda take, _: (take.source, np.roll(take.target, frames // 2, 0)),
        "strangers": lambda take, other: (take.source, other.source),
    }
    rows: dict[str, float | str] = {"speakers": float(speakers), "frames of each take": float(frames)}
    for name, select in populations.items():
        pairs = zip(takes, [*takes[1:], takes[0]], strict=True)
        means = [compare_takes(variants, *select(take, other)) for take, other in pairs]
        for heads, measure in means[0]:
            values = np.quantile([mean[heads, measure] for mean in means], LEVELS)
            for quantile, value in zip(LEVELS, values, strict=True):
                rows[f"{heads}, {measure}, {name}, {100 * quantile:.0f} % of pairs below"] = float(value)
    return rows


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speakers", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--frames", type=int, default=6, help="of each take; default: %(default)s")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file")
    arguments = parser.parse_args()
    print_rows("correlation scale", measure_populations(arguments.speakers, arguments.frames), arguments.json)


if __name__ == "__main__":
    main()

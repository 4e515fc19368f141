"""Similarity of visual disparities, eq. 1, and running sums of it. Everything is counted in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from asccl.metric.daas import daas_weight
from asccl.metric.neighbours import NeighbourPairs
from asccl.metric.scc import Disparities, normalize

MEASURES = ("cosine", "pearson")
PAIR_KINDS = ("corresponding", "non_corresponding")


@dataclass(frozen=True)
class MeanStd:
    """mean over pairs of regions; deviation over them; frame_deviation: of the means of single frames."""

    mean: float
    deviation: float
    frame_deviation: float

    def report(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


class PairSimilarities(NamedTuple):
    """One map of a batch of B frame pairs; N regions, 8 neighbours each.

    cosine, pearson: (B, N, 8, 8), entry (j, k) compares i->j of the source with i->k of the generated face.
    counts: (B, N, 8) bool. weight: (B, N, 8) DAAS of the source, eq. 6.
    """

    cosine: torch.Tensor
    pearson: torch.Tensor
    counts: torch.Tensor
    weight: torch.Tensor


def compare_disparities(source: Disparities, generated: Disparities, counts: torch.Tensor) -> PairSimilarities:
    """Similarities along the channels: of the vectors as they are, and of the same with their own mean taken off."""
    x, y = source.values, generated.values
    centred = [v - v.mean(-1, keepdim=True) for v in (x, y)]
    return PairSimilarities(
        normalize(x) @ normalize(y).mT, normalize(centred[0]) @ normalize(centred[1]).mT, counts, daas_weight(x)
    )


class RegionStatistics:
    """What one feature map has added up to. regions: (N, 8) sums over frames of s^p, of s^n, of DAAS, and how many."""

    def __init__(self, size: tuple[int, int], pairs: NeighbourPairs):
        self.size, self.pairs = size, pairs
        shape = tuple(pairs.neighbour.shape)
        self._totals = np.zeros((len(MEASURES), len(PAIR_KINDS), 3))  # count, sum, sum of squares
        self._frames = np.zeros((len(MEASURES), len(PAIR_KINDS), 3))  # the same of the means of frames
        self._regions = np.zeros((4, *shape))

    def add(self, batch: PairSimilarities) -> np.ndarray:
        """Returns (B, 2, 2): the means of each frame by measure and side, NaN where no pair counts."""
        same = batch.counts
        others = same[..., :, None] & same[..., None, :] & ~torch.eye(8, dtype=torch.bool, device=same.device)
        means = np.empty((len(same), len(MEASURES), len(PAIR_KINDS)))
        for m, table in enumerate((batch.cosine, batch.pearson)):
            values = table.double()
            for s, (part, mask) in enumerate(((values.diagonal(dim1=-2, dim2=-1), same), (values, others))):
                part = torch.where(mask, part, 0).flatten(1)
                sums = (
                    torch.stack([mask.flatten(1).sum(1).double(), part.sum(1), part.square().sum(1)], 1).cpu().numpy()
                )
                self._totals[m, s] += sums.sum(0)
                with np.errstate(invalid="ignore"):
                    means[:, m, s] = sums[:, 1] / sums[:, 0]
                good = means[np.isfinite(means[:, m, s]), m, s]
                self._frames[m, s] += (len(good), good.sum(), (good**2).sum())
        self._add_regions(batch, others)
        return means

    def _add_regions(self, batch: PairSimilarities, others: torch.Tensor) -> None:
        cosine = batch.cosine.double()
        here = torch.where(batch.counts, cosine.diagonal(dim1=-2, dim2=-1), 0)
        rest = torch.where(others, cosine, 0).sum(-1) / others.sum(-1).clamp(min=1)
        weight = torch.where(batch.counts, batch.weight.double(), 0)
        for row, values in enumerate((here, rest, weight, batch.counts.double())):
            self._regions[row] += values.sum(0).cpu().numpy()

    def mean_std(self, measure: str, side: str) -> MeanStd:
        m, s = MEASURES.index(measure), PAIR_KINDS.index(side)
        mean, deviation = _moments(self._totals[m, s])
        return MeanStd(mean, deviation, _moments(self._frames[m, s])[1])

    def neighbour_means(self) -> np.ndarray:
        """(3, N, 8): mean s^p, s^n and DAAS of each region's pairs; NaN where none counts."""
        with np.errstate(invalid="ignore"):
            return self._regions[:3] / self._regions[3]

    def region_means(self) -> np.ndarray:
        """(3, h, w): the same for each region as a whole, over the even grid of regions that was looked at."""
        with np.errstate(invalid="ignore"):
            means = self._regions[:3].sum(-1) / self._regions[3].sum(-1)
        return means.reshape(3, *self.lattice())

    def lattice(self) -> tuple[int, int]:
        """Rows and columns of that grid."""
        rows = len(np.unique(self.pairs.region.cpu().numpy() // self.size[1]))
        return rows, len(self.pairs.region) // rows

    def region_centres(self) -> np.ndarray:
        """(N, 2) x and y of the regions, as shares of the crop."""
        place = self.pairs.region.cpu().numpy()
        height, width = self.size
        return np.stack([(place % width + 0.5) / width, (place // width + 0.5) / height], 1)


def average_maps(spreads: Sequence[MeanStd], frame_deviation: float) -> MeanStd:
    """Every map counts the same. frame_deviation: of the frames' means over maps."""
    mean = float(np.mean([s.mean for s in spreads]))
    square = float(np.mean([s.deviation**2 + s.mean**2 for s in spreads]))
    return MeanStd(mean, math.sqrt(max(square - mean**2, 0.0)), frame_deviation)


def _moments(sums: Any) -> tuple[float, float]:
    count, total, squares = sums
    if not count:
        return float("nan"), float("nan")
    mean = total / count
    return float(mean), math.sqrt(max(float(squares / count - mean**2), 0.0))

"""Running statistics of the similarities of eq. 1 over all compared frames, summed in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch

from asccl.metric.daas import daas_weight
from asccl.metric.neighbours import NeighbourPairs
from asccl.metric.scc import Disparities
from asccl.metric.statistics import PAIR_KINDS, cosine_table, non_corresponding_mask, similarity_sums

MEASURES = ("cosine", "pearson")


@dataclass(frozen=True)
class MeanStd:
    """Mean and standard deviations of a similarity.

    Attributes:
        mean: over all pairs of regions and frames.
        deviation: standard deviation over all pairs of regions and frames.
        frame_deviation: standard deviation of the means of single frames.
    """

    mean: float
    deviation: float
    frame_deviation: float

    def report(self) -> dict[str, float]:
        """Return the values by name, rounded for a report."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


class PairSimilarities(NamedTuple):
    """Similarities of one feature map in a batch of B frame pairs; N regions with 8 neighbours each.

    Attributes:
        cosine: (B, N, 8, 8); entry (j, k) compares i->j of the source with i->k of the generated face.
        pearson: the same for the Pearson coefficient.
        valid: pairs that count, (B, N, 8) bool.
        daas: DAAS weight of the source's disparities (eq. 6), (B, N, 8).
    """

    cosine: torch.Tensor
    pearson: torch.Tensor
    valid: torch.Tensor
    daas: torch.Tensor


def compare_disparities(source: Disparities, generated: Disparities, valid: torch.Tensor) -> PairSimilarities:
    """Compute the cosine and the Pearson coefficient of disparities along the channels.

    Args:
        source: disparities of the source, values (B, N, 8, C).
        generated: disparities of the generated face at the same regions.
        valid: pairs that count, (B, N, 8) bool.
    """
    x, y = source.values, generated.values
    centred_x, centred_y = (v - v.mean(-1, keepdim=True) for v in (x, y))
    return PairSimilarities(cosine_table(x, y), cosine_table(centred_x, centred_y), valid, daas_weight(x))


class RegionStatistics:
    """Running sums of one feature map.

    Args:
        size: (height, width) of the map.
        pairs: its N regions and their neighbours.
    """

    def __init__(self, size: tuple[int, int], pairs: NeighbourPairs):
        self.size, self.pairs = size, pairs
        self._pair_sums = np.zeros((len(MEASURES), len(PAIR_KINDS), 3))  # count, sum, sum of squares over pairs
        self._frame_sums = np.zeros((len(MEASURES), len(PAIR_KINDS), 3))  # the same over the means of frames
        self._region_sums = np.zeros((4, *pairs.neighbour.shape))  # s^p, s^n, DAAS weight and count over frames

    def add(self, batch: PairSimilarities) -> np.ndarray:
        """Add a batch of B frames.

        Returns:
            (B, 2, 2): mean of each frame by measure and pair kind, NaN where no pair counts.
        """
        means = []
        for m, table in enumerate((batch.cosine, batch.pearson)):
            sums = similarity_sums(table, batch.valid).cpu().numpy()
            with np.errstate(invalid="ignore"):
                frame_means = sums[..., 1] / sums[..., 0]
            self._pair_sums[m] += sums.sum(0)
            for kind, values in enumerate(frame_means.T):
                finite = values[np.isfinite(values)]
                self._frame_sums[m, kind] += (len(finite), finite.sum(), (finite**2).sum())
            means.append(frame_means)
        self._add_regions(batch)
        return np.stack(means, 1)

    def _add_regions(self, batch: PairSimilarities) -> None:
        cosine, mask = batch.cosine.double(), non_corresponding_mask(batch.valid)
        corresponding = torch.where(batch.valid, cosine.diagonal(dim1=-2, dim2=-1), 0)
        non_corresponding = torch.where(mask, cosine, 0).sum(-1) / mask.sum(-1).clamp(min=1)
        daas = torch.where(batch.valid, batch.daas.double(), 0)
        for row, values in enumerate((corresponding, non_corresponding, daas, batch.valid.double())):
            self._region_sums[row] += values.sum(0).cpu().numpy()

    def mean_std(self, measure: str, pair_kind: str) -> MeanStd:
        """Return mean and deviations of one of `MEASURES` for one of `PAIR_KINDS`."""
        index = MEASURES.index(measure), PAIR_KINDS.index(pair_kind)
        mean, deviation = _mean_and_deviation(self._pair_sums[index])
        return MeanStd(mean, deviation, _mean_and_deviation(self._frame_sums[index])[1])

    def neighbour_means(self) -> np.ndarray:
        """Return the mean s^p, s^n and DAAS weight of each pair, (3, N, 8); NaN where no frame counts."""
        with np.errstate(invalid="ignore"):
            return self._region_sums[:3] / self._region_sums[3]

    def region_means(self) -> np.ndarray:
        """Return the mean s^p, s^n and DAAS weight of each region on the compared grid, (3, rows, columns)."""
        with np.errstate(invalid="ignore"):
            means = self._region_sums[:3].sum(-1) / self._region_sums[3].sum(-1)
        return means.reshape(3, *self._grid_shape())

    def _grid_shape(self) -> tuple[int, int]:
        rows = len(np.unique(self.pairs.region.cpu().numpy() // self.size[1]))
        return rows, len(self.pairs.region) // rows

    def region_centres(self) -> np.ndarray:
        """Return x and y of the regions' centres as fractions of the crop, (N, 2)."""
        region = self.pairs.region.cpu().numpy()
        height, width = self.size
        return np.stack([(region % width + 0.5) / width, (region // width + 0.5) / height], 1)


def average_maps(maps: Sequence[MeanStd], frame_deviation: float) -> MeanStd:
    """Pool the statistics of feature maps with the same weight for each map.

    Args:
        maps: statistics of each map.
        frame_deviation: standard deviation over frames of the mean over maps.
    """
    mean = float(np.mean([s.mean for s in maps]))
    square = float(np.mean([s.deviation**2 + s.mean**2 for s in maps]))
    return MeanStd(mean, math.sqrt(max(square - mean**2, 0.0)), frame_deviation)


def _mean_and_deviation(sums: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation from (count, sum, sum of squares)."""
    count, total, squares = sums
    if not count:
        return float("nan"), float("nan")
    mean = total / count
    return float(mean), math.sqrt(max(float(squares / count - mean**2), 0.0))

"""Running statistics of eq. 1 against plain loops in float64."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import torch

from asccl.analysis.statistics import MEASURES, MeanStd, RegionStatistics, average_maps, compare_disparities
from asccl.metric.neighbours import NeighbourPairs, sample_regions
from asccl.metric.scc import Disparities, visual_disparity
from asccl.metric.statistics import PAIR_KINDS

SIZE, CHANNELS, FRAMES = (3, 4), 5, 3


class Maps(NamedTuple):
    """Two float64 feature maps (3, 5, 3, 4), the second similar to the first, and the pairs that count (3, 12, 8)."""

    source: torch.Tensor
    generated: torch.Tensor
    pairs: NeighbourPairs
    valid: torch.Tensor


@pytest.fixture
def maps() -> Maps:
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(FRAMES, CHANNELS, *SIZE, generator=rng, dtype=torch.float64)
    y = x + 0.6 * torch.randn(x.shape, generator=rng, dtype=torch.float64)
    pairs = sample_regions(*SIZE, None)
    return Maps(x, y, pairs, pairs.inside & (torch.rand(FRAMES, 12, 8, generator=rng) > 0.2))


def similarity(u: np.ndarray, v: np.ndarray, measure: str) -> float:
    if measure == "pearson":
        return float(np.corrcoef(u, v)[0, 1])
    return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def similarities_by_loops(maps: Maps, measure: str, pair_kind: str) -> list[np.ndarray]:
    """All similarities of each frame."""
    frames = []
    for t in range(FRAMES):
        a, b = (m[t].flatten(1).T.numpy() for m in (maps.source, maps.generated))
        values = []
        for i, j, k in itertools.product(range(12), range(8), range(8)):
            if maps.valid[t, i, j] and maps.valid[t, i, k] and (j == k) == (pair_kind == "corresponding"):
                u = a[i] - a[maps.pairs.neighbour[i, j]]
                v = b[i] - b[maps.pairs.neighbour[i, k]]
                values.append(similarity(u, v, measure))
        frames.append(np.array(values))
    return frames


def add_in_batches(maps: Maps, batch: int) -> tuple[RegionStatistics, np.ndarray]:
    statistics, means = RegionStatistics(SIZE, maps.pairs), []
    for first in range(0, FRAMES, batch):
        part = slice(first, first + batch)
        a, b = (
            Disparities(visual_disparity(m[part], maps.pairs), maps.pairs, SIZE) for m in (maps.source, maps.generated)
        )
        means.append(statistics.add(compare_disparities(a, b, maps.valid[part])))
    return statistics, np.concatenate(means)


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("pair_kind", PAIR_KINDS)
def test_means_and_deviations_are_those_of_plain_loops(maps, measure, pair_kind, batch):
    statistics, means = add_in_batches(maps, batch)
    frames = similarities_by_loops(maps, measure, pair_kind)
    result, values = statistics.mean_std(measure, pair_kind), np.concatenate(frames)
    assert result.mean == pytest.approx(values.mean(), abs=1e-6)
    assert result.deviation == pytest.approx(values.std(), abs=1e-6)
    assert result.frame_deviation == pytest.approx(np.std([f.mean() for f in frames]), abs=1e-6)
    frame_means = means[:, MEASURES.index(measure), PAIR_KINDS.index(pair_kind)]
    assert frame_means == pytest.approx([f.mean() for f in frames], abs=1e-6)


def test_a_frame_without_a_valid_pair_does_not_count(maps):
    empty = maps._replace(valid=maps.valid & (torch.arange(FRAMES) != 1)[:, None, None])
    statistics, means = add_in_batches(empty, 3)
    frames = similarities_by_loops(empty, "cosine", "corresponding")
    result = statistics.mean_std("cosine", "corresponding")
    assert np.isnan(means[1]).all()
    assert result.frame_deviation == pytest.approx(np.std([frames[0].mean(), frames[2].mean()]), abs=1e-6)


def test_every_region_has_its_own_mean(maps):
    statistics, _ = add_in_batches(maps, 3)
    corresponding, _, daas = statistics.neighbour_means()
    i, j = 5, 2
    frames = [t for t in range(FRAMES) if maps.valid[t, i, j]]
    u, v = (
        m.flatten(2)[:, :, i] - m.flatten(2)[:, :, maps.pairs.neighbour[i, j]] for m in (maps.source, maps.generated)
    )
    assert corresponding[i, j] == pytest.approx(float(torch.cosine_similarity(u, v)[frames].mean()), abs=1e-6)
    assert np.isnan(corresponding[0, 0])
    assert np.isnan(daas[0, 0])
    assert statistics.region_means().shape == (3, *SIZE)
    assert statistics.region_centres()[5] == pytest.approx([1.5 / 4, 1.5 / 3])


def test_every_map_has_the_same_weight():
    both = average_maps([MeanStd(0.2, 0.1, 0.0), MeanStd(0.8, 0.3, 0.0)], 0.05)
    assert both.mean == pytest.approx(0.5)
    assert both.frame_deviation == 0.05
    assert both.deviation == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2 + 0.3**2))

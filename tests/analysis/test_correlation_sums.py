"""Eq. 1 and its running sums, held against plain loops in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from asccl.analysis.statistics import MeanStd, RegionStatistics, average_maps, compare_disparities
from asccl.metric.neighbours import sample_regions
from asccl.metric.scc import Disparities, visual_disparity

SIZE, CHANNELS, FRAMES = (3, 4), 5, 3


@pytest.fixture
def maps():
    """Two float64 feature maps (3, 5, 3, 4), the second like the first, and which pairs count."""
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(FRAMES, CHANNELS, *SIZE, generator=rng, dtype=torch.float64)
    y = x + 0.6 * torch.randn(x.shape, generator=rng, dtype=torch.float64)
    pairs = sample_regions(*SIZE, None)
    counts = pairs.inside & (torch.rand(FRAMES, 12, 8, generator=rng) > 0.2)
    return x, y, pairs, counts


def plain(maps, measure: str, side: str) -> list[np.ndarray]:
    """All similarities of each frame, one by one."""
    x, y, pairs, counts = maps
    out = []
    for t in range(FRAMES):
        a, b = (m[t].flatten(1).T.numpy() for m in (x, y))
        found = []
        for i, j, k in itertools.product(range(12), range(8), range(8)):
            if not (counts[t, i, j] and counts[t, i, k]) or (j == k) != (side == "corresponding"):
                continue
            u = a[i] - a[pairs.neighbour[i, j]]
            v = b[i] - b[pairs.neighbour[i, k]]
            found.append(
                np.corrcoef(u, v)[0, 1] if measure == "pearson" else u @ v / np.linalg.norm(u) / np.linalg.norm(v)
            )
        out.append(np.array(found))
    return out


def summed(maps, batch: int) -> tuple[RegionStatistics, np.ndarray]:
    x, y, pairs, counts = maps
    sums, means = RegionStatistics(SIZE, pairs), []
    for at in range(0, FRAMES, batch):
        a, b = (Disparities(visual_disparity(m[at : at + batch], pairs), pairs, SIZE) for m in (x, y))
        means.append(sums.add(compare_disparities(a, b, counts[at : at + batch])))
    return sums, np.concatenate(means)


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("measure", ["cosine", "pearson"])
@pytest.mark.parametrize("side", ["corresponding", "non_corresponding"])
def test_means_and_deviations_are_those_of_plain_loops(maps, measure, side, batch):
    sums, means = summed(maps, batch)
    frames = plain(maps, measure, side)
    told, every = sums.mean_std(measure, side), np.concatenate(frames)
    assert told.mean == pytest.approx(every.mean(), abs=1e-6)
    assert told.deviation == pytest.approx(every.std(), abs=1e-6)
    assert told.frame_deviation == pytest.approx(np.std([f.mean() for f in frames]), abs=1e-6)
    column = means[:, ["cosine", "pearson"].index(measure), ["corresponding", "non_corresponding"].index(side)]
    assert column == pytest.approx([f.mean() for f in frames], abs=1e-6)


def test_regions_are_told_apart(maps):
    sums, _ = summed(maps, 3)
    same, _, weight = sums.neighbour_means()
    x, y, pairs, counts = maps
    i, j = 5, 2
    seen = [t for t in range(FRAMES) if counts[t, i, j]]
    u, v = (m.flatten(2)[:, :, i] - m.flatten(2)[:, :, pairs.neighbour[i, j]] for m in (x, y))
    assert same[i, j] == pytest.approx(float(torch.cosine_similarity(u, v)[seen].mean()), abs=1e-6)
    assert np.isnan(same[0, 0]) and np.isnan(weight[0, 0])  # beyond the border
    assert sums.region_means().shape == (3, *SIZE)
    assert sums.region_centres()[5] == pytest.approx([1.5 / 4, 1.5 / 3])


def test_every_map_counts_the_same():
    both = average_maps([MeanStd(0.2, 0.1, 0.0), MeanStd(0.8, 0.3, 0.0)], 0.05)
    assert both.mean == pytest.approx(0.5) and both.frame_deviation == 0.05
    assert both.deviation == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2 + 0.3**2))

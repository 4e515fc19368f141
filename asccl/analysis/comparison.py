"""Runs the networks over pairs of frames and adds up what they see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from asccl.analysis.face_alignment import Alignment, CropPair, align_crops
from asccl.analysis.mappings import MetricVariant
from asccl.analysis.result import CorrelationResult, FrameCurves, WorstFrames
from asccl.analysis.settings import AnalysisSettings
from asccl.analysis.statistics import RegionStatistics, compare_disparities
from asccl.face.mesh import lip_gap
from asccl.metric.loss import valid_pairs
from asccl.nets.inference import single_thread
from asccl.types import Image, MediaInfo

ENLARGED = 3  # a crop for people over one for the networks


class FramePair(NamedTuple):
    """One frame of each, seconds after the first frame, landmarks (478, 3)."""

    images: tuple[Image, Image]
    times: tuple[float, float]
    landmarks: tuple[np.ndarray, np.ndarray]


class Comparison:
    """Runs the networks over batches of pairs and adds up."""

    def __init__(self, heads: Sequence[MetricVariant], alignment: Alignment, scale: float, size: int):
        self._heads, self._alignment, self._scale, self._size = heads, alignment, scale, size
        self._sums: dict[str, list[RegionStatistics]] = {}
        self._curves = FrameCurves([head.name for head in heads])
        self._moments = WorstFrames()

    @property
    def frames(self) -> int:
        return len(self._curves)

    def add(self, batch: Sequence[FramePair]) -> None:
        framings = [align_crops(*p.landmarks, self._alignment, self._scale, self._size) for p in batch]
        crops = [f.crop(*p.images) for f, p in zip(framings, batch, strict=True)]
        valid = torch.from_numpy(np.stack([f.valid(*p.images) for f, p in zip(framings, batch, strict=True)]))[:, None]
        sides = [torch.from_numpy(np.stack(side)) for side in zip(*crops, strict=True)]
        means = {}
        with torch.inference_mode(), single_thread():
            pictures = [side.permute(0, 3, 1, 2).float() / 127.5 - 1 for side in sides]
            maps: dict[int, list] = {}
            for head in self._heads:
                shared = id(head.backbone)
                if shared not in maps:
                    maps[shared] = [head.backbone.feature_maps(picture) for picture in pictures]
                means[head.name] = self._compare(head, maps[shared], valid)
        for i, p in enumerate(batch):
            rows = {name: mean[:, i].mean(0) for name, mean in means.items()}
            self._curves.add(p.times, [float(lip_gap(points)) for points in p.landmarks], rows)
            score = float(rows[self._heads[0].name][0, 0])
            self._moments.add(score, p.times, partial(large, framings[i], p.images))

    def _compare(self, head: MetricVariant, maps: list, valid: torch.Tensor) -> np.ndarray:
        """(4, B, 2, 2) means of each map and frame, by measure and side."""
        pairs = head.metric.sample_pairs(maps[0])
        disparities = [head.metric.disparities(m, pairs) for m in maps]
        if head.name not in self._sums:
            self._sums[head.name] = [RegionStatistics(d.size, d.pairs) for d in disparities[0]]
        means = []
        for sums, x, y in zip(self._sums[head.name], *disparities, strict=True):
            counts = x.pairs.inside & valid_pairs(valid, x.pairs, x.size)
            means.append(sums.add(compare_disparities(x, y, counts)))
        return np.stack(means)

    def result(self, infos: tuple[MediaInfo, MediaInfo], used: AnalysisSettings, pairs: int) -> CorrelationResult:
        """pairs: how many frames belong together, with or without a face."""
        moments = self._moments
        return CorrelationResult(*infos, used, pairs, self._sums, self._curves, moments.first(), moments.worst())


def large(where: CropPair, images: tuple[Image, Image]) -> tuple[Image, Image]:
    """The two crops with enough pixels for people."""
    return where.enlarged(ENLARGED).crop(*images)

"""Compare pairs of frames by all variants of a metric and sum up the results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from asccl.analysis.face_alignment import CropTransforms, align_crops
from asccl.analysis.metric_variants import MetricVariant
from asccl.analysis.result import CorrelationResult, FrameCurves, WorstFrames
from asccl.analysis.settings import AnalysisSettings
from asccl.analysis.statistics import RegionStatistics, compare_disparities
from asccl.face.mesh import lip_gap
from asccl.metric.neighbours import valid_pairs
from asccl.nets.inference import single_thread
from asccl.types import Image, MediaInfo

DISPLAY_SCALE = 3  # side of a displayed crop over the side of a crop for the networks


class MatchedFrames(NamedTuple):
    """A frame of the source and one of the generated video.

    Attributes:
        images: the two frames.
        times: seconds after the first frame of each video.
        landmarks: (478, 3) pixels of each frame.
    """

    images: tuple[Image, Image]
    times: tuple[float, float]
    landmarks: tuple[np.ndarray, np.ndarray]


class Comparison:
    """Running comparison of frame pairs.

    Args:
        variants: variants of the metric, the leading one first.
        alignment: one of `face_alignment.ALIGNMENTS`.
        scale: pixels of the generated frame per pixel of the source.
        size: side of a crop in pixels.
    """

    def __init__(self, variants: Sequence[MetricVariant], alignment: str, scale: float, size: int):
        self._variants, self._alignment, self._scale, self._size = variants, alignment, scale, size
        self._statistics: dict[str, list[RegionStatistics]] = {}
        self._curves = FrameCurves([variant.heads for variant in variants])
        self._worst = WorstFrames()

    @property
    def frames(self) -> int:
        """Number of compared frame pairs."""
        return len(self._curves)

    def add(self, batch: Sequence[MatchedFrames]) -> None:
        """Compare a batch of frame pairs."""
        transforms = [align_crops(*p.landmarks, self._alignment, self._scale, self._size) for p in batch]
        crops = [t.crop(*p.images) for t, p in zip(transforms, batch, strict=True)]
        masks = np.stack([t.valid_mask(*p.images) for t, p in zip(transforms, batch, strict=True)])
        means = self._compare_crops(crops, torch.from_numpy(masks)[:, None])
        for i, pair in enumerate(batch):
            frame_means = {heads: mean[:, i].mean(0) for heads, mean in means.items()}
            self._curves.add(pair.times, [float(lip_gap(points)) for points in pair.landmarks], frame_means)
            similarity = float(frame_means[self._variants[0].heads][0, 0])
            self._worst.add(similarity, pair.times, partial(display_crops, transforms[i], pair.images))

    def _compare_crops(self, crops: Sequence[tuple[Image, Image]], valid: torch.Tensor) -> dict[str, np.ndarray]:
        """Compare by every variant; see `_compare_maps` for the values."""
        sides = [torch.from_numpy(np.stack(images)) for images in zip(*crops, strict=True)]
        means: dict[str, np.ndarray] = {}
        maps: dict[int, list] = {}
        with torch.inference_mode(), single_thread():
            inputs = [images.permute(0, 3, 1, 2).float() / 127.5 - 1 for images in sides]
            for variant in self._variants:
                backbone = id(variant.backbone)
                if backbone not in maps:
                    maps[backbone] = [variant.backbone.feature_maps(x) for x in inputs]
                means[variant.heads] = self._compare_maps(variant, maps[backbone], valid)
        return means

    def _compare_maps(
        self, variant: MetricVariant, maps: Sequence[list[torch.Tensor]], valid: torch.Tensor
    ) -> np.ndarray:
        """Compare feature maps of source and generated face: means of each map and frame, (4, B, 2, 2)."""
        pairs = variant.metric.sample_pairs(maps[0])
        disparities = [variant.metric.disparities(m, pairs) for m in maps]
        if variant.heads not in self._statistics:
            self._statistics[variant.heads] = [RegionStatistics(d.size, d.pairs) for d in disparities[0]]
        means = []
        for statistics, x, y in zip(self._statistics[variant.heads], *disparities, strict=True):
            counted = x.pairs.inside & valid_pairs(valid, x.pairs, x.size)
            means.append(statistics.add(compare_disparities(x, y, counted)))
        return np.stack(means)

    def result(
        self, infos: tuple[MediaInfo, MediaInfo], settings: AnalysisSettings, paired_frames: int
    ) -> CorrelationResult:
        """Return the result of all pairs so far.

        Args:
            infos: source and generated file.
            settings: settings without "auto".
            paired_frames: number of frame pairs, with or without a face.
        """
        first, worst = self._worst.first(), self._worst.worst()
        return CorrelationResult(*infos, settings, paired_frames, self._statistics, self._curves, first, worst)


def display_crops(transforms: CropTransforms, images: tuple[Image, Image]) -> tuple[Image, Image]:
    """Crop two frames with enough pixels for display."""
    return transforms.enlarged(DISPLAY_SCALE).crop(*images)

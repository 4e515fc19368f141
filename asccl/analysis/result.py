"""The result of a comparison and its JSON report."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from asccl.analysis.metric_variants import MAPPING_DEFINITIONS, REPORT_KEYS, describe_weights
from asccl.analysis.settings import AnalysisSettings
from asccl.analysis.statistics import MEASURES, MeanStd, RegionStatistics, average_maps
from asccl.metric.statistics import PAIR_KINDS
from asccl.types import Image, MediaInfo
from asccl.version import __version__

REPORT_SCHEMA = 2
NUM_WORST_FRAMES = 6
MIN_WORST_DISTANCE = 0.4  # seconds between two of the worst frames
DEFINITIONS = {
    "visual disparity": "difference of the feature vectors of a region i and of its neighbour j (8 of them), eq. 1; "
    "through a mapping f, eq. 3",
    "corresponding": "the same pair i->j in both faces: s^p of eq. 1",
    "non_corresponding": "i->j of the source against i->k of the generated face, k != j: s^n of eq. 1",
    "cosine": "cosine similarity along the channels of the two vectors",
    "pearson": "Pearson coefficient along the channels of the two vectors: their cosine, each less its own mean",
    "deviation": "standard deviation over all pairs of regions and frames; frame_deviation: of the means of frames",
    "overall": "mean of the four maps, each counting the same",
    "daas": "DAAS weight of the source's disparities, eq. 6, mean over neighbours and frames",
    "lip_gap": "opening of the inner lips over the eye distance",
}


class ComparedFrames(NamedTuple):
    """One compared pair of frames.

    Attributes:
        similarity: mean cosine of corresponding regions over all maps by the leading variant.
        times: seconds in the source and in the generated video.
        crops: aligned crops of both frames, (H, H, 3) uint8 RGB.
    """

    similarity: float
    times: tuple[float, float]
    crops: tuple[Image, Image]


class WorstFrames:
    """Keeps the first frame pair and the least similar ones, which lie apart in time. Only their crops are kept."""

    def __init__(self) -> None:
        self._first: ComparedFrames | None = None
        self._worst: list[ComparedFrames] = []

    def add(self, similarity: float, times: tuple[float, float], crop: Callable[[], tuple[Image, Image]]) -> None:
        """Offer a frame pair.

        Args:
            similarity: see `ComparedFrames`.
            times: see `ComparedFrames`.
            crop: returns its crops; it is called only if the pair is kept.
        """
        if self._first is None:
            self._first = ComparedFrames(similarity, times, crop())
        close = [m for m in self._worst if abs(m.times[0] - times[0]) < MIN_WORST_DISTANCE]
        if any(m.similarity <= similarity for m in close):
            return
        kept = [m for m in self._worst if not any(m is n for n in close)]
        if len(kept) < NUM_WORST_FRAMES or similarity < kept[-1].similarity:
            kept.append(ComparedFrames(similarity, times, crop()))
            self._worst = sorted(kept, key=lambda m: m.similarity)[:NUM_WORST_FRAMES]

    def first(self) -> ComparedFrames:
        """Return the first pair; there must be one."""
        assert self._first is not None
        return self._first

    def worst(self) -> list[ComparedFrames]:
        """Return the least similar pairs, lowest similarity first."""
        return self._worst


class FrameCurves:
    """Values of every compared frame pair over time.

    Args:
        variants: heads of the metric's variants.
    """

    def __init__(self, variants: Sequence[str]):
        self.times: list[tuple[float, float]] = []
        self.lip_gaps: list[tuple[float, float]] = []
        self._means: dict[str, list[np.ndarray]] = {heads: [] for heads in variants}

    def __len__(self) -> int:
        return len(self.times)

    def add(self, times: tuple[float, float], lip_gaps: Sequence[float], means: dict[str, np.ndarray]) -> None:
        """Append a frame pair.

        Args:
            times: seconds in the source and in the generated video.
            lip_gaps: lip opening over eye distance in both.
            means: mean similarities of each variant, (2, 2) by measure and pair kind.
        """
        self.times.append(times)
        self.lip_gaps.append((lip_gaps[0], lip_gaps[1]))
        for heads, mean in means.items():
            self._means[heads].append(mean)

    def similarity(self, heads: str, measure: str = "cosine", pair_kind: str = "corresponding") -> np.ndarray:
        """Return the mean similarity of each frame pair, (T,).

        Args:
            heads: variant of the metric.
            measure: one of `MEASURES`.
            pair_kind: one of `PAIR_KINDS`.
        """
        return np.array([m[MEASURES.index(measure), PAIR_KINDS.index(pair_kind)] for m in self._means[heads]])


@dataclass(frozen=True)
class CorrelationResult:
    """The result of comparing two files.

    Attributes:
        source: the source file.
        generated: the generated file.
        settings: settings as used, without "auto".
        paired_frames: number of frame pairs; those with a face in both frames were compared.
        region_statistics: statistics of the four maps of every variant, by heads ("trained", "random", "identity").
        curves: values of every compared frame pair.
        first: the first compared pair.
        worst: the least similar pairs.
    """

    source: MediaInfo
    generated: MediaInfo
    settings: AnalysisSettings
    paired_frames: int
    region_statistics: dict[str, list[RegionStatistics]]
    curves: FrameCurves
    first: ComparedFrames
    worst: list[ComparedFrames]

    @property
    def heads(self) -> list[str]:
        """Heads of the compared variants, the leading one first."""
        return list(self.region_statistics)

    def mean_std(self, heads: str, measure: str, pair_kind: str, map_index: int | None = None) -> MeanStd:
        """Return mean and deviations of a similarity.

        Args:
            heads: variant of the metric.
            measure: one of `MEASURES`.
            pair_kind: one of `PAIR_KINDS`.
            map_index: 0 to 3 for one feature map; None for all maps with equal weights.
        """
        maps = self.region_statistics[heads]
        if map_index is not None:
            return maps[map_index].mean_std(measure, pair_kind)
        frame_deviation = float(np.nanstd(self.curves.similarity(heads, measure, pair_kind)))
        return average_maps([statistics.mean_std(measure, pair_kind) for statistics in maps], frame_deviation)

    def report(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        keys = {REPORT_KEYS[heads]: heads for heads in self.heads}
        regions = self.region_statistics
        return {
            "schema": REPORT_SCHEMA,
            "software": {"name": "asccl", "version": __version__},
            "source": describe_media(self.source),
            "generated": describe_media(self.generated),
            "settings": asdict(self.settings),
            "frames": {"paired": self.paired_frames, "compared": len(self.curves)},
            "definitions": {**DEFINITIONS, **{key: MAPPING_DEFINITIONS[heads] for key, heads in keys.items()}},
            "similarity": {key: self._similarity_report(heads) for key, heads in keys.items()},
            "regions": {key: [_region_report(m) for m in regions[heads]] for key, heads in keys.items()},
            "curves": self._curves_report(),
            "worst": [
                {"similarity": round(frames.similarity, 5), "times": [round(time, 4) for time in frames.times]}
                for frames in self.worst
            ],
            "weights": describe_weights(self.settings.metric),
        }

    def table_rows(self) -> list[dict[str, Any]]:
        """Return the similarities as table rows, one for each variant, map, measure and pair kind."""
        map_indices = (None, *range(len(self.region_statistics[self.heads[0]])))
        rows = []
        for heads, index, measure, pair_kind in itertools.product(self.heads, map_indices, MEASURES, PAIR_KINDS):
            name = "overall" if index is None else index + 1
            row = {"mapping": REPORT_KEYS[heads], "map": name, "measure": measure, "regions": pair_kind}
            rows.append({**row, **self.mean_std(heads, measure, pair_kind, index).report()})
        return rows

    def _similarity_report(self, heads: str) -> dict[str, Any]:
        def values(index: int | None) -> dict[str, Any]:
            return {m: {kind: self.mean_std(heads, m, kind, index).report() for kind in PAIR_KINDS} for m in MEASURES}

        maps = [
            {"map": index + 1, "height": statistics.size[0], "width": statistics.size[1], **values(index)}
            for index, statistics in enumerate(self.region_statistics[heads])
        ]
        return {"overall": values(None), "maps": maps}

    def _curves_report(self) -> dict[str, Any]:
        times, lip_gaps = np.array(self.curves.times), np.array(self.curves.lip_gaps)
        curves: dict[str, Any] = {
            "time_source": round_values(times[:, 0]),
            "time_generated": round_values(times[:, 1]),
            "lip_gap_source": round_values(lip_gaps[:, 0]),
            "lip_gap_generated": round_values(lip_gaps[:, 1]),
        }
        for kind in PAIR_KINDS:
            curves[kind] = {
                REPORT_KEYS[heads]: round_values(self.curves.similarity(heads, pair_kind=kind)) for heads in self.heads
            }
        return curves


def round_values(values: np.ndarray, digits: int = 5) -> list[Any]:
    """Convert an array to nested lists of rounded numbers, None for values that are not finite."""
    if values.ndim > 1:
        return [round_values(row, digits) for row in values]
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]


def describe_media(info: MediaInfo) -> dict[str, Any]:
    """Return the properties of a file for a report."""
    return {
        "file": info.path.name,
        "width": info.width,
        "height": info.height,
        "frame_rate": str(info.frame_rate),
        "duration": round(info.duration, 4),
        "frames": info.frames,
    }


def _region_report(statistics: RegionStatistics) -> dict[str, Any]:
    means = zip((*PAIR_KINDS, "daas"), statistics.region_means(), strict=True)
    return {name: round_values(grid, 3) for name, grid in means}

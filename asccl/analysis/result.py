"""What a comparison found, and how it is told to programs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from asccl.analysis.mappings import HEAD_DEFINITIONS, describe_weights
from asccl.analysis.settings import AnalysisSettings
from asccl.analysis.statistics import MEASURES, PAIR_KINDS, MeanStd, RegionStatistics, average_maps
from asccl.types import Image, MediaInfo
from asccl.version import __version__

WORST = 6  # moments that are shown
APART = 0.4  # seconds between two of them, at least
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
    """One compared pair of frames. similarity: of corresponding regions, overall, by the leading head. time: seconds in
    the source and in the generated video. crops: of the two, (H, H, 3) uint8 RGB in one pose."""

    similarity: float
    times: tuple[float, float]
    crops: tuple[Image, Image]


class WorstFrames:
    """Keeps the worst moments, not too close to each other, and the first one; their crops alone are held."""

    def __init__(self) -> None:
        self._first: ComparedFrames | None = None
        self._worst: list[ComparedFrames] = []

    def add(self, similarity: float, times: tuple[float, float], cut: Callable[[], tuple[Image, Image]]) -> None:
        if self._first is None:
            self._first = ComparedFrames(similarity, times, cut())
        near = [m for m in self._worst if abs(m.times[0] - times[0]) < APART]
        if any(m.similarity <= similarity for m in near):
            return
        rest = [m for m in self._worst if not any(m is n for n in near)]
        if len(rest) < WORST or similarity < rest[-1].similarity:
            rest.append(ComparedFrames(similarity, times, cut()))
            self._worst = sorted(rest, key=lambda m: m.similarity)[:WORST]

    def first(self) -> ComparedFrames:
        assert self._first is not None
        return self._first

    def worst(self) -> list[ComparedFrames]:
        """Lowest similarity first."""
        return self._worst


class FrameCurves:
    """Some numbers for each pair of frames."""

    def __init__(self, heads: Sequence[str]):
        self.times: list[tuple[float, float]] = []
        self.lip_gaps: list[tuple[float, float]] = []
        self.means: dict[str, list[np.ndarray]] = {head: [] for head in heads}

    def __len__(self) -> int:
        return len(self.times)

    def add(self, times: tuple[float, float], lip_gaps: Sequence[float], means: dict[str, np.ndarray]) -> None:
        """means: by head, (2, 2) over measure and side."""
        self.times.append(times)
        self.lip_gaps.append((lip_gaps[0], lip_gaps[1]))
        for head, mean in means.items():
            self.means[head].append(mean)

    def similarity(self, head: str, measure: str = "cosine", side: str = "corresponding") -> np.ndarray:
        """(T,)"""
        return np.array([m[MEASURES.index(measure), PAIR_KINDS.index(side)] for m in self.means[head]])


@dataclass(frozen=True)
class CorrelationResult:
    """What was found. settings: as they were used, nothing left to "auto". pairs: of frames that belong together;
    compared are those with a face in both. maps: the sums of each head's four maps. shown: a moment to look at;
    worst: those with the least similarity."""

    source: MediaInfo
    generated: MediaInfo
    settings: AnalysisSettings
    pairs: int
    region_statistics: dict[str, list[RegionStatistics]]
    curves: FrameCurves
    first: ComparedFrames
    worst: list[ComparedFrames]

    @property
    def heads(self) -> list[str]:
        """The leading one first."""
        return list(self.region_statistics)

    def mean_std(self, head: str, measure: str, side: str, number: int | None = None) -> MeanStd:
        """Of one map (0 to 3), or overall."""
        if number is not None:
            return self.region_statistics[head][number].mean_std(measure, side)
        frames = self.curves.similarity(head, measure, side)
        return average_maps(
            [sums.mean_std(measure, side) for sums in self.region_statistics[head]], float(np.nanstd(frames))
        )

    def report(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "software": {"name": "asccl", "version": __version__},
            "source": media_facts(self.source),
            "generated": media_facts(self.generated),
            "settings": asdict(self.settings),
            "frames": {"paired": self.pairs, "compared": len(self.curves)},
            "definitions": {**DEFINITIONS, **{head: HEAD_DEFINITIONS[head] for head in self.heads}},
            "similarity": {head: self._similarity(head) for head in self.heads},
            "regions": {head: [_regions(sums) for sums in self.region_statistics[head]] for head in self.heads},
            "curves": self._curves(),
            "worst": [
                {"similarity": round(each.similarity, 5), "times": [round(time, 4) for time in each.times]}
                for each in self.worst
            ],
            "weights": describe_weights(self.settings.metric),
        }  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """The similarities as a table, one row for each head, map, measure and side."""
        numbers = (None, *range(len(self.region_statistics[self.heads[0]])))
        return [
            {"mapping": head, "map": "overall" if n is None else n + 1, "measure": measure, "regions": side,
             **self.mean_std(head, measure, side, n).report()}
            for head, n, measure, side in itertools.product(self.heads, numbers, MEASURES, PAIR_KINDS)
        ]  # fmt: skip

    def _similarity(self, head: str) -> dict[str, Any]:
        def told(number: int | None) -> dict[str, Any]:
            return {m: {side: self.mean_std(head, m, side, number).report() for side in PAIR_KINDS} for m in MEASURES}

        maps = [
            {"map": n + 1, "height": sums.size[0], "width": sums.size[1], **told(n)}
            for n, sums in enumerate(self.region_statistics[head])
        ]
        return {"overall": told(None), "maps": maps}

    def _curves(self) -> dict[str, Any]:
        times, gaps = np.array(self.curves.times), np.array(self.curves.lip_gaps)
        lines = {
            "time_source": times[:, 0], "time_generated": times[:, 1],
            "lip_gap_source": gaps[:, 0], "lip_gap_generated": gaps[:, 1],
        }  # fmt: skip
        told: dict[str, Any] = {name: round_values(line) for name, line in lines.items()}
        for side in PAIR_KINDS:
            told[side] = {head: round_values(self.curves.similarity(head, side=side)) for head in self.heads}
        return told


def round_values(values: np.ndarray, digits: int = 5) -> list[Any]:
    """Nested lists; None where a value is not finite."""
    if values.ndim > 1:
        return [round_values(row, digits) for row in values]
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]


def media_facts(info: MediaInfo) -> dict[str, Any]:
    return {
        "file": info.path.name, "width": info.width, "height": info.height, "frame_rate": str(info.frame_rate),
        "duration": round(info.duration, 4), "frames": info.frames,
    }  # fmt: skip


def _regions(sums: RegionStatistics) -> dict[str, Any]:
    corresponding, non_corresponding, daas = sums.region_means()
    return {
        "corresponding": round_values(corresponding, 3), "non_corresponding": round_values(non_corresponding, 3),
        "daas": round_values(daas, 3),
    }  # fmt: skip

"""The numbers of an evaluation: scores of clips and of groups of clips, and differences of methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asccl.evaluation.manifest import EvaluationRow, LeftOut
from asccl.evaluation.shards import Shard
from asccl.evaluation.statistics import Interval

POOLED, AVERAGE, NO_EMOTION = "pooled", "average", "unlabelled"


@dataclass(frozen=True)
class ClipShard:
    """A measured clip.

    Attributes:
        row: of the manifest, or of a baseline.
        shard: its result.
    """

    row: EvaluationRow
    shard: Shard


@dataclass(frozen=True)
class GroupScore:
    """The score of a group.

    Attributes:
        setting: of the clips.
        method: of the clips.
        emotion: of the clips, `POOLED` or `AVERAGE`.
        measure: name.
        interval: the number; an average of emotions has no interval.
    """

    setting: str
    method: str
    emotion: str
    measure: str
    interval: Interval

    def to_record(self) -> dict[str, Any]:
        """Return a line of the report."""
        labels = {name: getattr(self, name) for name in ("setting", "method", "emotion", "measure")}
        return {"kind": "group", **labels, **interval_record(self.interval)}


@dataclass(frozen=True)
class Difference:
    """The difference of two methods on their common clips.

    Attributes:
        setting: of the clips.
        first: name of a method.
        second: name of the method whose score is subtracted.
        measure: name.
        interval: of the difference.
        better: number of clips on which the first is better; None where neither direction is.
    """

    setting: str
    first: str
    second: str
    measure: str
    interval: Interval
    better: int | None

    def to_record(self) -> dict[str, Any]:
        """Return a line of the report."""
        labels = {name: getattr(self, name) for name in ("setting", "first", "second", "measure", "better")}
        return {"kind": "difference", **labels, **interval_record(self.interval)}


@dataclass(frozen=True)
class Summary:
    """All numbers of an evaluation.

    Attributes:
        clips: score of every clip, by clip and measure.
        groups: scores of groups.
        differences: of pairs of methods.
        left_out: scores that are undefined.
    """

    clips: Sequence[tuple[ClipShard, Mapping[str, Interval]]]
    groups: Sequence[GroupScore]
    differences: Sequence[Difference]
    left_out: Sequence[LeftOut] = field(default=())


def interval_record(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON data; None for what is undefined."""
    record: dict[str, Any] = {
        name: _finite(getattr(interval, name)) for name in ("value", "low", "high", "clips", "frames")
    }
    extras = {name: value for name, number in interval.extras.items() if (value := _finite(number)) is not None}
    return {**record, "extras": extras} if extras else record


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None

"""Measured clips and reports without videos."""

from __future__ import annotations

import numpy as np

from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.measure import ClipMean, clip_state
from asccl.evaluation.report import Report, build_report
from asccl.evaluation.scores import ClipShard, Summary
from asccl.evaluation.shards import Shard
from asccl.evaluation.summary import Summarizer

LIKENESS = ClipMean("likeness", True)
DRAWS = 200


def clips_of(method: str, values: list[float], emotions: str = "happy sad") -> list[ClipShard]:
    """Clips of a method with these scores, whose emotions take turns."""
    import cv2

    names = emotions.split()
    picture = cv2.imencode(".jpg", np.full((8, 24, 3), 128, np.uint8))[1].tobytes()
    return [
        ClipShard(
            EvaluationRow(f"clip{k}", "cross-id", f"s{k}.mp4", names[k % len(names)], "anna", method, "g.mp4"),
            Shard({"likeness": clip_state(value, 10)}, {}, 10, 10, picture=picture),
        )
        for k, value in enumerate(values)
    ]


def summarize(clips: list[ClipShard]) -> Summary:
    """The numbers of some clips."""
    return Summarizer([LIKENESS], {}, {}, DRAWS).summarize(clips)


def report_of(*clips: ClipShard, missing: dict[str, str] | None = None) -> Report:
    """The report of some clips."""
    return build_report(summarize(list(clips)), [LIKENESS], missing or {}, [], [], DRAWS)

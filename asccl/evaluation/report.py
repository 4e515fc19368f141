"""The report of an evaluation: JSON lines that say what was measured, how, and with which weights.

The first line has the kind "protocol"; it is followed by lines of the kinds "group", "difference", "clip" and
"left_out". Pictures of single moments are in the lines of the clips as JPEG in base64, so that a report can be shown
without its videos.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.evaluation.manifest import LeftOut
from asccl.evaluation.measure import Measure
from asccl.evaluation.moment import MOMENT_RULE
from asccl.evaluation.scores import AVERAGE, POOLED, Summary, interval_record
from asccl.evaluation.statistics import CONFIDENCE
from asccl.files import write_atomic
from asccl.version import __version__

FORMAT = "asccl-evaluation-1"
PROTOCOL_FIELDS = ("asccl", "commit", "measures", "missing_measures", "weights", "intervals", "clips")
MAX_REPORT_BYTES = 64 * 2**20
Record = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """The lines of a report by kind.

    Attributes:
        protocol: what was measured and how.
        groups: scores of groups of clips.
        differences: of pairs of methods.
        clips: scores of single clips.
        left_out: what is missing, as records with name and reason.
    """

    protocol: Record
    groups: Sequence[Record]
    differences: Sequence[Record]
    clips: Sequence[Record]
    left_out: Sequence[Record]

    def lines(self) -> list[Record]:
        """All lines in their order."""
        return [self.protocol, *self.groups, *self.differences, *self.clips, *self.left_out]

    def write(self, path: Path) -> None:
        """Write the report; it appears complete or not at all. Raises OutputError."""
        write_atomic(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in self.lines()).encode())


def build_report(
    summary: Summary,
    measures: Sequence[Measure],
    missing: Mapping[str, str],
    left_out: Sequence[LeftOut],
    weights: Sequence[Record],
    draws: int,
) -> Report:
    """Build a report.

    Args:
        summary: all numbers.
        measures: that were computed.
        missing: measure -> why it could not be built.
        left_out: rows, clips and real videos that are missing.
        weights: name, file and sha256 of each file of weights.
        draws: of a bootstrap.
    """
    protocol = {
        "kind": "protocol",
        "format": FORMAT,
        "asccl": __version__,
        "commit": find_commit(),
        "measures": [
            {"name": m.name, "higher_is_better": m.higher_is_better, "uses_pool": m.uses_pool} for m in measures
        ],
        "missing_measures": dict(missing),
        "weights": list(weights),
        "intervals": f"{CONFIDENCE:.0%} bootstrap over clips, those of one source together, {draws} draws (fewer for a "
        "Frechet distance)",
        "groups": f"{POOLED}: states of all clips merged; {AVERAGE}: mean of the emotions",
        "moment": MOMENT_RULE,
        "clips": _count_clips(summary),
    }
    return Report(
        protocol=protocol,
        groups=[score.to_record() for score in summary.groups],
        differences=[difference.to_record() for difference in summary.differences],
        clips=_clip_records(summary),
        left_out=[
            {"kind": "left_out", "name": entry.name, "reason": entry.reason} for entry in (*left_out, *summary.left_out)
        ],
    )


def _count_clips(summary: Summary) -> list[Record]:
    """Count clips and frames of every setting and method."""
    counts: dict[tuple[str, str], Record] = {}
    for clip, _ in summary.clips:
        key = (clip.row.setting, clip.row.method)
        count = counts.setdefault(key, {"setting": key[0], "method": key[1], "clips": 0, "frames": 0, "faces": 0})
        count["clips"] += 1
        count["frames"] += clip.shard.frames
        count["faces"] += clip.shard.faces
    return list(counts.values())


def _clip_records(summary: Summary) -> list[Record]:
    return [
        {
            "kind": "clip",
            "id": clip.row.id,
            "setting": clip.row.setting,
            "emotion": clip.row.emotion,
            "speaker": clip.row.speaker,
            "method": clip.row.method,
            "offset": clip.shard.offset,
            "frames": clip.shard.frames,
            "faces": clip.shard.faces,
            "scores": {name: interval_record(interval) for name, interval in scores.items()},
            "left_out": dict(clip.shard.left_out),
            "picture": base64.b64encode(clip.shard.picture).decode(),
        }
        for clip, scores in summary.clips
    ]


def read_report(path: Path) -> Report:
    """Read a report. Raises InputError."""
    remedy = "give the file that `python -m asccl evaluate ... -o` writes"
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise InputError(f"{path.name} has more than {MAX_REPORT_BYTES >> 20} MiB", remedy)
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read ({error})", remedy) from error
    if not records or not all(isinstance(record, dict) for record in records) or records[0].get("format") != FORMAT:
        raise InputError(f"{path.name} is no report of an evaluation", remedy)
    if any(name not in records[0] for name in PROTOCOL_FIELDS):
        raise InputError(f"{path.name} has an incomplete first line", remedy)
    by_kind = {kind: [r for r in records[1:] if r.get("kind") == kind] for kind in _KINDS}
    for kind, names in _KINDS.items():
        if any(name not in record for record in by_kind[kind] for name in names):
            raise InputError(f"{path.name} has an incomplete line of the kind {kind}", remedy)
    return Report(records[0], by_kind["group"], by_kind["difference"], by_kind["clip"], by_kind["left_out"])


_KINDS = {
    "group": ("setting", "method", "emotion", "measure", "value", "low", "high", "clips"),
    "difference": ("setting", "first", "second", "measure", "value", "low", "high", "clips", "better"),
    "clip": ("id", "setting", "emotion", "method", "scores", "picture"),
    "left_out": ("name", "reason"),
}


def find_commit() -> str | None:
    """Return the commit of this checkout, with "+" if files differ from it; None in an installed package."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):  # no git on this machine
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

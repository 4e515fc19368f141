"""The command `training.tables`: edit all test clips with all methods, measure them, print the paper's tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from tqdm import tqdm

from asccl.data.panels import panel_rows
from asccl.data.protocols import PROTOCOLS, build_rows
from asccl.errors import AscclError, OutputError, SettingError
from asccl.evaluation.face_stream import FaceStreams
from asccl.evaluation.manifest import SETTINGS, EvaluationRow, LeftOut, write_evaluation_manifest
from asccl.evaluation.measure import Measure
from asccl.evaluation.registry import MEASURES, build_measures
from asccl.evaluation.report import Report, build_report
from asccl.evaluation.run import add_baselines, describe_error, measure_clip, measure_pool, pool_videos
from asccl.evaluation.scores import ClipShard
from asccl.evaluation.shards import Shard, ShardStore
from asccl.evaluation.summary import Summarizer, speaker_pools
from asccl.evaluation.tables import format_tables, report_tables
from asccl.files import write_atomic
from asccl.zoo import describe_networks, load_evaluation_networks
from training.evaluation.methods import METHODS, EditJob, edit_clip, method_files
from training.evaluation.paper_tables import PAPER_METHODS, TABLE_NUMBERS, compare_with_paper, format_misprints
from training.preprocess.workers import JobResult, run_in_processes, run_on_ray, run_serially

Job = TypeVar("Job")
Value = TypeVar("Value")
MAX_LISTED = 10  # lines of what is left out
SHARDS, EDITS, MANIFEST, REPORT, TABLES = "shards", "edits", "manifest.csv", "report.jsonl", "tables.md"


@dataclass(frozen=True)
class TablesSettings:
    """Settings of `training.tables`.

    Attributes:
        data: data set in `root`: mead, ravdess, or panels for the authors' clips with four panels.
        root: folder of the data set.
        output: folder of edits, results, manifest, report and tables.
        methods: comma-separated; see `training.evaluation.methods`.
        settings: comma-separated; intra-id, cross-id or both.
        measures: comma-separated; all by default.
        weights: folder of the files that methods need.
        device: that a neural renderer runs on.
        clips: largest number of clips per setting, speaker and emotion; 0 for all.
        draws: of a bootstrap.
        workers: number of processes; 0 uses this process alone.
        ray: "auto", "local" or "ray://HOST:10001", the address of a Ray cluster whose machines see the same folders.
    """

    data: Literal["mead", "ravdess", "panels"] = "mead"
    root: Path = Path("build/talking")
    output: Path = Path("build/tables")
    methods: str = "warp,ned,ned+asccl"
    settings: str = ",".join(SETTINGS)
    measures: str = ""
    weights: Path = Path("build/methods")
    device: str = "cpu"
    clips: int = 0
    draws: int = 1000
    workers: int = 0
    ray: str | None = None


class MeasureJob(NamedTuple):
    """One clip or one real video to measure.

    Attributes:
        row: of the clip; None for a real video.
        video: the real video; empty for a clip.
        shards: folder of the results.
        measures: names; empty for all.
    """

    row: EvaluationRow | None
    video: str
    shards: Path
    measures: tuple[str, ...]


@dataclass(frozen=True)
class Toolbox:
    """What measures clips in one process.

    Attributes:
        measures: that can be computed.
        missing: measure -> why it cannot.
        weights: files with their sha256.
        streams: keeps what was computed of sources and references for the next jobs.
    """

    measures: list[Measure]
    missing: dict[str, str]
    weights: list[dict[str, str]]
    streams: FaceStreams

    def store(self, folder: Path) -> ShardStore:
        """Return the store of a folder."""
        return ShardStore(folder, self.weights)


@cache
def load_toolbox(names: tuple[str, ...]) -> Toolbox:
    """Load networks and build measures, once in a process. Raises WeightsError."""
    networks = load_evaluation_networks()
    measures, missing = build_measures(names or None, networks)
    return Toolbox(measures, missing, describe_networks(networks), FaceStreams())


def run_measure_job(job: MeasureJob) -> Shard:
    """Measure a clip or a real video, unless its shard exists. Raises AscclError."""
    tools = load_toolbox(job.measures)
    store = tools.store(job.shards)
    if job.row is None:
        return measure_pool(job.video, tools.measures, store, tools.streams)
    return measure_clip(job.row, tools.measures, store, tools.streams)


def main(settings: TablesSettings) -> int:
    """Edit, measure and print. Returns the exit status: 0, or 3 where something was left out. Raises AscclError."""
    methods, names = _check_settings(settings)
    output = settings.output.resolve()
    rows, left_out = select_rows(settings)
    edited = _edit_rows(replace(settings, output=output), rows, methods, left_out)
    if not edited:
        raise SettingError("no method can edit these clips", f"see --weights, or choose from {', '.join(METHODS)}")
    output.mkdir(parents=True, exist_ok=True)
    write_evaluation_manifest(output / MANIFEST, edited)
    report = _measure_rows(settings, output / SHARDS, edited, names, left_out)
    report.write(output / REPORT)
    text = format_result(report, settings.data, methods)
    write_atomic(output / TABLES, text.encode())
    print(text)
    for entry in left_out[:MAX_LISTED]:
        print(entry, file=sys.stderr)
    if len(left_out) > MAX_LISTED:
        print(f"{len(left_out) - MAX_LISTED} more are in {output / TABLES}", file=sys.stderr)
    return 3 if left_out else 0


def _check_settings(settings: TablesSettings) -> tuple[list[str], tuple[str, ...]]:
    """Return the methods and the names of the measures. Raises SettingError."""
    methods, names = _split(settings.methods), tuple(_split(settings.measures))
    unknown = [name for name in methods if name not in METHODS]
    unsupported = [name for name in unknown if name in PAPER_METHODS]
    if unsupported:
        print(f"{', '.join(unsupported)}: this version has no such generator; the columns stay empty", file=sys.stderr)
    if wrong := [name for name in unknown if name not in unsupported]:
        raise SettingError(f"there is no method {wrong[0]!r}", f"choose from {', '.join(METHODS)}")
    if wrong := [name for name in names if name not in MEASURES]:
        raise SettingError(f"there is no measure {wrong[0]!r}", f"choose from {', '.join(MEASURES)}")
    if wrong := [name for name in _split(settings.settings) if name not in SETTINGS]:
        raise SettingError(f"there is no setting {wrong[0]!r}", f"choose from {', '.join(SETTINGS)}")
    if settings.clips < 0 or settings.draws < 1 or settings.workers < 0:
        raise SettingError("clips, draws or workers is out of range", "give 0 clips, 1 draw, 0 workers or more")
    return methods, names


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def select_rows(settings: TablesSettings) -> tuple[list[EvaluationRow], list[LeftOut]]:
    """Select the test clips of a data set. Returns rows, and clips that are missing. Raises InputError."""
    chosen = _split(settings.settings)
    if settings.data == "panels":
        rows, left_out = panel_rows(settings.root)
        return _limit_clips([row for row in rows if row.setting in chosen], settings.clips), left_out
    rows, left_out = [], []
    for setting in chosen:
        selection = build_rows(PROTOCOLS[settings.data], settings.root, setting)
        rows += _limit_clips(selection.rows, settings.clips)
        if selection.missing:
            first = ", ".join(selection.missing[:3])
            reason = (
                f"{len(selection.missing)} clips are not in {settings.root}, such as {first}: their rows are left out"
            )
            left_out.append(LeftOut(setting, reason))
    return rows, left_out


def _limit_clips(rows: Sequence[EvaluationRow], limit: int) -> list[EvaluationRow]:
    """Keep the first clips of every setting, speaker and emotion."""
    clips: dict[tuple[str, str, str | None], dict[str, None]] = {}
    for row in rows:
        clips.setdefault((row.setting, row.speaker, row.emotion), {})[row.id] = None
    kept = {key: list(ids)[: limit or None] for key, ids in clips.items()}
    return [row for row in rows if row.id in kept[row.setting, row.speaker, row.emotion]]


def _edit_rows(
    settings: TablesSettings, rows: Sequence[EvaluationRow], methods: Sequence[str], left_out: list[LeftOut]
) -> list[EvaluationRow]:
    """Edit every clip with every method. Returns the rows of generated videos, those of the manifest first."""
    clips = list({row.id: row for row in rows}.values())
    jobs = []
    for name in methods:
        marked: dict[str, None] = {}
        for row in clips if name in METHODS else ():
            try:
                method_files(METHODS[name], settings.weights, row.speaker)
            except AscclError as error:
                marked[str(error)] = None
                continue
            output = settings.output / EDITS / name / row.setting / f"{row.file_stem}.mp4"
            jobs.append(EditJob(row, name, output, settings.weights.resolve(), settings.device))
        left_out += [LeftOut(name, reason) for reason in marked]
    edited: dict[tuple[str, str], EvaluationRow] = {}
    for job, path, failure in _run(settings, edit_clip, jobs, "edits"):
        if isinstance(failure, OutputError):
            raise failure
        if path is None:
            left_out.append(LeftOut(f"{job.row.id} of {job.method}", describe_error(failure or ValueError())))
        else:
            edited[job.row.id, job.method] = replace(job.row, method=job.method, generated=str(path), offset=0)
    order = [(row.id, name) for row in clips for name in methods]
    return [*(row for row in rows if row.generated is not None), *(edited[key] for key in order if key in edited)]


def _measure_rows(
    settings: TablesSettings,
    shards: Path,
    edited: Sequence[EvaluationRow],
    names: tuple[str, ...],
    left_out: list[LeftOut],
) -> Report:
    tools = load_toolbox(names)
    rows = add_baselines(edited)
    jobs = [MeasureJob(None, video, shards, names) for video in pool_videos(rows, tools.measures)]
    jobs += [MeasureJob(row, "", shards, names) for row in rows]
    clips: dict[tuple[str, str], ClipShard] = {}
    pools: dict[str, Shard] = {}
    for job, shard, failure in _run(settings, run_measure_job, jobs, "clips"):
        if isinstance(failure, OutputError):
            raise failure
        name = f"{job.row.id} of {job.row.method}" if job.row else f"real video {job.video}"
        if shard is None:
            left_out.append(LeftOut(name, describe_error(failure or ValueError())))
        elif job.row is None:
            pools[job.video] = shard
        else:
            clips[job.row.id, job.row.method] = ClipShard(job.row, shard)
    ordered = [clips[row.id, row.method] for row in rows if (row.id, row.method) in clips]
    summary = Summarizer(tools.measures, pools, speaker_pools(edited), settings.draws).summarize(ordered)
    return build_report(summary, tools.measures, tools.missing, left_out, tools.weights, settings.draws)


def _run(
    settings: TablesSettings, function: Callable[[Job], Value], jobs: Sequence[Job], unit: str
) -> Iterator[JobResult[Job, Value]]:
    """Run jobs where the settings say, with a progress bar."""
    results: Any
    if settings.ray is not None:
        results = run_on_ray(function, jobs, settings.ray)
    elif settings.workers:
        results = run_in_processes(function, jobs, settings.workers)
    else:
        results = run_serially(function, jobs)
    return iter(tqdm(results, total=len(jobs), unit=f" {unit}", disable=None))


def format_result(report: Report, data: str, methods: Sequence[str]) -> str:
    """Format all tables as Markdown.

    Args:
        report: of the evaluation.
        data: data set.
        methods: in the order of the columns.
    """
    tables = report_tables(report)
    lines = []
    if data in TABLE_NUMBERS:
        tables = [*compare_with_paper(report, data, methods), *tables]
        lines = [f"- {line}" for line in format_misprints(data)]
    protocol = report.protocol
    lines += [
        f"- asccl {protocol['asccl']}, commit {protocol['commit']}; {protocol['intervals']}; {protocol['groups']}"
    ]
    lines += [f"- {weights['file']}: sha256 {weights['sha256']}" for weights in protocol["weights"]]
    lines += [f"- {name} is not measured: {reason}" for name, reason in protocol["missing_measures"].items()]
    lines += [f"- left out: {record['name']}: {record['reason']}" for record in report.left_out]
    return format_tables(tables, "markdown") + "\n" + "\n".join(lines) + "\n"

"""What `asccl evaluate` does: measure videos, print tables, and write a report, charts, a sheet and videos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.commands.console import InterruptHandler, print_cancelled, progress_bar
from asccl.errors import CancelledError, InputError, SettingError

if TYPE_CHECKING:
    from asccl.evaluation.face_stream import FaceStreams
    from asccl.evaluation.manifest import EvaluationManifest, EvaluationRow, LeftOut
    from asccl.evaluation.report import Report
    from asccl.face.insightface_pack import InsightFacePack

STAGE_SHARES = {"real": 0.15, "clips": 0.85, "done": 0.0}  # of the time
MAX_LISTED = 30  # lines of what was left out


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluate a manifest. Returns the exit status."""
    from asccl.evaluation.manifest_reader import read_evaluation_manifest
    from asccl.evaluation.registry import MEASURES
    from asccl.evaluation.tables import FORMATS, format_tables, report_tables

    if arguments.format not in FORMATS:
        raise SettingError(f"there is no format {arguments.format!r}", f"choose from {', '.join(FORMATS)}")
    if arguments.draws < 1 or arguments.sheet_rows < 1:
        raise SettingError("draws and sheet-rows must be positive", "give 1 or more")
    names = _parse_names(arguments.measures, MEASURES)
    weights = _parse_weights(arguments.weights)
    manifest = read_evaluation_manifest(arguments.manifest)
    if all(row.generated is None for row in manifest.rows):
        print(
            f"asccl: {arguments.manifest.name} lists no generated video: only the baselines are measured",
            file=sys.stderr,
        )
    with InterruptHandler() as interrupts:
        try:
            report, failures = _evaluate(arguments, manifest, names, weights, interrupts)
        except CancelledError:
            return print_cancelled(interrupts.signal_number)
    _print_left_out(report)
    if arguments.output is not None:
        report.write(arguments.output)
    print(format_tables(report_tables(report, arguments.by_emotion), arguments.format), end="")
    unwritten = _write_pictures(arguments, manifest.rows, report)
    for entry in unwritten:
        print(f"asccl: {entry}", file=sys.stderr)
    return 3 if manifest.left_out or failures or unwritten else 0


def _print_left_out(report: Report) -> None:
    """Print what the report lacks to stderr: rows, clips and measures, each with the reason."""
    for record in report.left_out[:MAX_LISTED]:
        print(f"asccl: {record['name']}: {record['reason']}", file=sys.stderr)
    if len(report.left_out) > MAX_LISTED:
        print(f"asccl: {len(report.left_out) - MAX_LISTED} more lines are in the report", file=sys.stderr)
    for line in describe_missing(report.protocol["missing_measures"]):
        print(f"asccl: {line}", file=sys.stderr)


def describe_missing(missing: Mapping[str, str]) -> list[str]:
    """Say in one line for each reason which measures are missing; `missing` has the reason by name of a measure."""
    names: dict[str, list[str]] = {}
    for name, reason in missing.items():
        names.setdefault(reason, []).append(name)
    return [
        f"{', '.join(group)} {'is' if len(group) == 1 else 'are'} not measured: {reason}"
        for reason, group in names.items()
    ]


def _parse_names(text: str | None, known: Any) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise SettingError(f"there is no measure {(unknown or [text])[0]!r}", f"choose from {', '.join(known)}")
    return names


def _parse_weights(texts: Sequence[str]) -> dict[str, Path]:
    from asccl.evaluation.networks import IMPORTED_KINDS

    files = {}
    for text in texts:
        kind, separator, file = text.partition("=")
        if not separator or kind not in IMPORTED_KINDS:
            raise SettingError(f"--weights {text} names no kind", f"give KIND=FILE, KIND: {', '.join(IMPORTED_KINDS)}")
        if not Path(file).is_file():
            raise SettingError(f"there is no file {file}", "correct the path")
        files[kind] = Path(file)
    return files


def _evaluate(
    arguments: argparse.Namespace,
    manifest: EvaluationManifest,
    names: list[str] | None,
    weights: dict[str, Path],
    interrupts: InterruptHandler,
) -> tuple[Report, Sequence[LeftOut]]:
    """Measure all rows. Returns the report, and the clips that could not be measured."""
    import tempfile

    from asccl.evaluation.registry import build_measures
    from asccl.evaluation.report import build_report
    from asccl.evaluation.run import add_baselines, evaluate_rows
    from asccl.evaluation.shards import ShardStore
    from asccl.evaluation.summary import Summarizer, speaker_pools
    from asccl.zoo import describe_networks, load_evaluation_networks

    pack = _load_pack(arguments)
    networks = load_evaluation_networks(
        weights, pack.embed if pack is not None and arguments.embedder == "arcface" else None
    )
    measures, missing = build_measures(names, networks)
    rows, files = add_baselines(manifest.rows), describe_networks(networks)
    if pack is not None:
        files.append({"name": f"insightface {pack.name}", "tracker": arguments.tracker, "embedder": arguments.embedder})
    with tempfile.TemporaryDirectory(prefix="asccl-shards-") as temporary:
        folder = arguments.shards or (
            Path(temporary) if arguments.output is None else arguments.output.with_suffix(".shards")
        )
        store = ShardStore(folder, files)
        with (
            _open_streams(arguments, pack) as streams,
            progress_bar(arguments.manifest.name, STAGE_SHARES, interrupts) as progress,
        ):
            evaluated = evaluate_rows(rows, measures, store, streams, progress)
    summary = Summarizer(measures, evaluated.pools, speaker_pools(manifest.rows), arguments.draws).summarize(
        evaluated.clips
    )
    left_out = [*manifest.left_out, *evaluated.left_out]
    return build_report(summary, measures, missing, left_out, files, arguments.draws), evaluated.left_out


def _load_pack(arguments: argparse.Namespace) -> InsightFacePack | None:
    if arguments.tracker != "insightface" and arguments.embedder != "arcface":
        return None
    from asccl.face.insightface_pack import DEFAULT_PACK, TERMS, InsightFacePack

    print(f"asccl: {TERMS}", file=sys.stderr)
    return InsightFacePack(arguments.insightface_pack or DEFAULT_PACK)


def _open_streams(arguments: argparse.Namespace, pack: InsightFacePack | None) -> FaceStreams:
    from asccl.evaluation.face_stream import FaceStreams
    from asccl.face.tracker import FaceMeshTracker

    if pack is None or arguments.tracker != "insightface":
        return FaceStreams()
    from asccl.face.insightface_pack import InsightFaceDetector

    return FaceStreams(lambda: FaceMeshTracker(create_detector=lambda: InsightFaceDetector(pack)))


def _write_pictures(arguments: argparse.Namespace, rows: Sequence[EvaluationRow], report: Report) -> Sequence[LeftOut]:
    """Write charts, sheet and videos. Returns the clips that are missing in them."""
    from asccl.evaluation.manifest import LeftOut
    from asccl.evaluation.plots import write_charts
    from asccl.evaluation.sheet import group_clips, write_panels, write_sheet

    clips = group_clips(rows)
    methods = list(dict.fromkeys(row.method for clip in clips for row in clip))
    left_out: list[LeftOut] = []
    if arguments.plots is not None:
        arguments.plots.mkdir(parents=True, exist_ok=True)
        write_charts(report, arguments.plots)
    if arguments.sheet is not None and clips:
        left_out += write_sheet(arguments.sheet, clips[: arguments.sheet_rows], methods)
    for clip in clips if arguments.panels is not None else ():
        try:
            write_panels(arguments.panels, clip)
        except InputError as error:
            left_out.append(LeftOut(f"{clip[0].id} in {arguments.panels}", str(error)))
    return left_out

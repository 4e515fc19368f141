"""`asccl evaluate`: measure generated videos, print tables, and write a report, charts, a sheet and videos."""

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

STAGE_SHARES = {"real": 0.15, "clips": 0.85, "done": 0.0}
DEFAULT_DRAWS = 1000
MAX_LISTED = 30  # lines of what was left out
DEFAULT_SHEET_ROWS = 12
SUMMARY = """\
Measure the generated videos of a manifest (CSV or JSONL) and print a table per setting, with 95 % intervals over clips
and the differences of methods on the same clips. The rows `copy` (the source itself) and `shuffled` (its second half
before its first) are added. Measures whose weights are missing are marked; clips that cannot be measured are listed.
A stopped run continues with the same command: results of clips are kept beside the report.
"""
EXAMPLES = """\
columns of a manifest: id, setting (intra-id or cross-id), emotion, speaker, method, source, generated, reference,
  real (videos of the speaker for FAD, separated by ";"), offset (generated frame t shows source frame t + offset: a
  number or `auto`). FILE#0 to FILE#3 name one of four panels of a file. id, setting and source must be filled in.

examples:
  %(prog)s edits.csv -o report.jsonl
  %(prog)s edits.csv -o report.jsonl --measures csim,lip-correlation --format latex --by-emotion
  %(prog)s edits.csv -o report.jsonl --sheet sheet.png --panels videos --plots charts

exit status: 0 done, 2 bad arguments, 3 done without some rows or clips, 1 any other failure, 130 stopped with Ctrl-C.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `evaluate` and its arguments."""
    parser = subparsers.add_parser(
        "evaluate", help="measure generated videos and compare methods", description=SUMMARY, epilog=EXAMPLES
    )
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="CSV or JSONL file, see below")
    parser.add_argument("-o", "--output", metavar="REPORT.jsonl", type=Path, help="write the report as JSON lines")
    parser.add_argument(
        "--measures",
        metavar="NAMES",
        action=_MeasureNames,
        help="comma-separated; default: all. `--measures help` lists them",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="KIND=FILE",
        help="an imported file for the measures that need it; may be repeated",
    )
    parser.add_argument(
        "--tracker",
        choices=("mediapipe", "insightface"),
        default="mediapipe",
        help="detects faces; insightface needs the extra [insightface], and its models are for non-commercial research;"
        " default %(default)s",
    )
    parser.add_argument(
        "--embedder",
        choices=("mobilefacenet", "arcface"),
        default="mobilefacenet",
        help="recognizes people in `identity`; arcface, of InsightFace, gives `fad-arcface`, too; default %(default)s",
    )
    parser.add_argument(
        "--insightface-pack",
        metavar="NAME",
        help="model pack in ~/.insightface/models, which is downloaded if it is missing; default buffalo_l",
    )
    parser.add_argument(
        "--shards",
        type=Path,
        metavar="DIR",
        help="keep the results of single clips here; default: REPORT.shards beside the report, without -o nowhere",
    )
    parser.add_argument(
        "--draws", type=int, default=DEFAULT_DRAWS, metavar="N", help="bootstrap draws; default %(default)s"
    )
    tables = parser.add_argument_group("tables and pictures")
    tables.add_argument(
        "--format", default="markdown", metavar="NAME", help="markdown, latex or csv; default: markdown"
    )
    tables.add_argument("--by-emotion", action="store_true", help="print a table per measure with a row per emotion")
    tables.add_argument("--plots", type=Path, metavar="DIR", help="write bar charts (PNG, SVG) into this folder")
    tables.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE.png",
        help="write a sheet like Figure 5: a row per clip; source, reference and methods at the frame in which the lips"
        " of the source are open widest",
    )
    tables.add_argument(
        "--sheet-rows", type=int, default=DEFAULT_SHEET_ROWS, metavar="N", help="clips in it; default %(default)s"
    )
    tables.add_argument(
        "--panels", type=Path, metavar="DIR", help="write a video per clip with all methods side by side, with sound"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


class _MeasureNames(argparse.Action):
    """Keeps the names of measures; `help` prints all names and exits, with or without a manifest."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if values == "help":
            from asccl.evaluation.registry import MEASURES

            print("\n".join(MEASURES))
            parser.exit()
        setattr(namespace, self.dest, values)


def run(arguments: argparse.Namespace) -> int:
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
    for record in report.left_out[:MAX_LISTED]:
        print(f"asccl: {record['name']}: {record['reason']}", file=sys.stderr)
    if len(report.left_out) > MAX_LISTED:
        print(f"asccl: {len(report.left_out) - MAX_LISTED} more lines are in the report", file=sys.stderr)
    for line in describe_missing(report.protocol["missing_measures"]):
        print(f"asccl: {line}", file=sys.stderr)
    if arguments.output is not None:
        report.write(arguments.output)
    print(format_tables(report_tables(report, arguments.by_emotion), arguments.format), end="")
    unwritten = _write_pictures(arguments, manifest.rows, report)
    for entry in unwritten:
        print(f"asccl: {entry}", file=sys.stderr)
    return 3 if manifest.left_out or failures or unwritten else 0


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
    from asccl.zoo import describe_networks, load_networks

    pack = _load_pack(arguments)
    networks = load_networks(weights, pack.embed if pack is not None and arguments.embedder == "arcface" else None)
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

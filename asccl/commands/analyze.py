"""`asccl analyze`: compare pairs of files, print how similar they are, and write reports and charts."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.commands.console import InterruptHandler, ReportWriter, print_cancelled, print_error, progress_bar
from asccl.errors import CancelledError, SettingError

if TYPE_CHECKING:
    from asccl.analysis.clip_pairs import EmotionPair
    from asccl.analysis.correlation import AnalysisSettings
    from asccl.analysis.result import CorrelationResult

STAGE_SHARES = {"open": 0.0, "source": 0.25, "generated": 0.25, "pair": 0.0, "compare": 0.5, "done": 0.0}  # of the time
MAPPING_LABELS = {
    "trained": "trained mapping",
    "untrained": "untrained mapping",
    "bare": "no mapping",
}  # by key of the report
SUMMARY = """\
Measure how well a generated video preserves what its source says: mean similarity (cosine along the channels) and
Pearson coefficient of the visual disparities of corresponding and of non-corresponding face regions, eq. 1 of the
paper, on four feature maps, with and without the mapping. SOURCE and GENERATED are two videos or two stills.
With a folder alone, its clips are paired by the emotions in their names, as in Figures 2 and 6 of the paper.
"""
EXAMPLES = """\
examples:
  %(prog)s talk.mp4 talk-happy.mp4                  # an edit of talk.mp4, frame by frame
  %(prog)s neutral.mp4 happy.mp4 --pair sound       # two takes, paired by their sound
  %(prog)s talk.mp4 talk-happy.mp4 -o report.json --plots charts
  %(prog)s clips                                    # clips/talk-neutral.mp4, clips/talk-happy.mp4, ...

exit status: 0 done, 2 bad arguments, 3 bad input, 1 any other failure, 130 stopped with Ctrl-C.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `analyze` and its arguments."""
    parser = subparsers.add_parser(
        "analyze",
        help="measure how well a generated video preserves the speech of its source",
        description=SUMMARY,
        epilog=EXAMPLES,
    )
    parser.add_argument("source", metavar="SOURCE", help="video or still; or a folder of clips named by emotion")
    parser.add_argument("generated", nargs="?", metavar="GENERATED", help="an edit of the source, or another take")
    parser.add_argument("-o", "--output", metavar="REPORT.json", help="write the report as JSON; - for stdout")
    parser.add_argument(
        "--plots",
        metavar="DIR",
        help="write charts (HTML, PNG, SVG) and tables (CSV) into this folder",
    )
    parser.add_argument("--metric", default="scc-mobilefacenet", metavar="NAME", help="weights; default: %(default)s")
    parser.add_argument(
        "--pair",
        default="auto",
        metavar="HOW",
        help="how frames are paired: time (an edit: the same times), sound or mouth (another take: warped in time); "
        "default: auto, by length and head position",
    )
    parser.add_argument(
        "--align",
        default="auto",
        metavar="HOW",
        help="how faces are aligned: place (both are cropped at the source's face) or landmarks (the generated face is "
        "rotated to the source's pose first); default: auto",
    )
    parser.add_argument("--stride", type=int, metavar="N", help="compare every N-th frame; default: about 300 frames")
    parser.add_argument(
        "--offset", type=float, default=0.0, metavar="S", help="seconds by which GENERATED runs ahead; default 0"
    )
    parser.add_argument("--face", type=int, metavar="N", help="which person of SOURCE; default: the largest")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare one pair, or all pairs of a folder. Returns the highest exit status."""
    folder = Path(arguments.source)
    has_several = arguments.generated is None
    if has_several and not folder.is_dir():
        raise SettingError("only one file is given", "give SOURCE and GENERATED, or one folder of clips")
    if arguments.plots is not None and Path(arguments.plots).exists() and not Path(arguments.plots).is_dir():
        raise SettingError(f"{arguments.plots} is a file", "give a folder after --plots")
    from asccl.analysis.clip_pairs import EmotionPair, find_pairs

    settings = _build_settings(arguments)
    pairs = (
        find_pairs(folder) if has_several else [EmotionPair(folder, Path(arguments.generated), "source – generated")]
    )
    with ReportWriter(arguments.output, has_several, format_report) as report, InterruptHandler() as interrupts:
        inputs = {path.resolve() for pair in pairs for path in (pair.source, pair.generated)}
        if report.path is not None and report.path.resolve() in inputs:
            raise SettingError(f"{report.path.name} is read and cannot be the report as well", "choose another name")
        status, results = 0, []
        for pair in pairs:
            try:
                result = _compare(pair, settings, interrupts)
            except CancelledError:
                return print_cancelled(interrupts.signal_number)
            except Exception as error:
                error_status = print_error(error, arguments.debug)
                status = max(status, error_status)
                report.add_error(pair.generated, error, error_status)
            else:
                results.append((pair.label, result))
                report.add_result(pair.generated, {"pair": pair.label, **result.report()})
        if arguments.plots is not None and results:
            _write_plots(results, Path(arguments.plots))
        return status


def _build_settings(arguments: argparse.Namespace) -> AnalysisSettings:
    from asccl.analysis.correlation import AnalysisSettings

    return AnalysisSettings(
        pairing=arguments.pair,
        alignment=arguments.align,
        stride=arguments.stride,
        offset=arguments.offset,
        face=arguments.face,
        metric=arguments.metric,
    )


def _compare(pair: EmotionPair, settings: AnalysisSettings, interrupts: InterruptHandler) -> CorrelationResult:
    from asccl.analysis.correlation import analyze

    with progress_bar(pair.generated.name, STAGE_SHARES, interrupts) as progress:
        return analyze(pair.source, pair.generated, settings, progress)


def _write_plots(results: list[tuple[str, CorrelationResult]], folder: Path) -> None:
    """Write the charts of all results; the files appear in the folder together, once all are complete."""
    from asccl.analysis.export import write_plots
    from asccl.files import explain_write_error

    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".plots-", dir=folder) as temporary:
            write_plots(results, Path(temporary))
            for path in sorted(Path(temporary).iterdir()):
                os.replace(path, folder / path.name)
    except OSError as error:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
        raise explain_write_error(folder, error) from error


def format_report(output: Path, report: dict[str, Any]) -> str:
    """Format a report: a few lines for a terminal, else one line separated by tabs."""
    rows = [
        (f"{MAPPING_LABELS[heads]}, {label}", _format_means(similarity["overall"][measure]))
        for measure, label in (("cosine", "cosine"), ("pearson", "Pearson"))
        for heads, similarity in report["similarity"].items()
    ]
    settings, frames = report["settings"], report["frames"]
    if frames["paired"] == 1:
        compared = "one still each"
    else:
        compared = f"{frames['compared']} frames, paired by {settings['pairing']}"
    rows.append(("compared", f"{compared}, aligned by {settings['alignment']}"))
    if sys.stdout.isatty():
        return "\n".join([f"{output}  ({report['pair']})", *(f"  {label:24} {text}" for label, text in rows)])
    return "\t".join([str(output), report["pair"], *(f"{label} {text}" for label, text in rows)])


def _format_means(similarity: dict[str, Any]) -> str:
    corresponding, non_corresponding = similarity["corresponding"], similarity["non_corresponding"]
    return (
        f"corresponding {corresponding['mean']:.3f} ± {corresponding['deviation']:.3f}, "
        f"non-corresponding {non_corresponding['mean']:.3f} ± {non_corresponding['deviation']:.3f}"
    )

"""`asccl edit`: edit videos or stills one after another, show the progress, and report the metrics of each edit."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.commands.console import (
    EXIT_STATUS,
    InterruptHandler,
    ReportWriter,
    print_cancelled,
    print_error,
    progress_bar,
)
from asccl.commands.edit_outputs import OverwriteGuard, name_output, resolve_output
from asccl.commands.edit_report import format_report
from asccl.commands.edit_table import TableWriter
from asccl.commands.expression_options import add_expression_arguments, expression_settings
from asccl.errors import CancelledError
from asccl.types import EMOTIONS, GENERATORS, EditRequest, EditResult

if TYPE_CHECKING:  # the editor takes a second to import: not before the arguments have been checked
    from asccl.editing.editor import Editor

STAGE_SHARES = {"open": 0.0, "track": 0.4, "fit": 0.05, "render": 0.55, "done": 0.0}  # of the time, on a long clip
SUMMARY = """\
Change the emotion of the face in a video or a still. Sound, size, frame rate and everything but the face stay as they
are. The output file appears complete or not at all, and replaces an existing file of the same name. Its metadata say
that it was edited. Only edit faces that you may edit.
"""
EXAMPLES = f"""\
examples:
  %(prog)s talk.mp4 --emotion happy                      # writes talk-happy.mp4 beside it
  %(prog)s talk.mp4 --emotion sad --intensity 0.6 -o sadder.mp4
  %(prog)s talk.mp4 --emotion angry --start 2 --end 4.5  # seconds; fades in and out
  %(prog)s talk.mp4 --reference cousin.jpg               # the emotion that another face shows
  %(prog)s talk.mp4 --emotion happy --mix surprised:0.3 --adjust brows=0.4,lips_apart=-0.5
  %(prog)s talk.mp4 --emotion sad --keyframes curve.csv  # lines such as 0,0 and 1.5,1: seconds and intensity
  %(prog)s talk.mp4 --preset wistful.json                # an expression saved by the app
  %(prog)s *.mp4 --emotion surprised -o out --json out/report.json --table out/table.csv
  %(prog)s portrait.jpg --emotion fear --json -          # report to stdout
  %(prog)s talk.mp4 --emotion sad --generator icface --renderer icface.safetensors

emotions: {", ".join(EMOTIONS)}

{EXIT_STATUS}"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `edit` and its arguments."""
    parser = subparsers.add_parser(
        "edit", help="change the emotion of videos or stills", description=SUMMARY, epilog=EXAMPLES
    )
    parser.add_argument("inputs", nargs="+", metavar="IN", help="video or still that shows a face")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT|DIR",
        help="file to write; or a folder, created if missing, for files named after IN and the emotion. Several inputs "
        "need a folder. Default: beside IN",
    )
    _add_target_arguments(parser)
    _add_method_arguments(parser)
    reports = parser.add_argument_group("reports")
    reports.add_argument(
        "--json",
        metavar="REPORT",
        help="write the metrics as JSON, - for stdout: one object; for several inputs a list in their order, where a "
        "failed one has the key `error`",
    )
    reports.add_argument(
        "--table", metavar="FILE", help="write a CSV table with a row for each input: metrics, or why it failed"
    )
    reports.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def _add_target_arguments(parser: argparse.ArgumentParser) -> None:
    target = parser.add_argument_group("what to change (an emotion, a reference, or both)")
    target.add_argument("--emotion", metavar="NAME", help="one of the emotions listed below")
    target.add_argument("--reference", metavar="FILE", help="video or still of any person who shows the emotion")
    add_expression_arguments(target)
    target.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds from the first frame; default 0")
    target.add_argument("--end", type=float, metavar="S", help="seconds from the first frame; default: the end")
    target.add_argument(
        "--face",
        type=_parse_face,
        metavar="largest|N",
        help="which person; 0 is the largest face; default: largest",
    )


def _add_method_arguments(parser: argparse.ArgumentParser) -> None:
    method = parser.add_argument_group("how to change it")
    method.add_argument(
        "--generator",
        default=GENERATORS[0],
        metavar="NAME",
        help=f"{', '.join(GENERATORS[:-1])} or {GENERATORS[-1]}; default {GENERATORS[0]}",
    )
    method.add_argument(
        "--renderer",
        metavar="FILE|OWNER/NAME",
        help="for ned: the neural renderer trained on this person, or its Hub repository; default: the renderer in the "
        "folder `renderers` beside the weights that was trained on this person; without one, frames are warped. For "
        "icface: its networks, of `import-weights icface` or training/train_icface.py; default: those in that folder",
    )
    method.add_argument(
        "--manipulator",
        metavar="FILE|OWNER/NAME",
        help="for ned: its first stage, or its Hub repository; default: the bundled one",
    )
    method.add_argument(
        "--controls",
        metavar="FILE",
        help="for icface: csv of OpenFace 2 that measures the face of IN; default: the units of the head model",
    )
    method.add_argument(
        "--device", default="cpu", metavar="NAME", help="where networks of ned and icface run: cpu or cuda; default cpu"
    )
    method.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="index of a natural variant of the emotion; default 0, the plain preset",
    )
    method.add_argument(
        "--adapt",
        choices=("on", "off"),
        default="on",
        help="fit the preset to this face, which takes some seconds; off applies the same table to every face; default "
        "on. For ned it has no effect",
    )
    method.add_argument("--badge", action="store_true", help="print a small visible mark into a corner")


def run(arguments: argparse.Namespace) -> int:
    """Edit all inputs, one after another. Returns the highest exit status."""
    expression = expression_settings(arguments)
    requests = [_build_request(arguments, source, expression) for source in arguments.inputs]
    has_several = len(requests) > 1
    with (
        resolve_output(arguments.output, has_several) as (file, folder),
        ReportWriter(arguments.json, has_several, format_report) as report,
        TableWriter(arguments.table) as table,
        InterruptHandler() as interrupts,
    ):
        from asccl.editing.editor import Editor
        from asccl.editing.threads import limit_threads

        limit_threads()
        editor, status = Editor(device=arguments.device), 0
        guard = OverwriteGuard(requests, [path for path in (report.path, table.path) if path])
        for request in requests:
            try:
                output = guard.claim(request, file or name_output(editor, request, folder))
                result = _edit(editor, replace(request, output=output), interrupts)
            except CancelledError:
                return print_cancelled(interrupts.signal_number)
            except Exception as error:
                error_status = print_error(error, arguments.debug)
                status = max(status, error_status)
                report.add_error(request.source, error, error_status)
                table.add_error(request.source, error)
            else:
                report.add_result(result.output, result.report)
                table.add_result(request.source, result.output, result.report)
        return status


def _parse_face(text: str) -> int | None:
    if text == "largest":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither `largest` nor a number") from None


def _weights_file(text: str | None) -> Path | None:
    """Return a file as it is, and the downloaded file of a Hub repository. Raises WeightsError."""
    from asccl import hub

    if text is None or Path(text).exists() or not hub.is_repository(text):
        return None if text is None else Path(text)
    return hub.resolve(text)


def _build_request(arguments: argparse.Namespace, source: str, expression: dict[str, Any]) -> EditRequest:
    return EditRequest(
        source=Path(source),
        reference=arguments.reference,
        start=arguments.start,
        end=arguments.end,
        face=arguments.face,
        generator=arguments.generator,
        renderer=_weights_file(arguments.renderer),
        manipulator=_weights_file(arguments.manipulator),
        controls=arguments.controls,
        badge=arguments.badge,
        adapt=arguments.adapt == "on",
        **expression,
    )


def _edit(editor: Editor, request: EditRequest, interrupts: InterruptHandler) -> EditResult:
    with progress_bar(request.source.name, STAGE_SHARES, interrupts) as progress:
        return editor.edit(request, progress)

"""`asccl evaluate`: its options; `evaluate_actions` has what it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from asccl.commands import evaluate_actions

DEFAULT_DRAWS = 1000
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
    _add_table_arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=evaluate_actions.evaluate)


def _add_table_arguments(parser: argparse.ArgumentParser) -> None:
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

"""`asccl inspect`: tell whether files were edited, by what, how strongly, and whether their signatures hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from asccl.commands.console import EXIT_STATUS, print_error

SUMMARY = """\
Tell whether a file was edited, by what, how strongly, and whether its C2PA signature holds and whose it is. Reads the
signed manifest and the metadata; opens no connection. A file without either may be edited all the same.
"""
EXAMPLES = f"""\
examples:
  %(prog)s talk-happy.mp4
  %(prog)s *.mp4 --json

{EXIT_STATUS}"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `inspect` and its arguments."""
    parser = subparsers.add_parser(
        "inspect", help="tell whether files were edited and signed", description=SUMMARY, epilog=EXAMPLES
    )
    parser.add_argument("inputs", nargs="+", metavar="FILE", help="video or still")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line instead of sentences")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Inspect all files, one after another. Returns the highest exit status."""
    from asccl.provenance.inspection import inspect_file
    from asccl.provenance.inspection_text import describe_inspection

    status = 0
    for name in arguments.inputs:
        try:
            inspection = inspect_file(Path(name))
        except Exception as error:
            status = max(status, print_error(error, arguments.debug))
            continue
        if arguments.json:
            print(json.dumps(inspection.to_json()))
        else:
            lines = [f"  {label:10} {text}" for label, text in describe_inspection(inspection).items()]
            print("\n".join([name, *lines]))
    return status

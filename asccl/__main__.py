"""The command line: `asccl edit talk.mp4 --emotion happy`, or `python -m asccl edit ...`.

Nothing heavy is imported before a command starts its work, so that help and bad arguments answer at once.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from asccl import __version__
from asccl.commands import analyze, edit, evaluate, import_weights, inspect, protocol, publish, study
from asccl.commands.console import Parser, print_cancelled, print_error
from asccl.commands.output_streams import describe_failure, lenient_streams

SUMMARY = """\
Change the emotion on a talking face and keep the person and the speech. Runs on an ordinary CPU, without a network.
"""
EXAMPLES = """\
examples:
  %(prog)s edit talk.mp4 --emotion happy
  %(prog)s analyze talk.mp4 talk-happy.mp4
  %(prog)s inspect talk-happy.mp4
  %(prog)s edit --help
  %(prog)s import-weights --help
"""


def build_parser() -> Parser:
    """Build the parser of all commands.

    Returns:
        A parser whose result has the field `run`, a function from the parsed arguments to the exit status.
    """
    parser = Parser(prog=_program_name(), description=SUMMARY, epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"asccl {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for command in (edit, analyze, evaluate, protocol, import_weights, inspect, publish, study):
        command.add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name. None takes those of the process.

    Returns:
        The exit status.
    """
    with lenient_streams() as files:
        status = _run_command(argv)
        sys.stdout.flush()
        if (failure := describe_failure(files["stdout"]) if "stdout" in files else None) is not None:
            print(f"asccl: {failure}", file=sys.stderr)
            status = status or 1
    return status


def _run_command(argv: list[str] | None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return print_cancelled()
    except Exception as error:
        return print_error(error, arguments.debug)


def _program_name() -> str:
    """How this process was started: by the console script, or as a module."""
    return "asccl" if Path(sys.argv[0]).stem == "asccl" else "python -m asccl"


def run_program() -> int:
    """Run the command of this process; the entry point of the console script `asccl`. Returns the exit status."""
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would interrupt the end of the interpreter
    return status


if __name__ == "__main__":
    raise SystemExit(run_program())

"""The command line: `python -m asccl edit talk.mp4 --emotion happy`. Nothing heavy is imported before work begins."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from asccl import __version__
from asccl.commands import analyze, study
from asccl.commands import edit as edit_command
from asccl.interop.kinds import KINDS
from asccl.types import EMOTIONS, GENERATORS, INTENSITY_RANGE

EXIT_STATUS = """\
exit status:
  0    done
  2    bad arguments
  3    bad input: no face, unreadable, too large
  1    anything else, for instance a full disk
  130  stopped with Ctrl-C (143: by `kill`)
  Several inputs: a bad one is reported and the others go on; the highest status counts.
"""
ABOUT = """\
Change the emotion on a talking face; the person and the speech stay. Runs on a plain CPU, without a network.
"""
EXAMPLES = """\
examples:
  python -m asccl edit talk.mp4 --emotion happy
  python -m asccl analyze talk.mp4 talk-happy.mp4
  python -m asccl edit --help
  python -m asccl import-weights --help
"""
ABOUT_EDIT = """\
Change the emotion of a talking video or a still. Sound, size, frame rate and everything but the face stay as they
are. The output appears whole or not at all; one that is there already is replaced. Its metadata say that it was
edited. Only edit faces that you may edit.
"""
EXAMPLES_EDIT = f"""\
examples:
  python -m asccl edit talk.mp4 --emotion happy                      # writes talk-happy.mp4 beside it
  python -m asccl edit talk.mp4 --emotion sad --intensity 0.6 -o sadder.mp4
  python -m asccl edit talk.mp4 --emotion angry --start 2 --end 4.5  # seconds; fades in and out
  python -m asccl edit talk.mp4 --reference cousin.jpg               # the emotion that another face shows
  python -m asccl edit *.mp4 --emotion surprised -o out --json out/report.json
  python -m asccl edit portrait.jpg --emotion fear --json -          # report to stdout

emotions: {", ".join(EMOTIONS)}

{EXIT_STATUS}"""
ABOUT_IMPORT = """\
Turn a checkpoint that others published into a safetensors file of ours. You bring the file, and keep to its licence.
Names and shapes are checked; nothing in the file is executed. The output appears whole or not at all.
"""
EXAMPLES_IMPORT = f"""\
kinds:
{"".join(f"  {kind.name:12} {kind.about}" + chr(10) for kind in KINDS.values())}
examples:
  python -m asccl import-weights scc metric.pth -o scc-iresnet50.safetensors
  python -m asccl import-weights arcface w600k_r50.onnx -o arcface.safetensors   # pip install -e '.[import]' first
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error here."""

    def error(self, message: str) -> NoReturn:
        print(f"asccl: {message}: see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    """All commands. `run` of what it parses takes the parsed arguments and returns the exit status."""
    parser = _Parser(
        prog="python -m asccl",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"asccl {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_edit(commands)
    analyze.add(commands)
    _add_import(commands)
    study.add(commands)
    return parser


def _add_edit(commands: argparse._SubParsersAction) -> None:
    low, high = INTENSITY_RANGE
    edit = commands.add_parser(
        "edit",
        help="change the emotion of videos or stills",
        description=ABOUT_EDIT,
        epilog=EXAMPLES_EDIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    edit.add_argument("inputs", nargs="+", metavar="IN", help="video or still that shows a face")
    edit.add_argument(
        "-o",
        "--output",
        metavar="OUT|DIR",
        help="file to write; or a folder, made when missing, for IN's name with the emotion added. Several inputs "
        "need a folder. Default: beside IN",
    )
    what = edit.add_argument_group("what to change (at least one of the first two; both together work, too)")
    what.add_argument("--emotion", metavar="NAME", help="one of the emotions listed below")
    what.add_argument("--reference", metavar="FILE", help="video or still of anybody who shows the wanted emotion")
    what.add_argument(
        "--intensity", type=float, default=1.0, metavar="X", help=f"{low:g} (nothing) to {high:g}; default 1"
    )
    what.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds from the first frame; default 0")
    what.add_argument("--end", type=float, metavar="S", help="seconds from the first frame; default: the end")
    what.add_argument(
        "--face",
        type=_face,
        metavar="largest|N",
        help="which person, 0 being the largest face; default: largest",
    )
    how = edit.add_argument_group("how")
    how.add_argument(
        "--generator", default=GENERATORS[0], metavar="NAME", help=f"{' or '.join(GENERATORS)}; default {GENERATORS[0]}"
    )
    how.add_argument(
        "--renderer",
        metavar="FILE",
        help="for ned: the neural renderer that was taught this person; default: one that fits from the folder "
        "renderers beside the weights, else frames are warped",
    )
    how.add_argument(
        "--device", default="cpu", metavar="NAME", help="where that renderer runs: cpu or cuda; default cpu"
    )
    how.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another natural variant of the emotion; default 0"
    )
    how.add_argument("--badge", action="store_true", help="print a small visible mark into a corner")
    told = edit.add_argument_group("what to tell")
    told.add_argument(
        "--json",
        metavar="REPORT",
        help="write the read-out as JSON, - for stdout: one object; for several inputs a list in their order, where "
        "a failed one has the key `error`",
    )
    told.add_argument("--debug", action="store_true", help="show the traceback of an error")
    edit.set_defaults(run=edit_command.edit)


def _add_import(commands: argparse._SubParsersAction) -> None:
    importer = commands.add_parser(
        "import-weights",
        help="convert a published checkpoint",
        description=ABOUT_IMPORT,
        epilog=EXAMPLES_IMPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    importer.add_argument("kind", metavar="KIND", help="what the file is; listed below")
    importer.add_argument("file", metavar="FILE", help="the checkpoint")
    importer.add_argument("-o", "--output", required=True, metavar="OUT.safetensors", help="file to write")
    importer.add_argument("--debug", action="store_true", help="show the traceback of an error")
    importer.set_defaults(run=edit_command.import_weights)


def _face(text: str) -> int | None:
    if text == "largest":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither `largest` nor a number") from None


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        return edit_command.print_cancelled()
    except Exception as error:
        return edit_command.print_error(error, arguments.debug)


if __name__ == "__main__":
    raise SystemExit(main())

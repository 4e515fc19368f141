"""`asccl study`: its commands and their options; `study_actions` has what they do."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from asccl.commands import study_actions
from asccl.types import EMOTIONS

SUMMARY = """\
User studies: which of two or more methods do people prefer? Studies are kept in ASCCL_STUDY_DIR (a folder), or with
ASCCL_STUDY_DB=postgresql://... in PostgreSQL.
"""
EXAMPLES = """\
examples:
  %(prog)s create clips --title "Which edit is better?"   # prints the study's ID
  %(prog)s link ID --count 25                             # 25 personal links
  %(prog)s link ID --open                                 # one link with which anybody may join
  python app.py --study-only                              # serves the pages
  %(prog)s status ID
  %(prog)s results ID --format latex -o table3.tex
"""
Command = Callable[[argparse.Namespace], int]  # arguments -> exit status


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `study` and its own commands."""
    parser = subparsers.add_parser("study", help="run a user study", description=SUMMARY, epilog=EXAMPLES)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_create(commands)
    _add_edits(commands)
    _add_link(commands)
    status = _add_command(commands, "status", "print how far studies are", study_actions.print_status)
    status.add_argument("study", nargs="?", metavar="ID", help="default: all studies")
    _add_results(commands)
    export = _add_study_command(commands, "export", "write all answers, one per line", study_actions.export_answers)
    _add_output(export, ["csv", "jsonl"])
    export.add_argument("--participants", action="store_true", help="write one line per participant instead, as CSV")
    delete = _add_study_command(
        commands, "delete", "delete one participant with all answers, or a whole study", study_actions.delete
    )
    delete.add_argument("who", metavar="WHO", nargs="?", help="link, id, label or completion code of the participant")
    delete.add_argument("--all", action="store_true", help="delete the whole study with its clips instead")
    delete.add_argument("--yes", action="store_true", help="with --all: do not ask for the title of the study")
    close = _add_study_command(commands, "close", "accept no more answers", study_actions.close_study)
    close.add_argument("--again", action="store_true", help="open the study again instead")
    backup = _add_command(
        commands, "backup", "write everything into one ZIP, while the app runs", study_actions.write_backup
    )
    backup.add_argument("output", metavar="FILE.zip", help="file to write")
    backup.add_argument("--no-clips", action="store_true", help="leave the clips out")
    restore = _add_command(commands, "restore", "restore a backup into an empty store", study_actions.restore_backup)
    restore.add_argument("source", metavar="FILE.zip", help="written by `backup`")
    _add_command(
        commands,
        "secret",
        "generate a new administrator's secret; the old one becomes void",
        study_actions.renew_secret,
    )


def _add_command(
    commands: argparse._SubParsersAction, name: str, summary: str, run: Command
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def _add_study_command(
    commands: argparse._SubParsersAction, name: str, summary: str, run: Command
) -> argparse.ArgumentParser:
    parser = _add_command(commands, name, summary, run)
    parser.add_argument("study", metavar="ID", help="of the study, as `create` and `status` print it")
    return parser


def _add_create(commands: argparse._SubParsersAction) -> None:
    create = _add_command(commands, "create", "create a study from clips", study_actions.create)
    create.add_argument("clips", metavar="FOLDER|MANIFEST", help="a folder of items, a .csv or a .jsonl; docs/study.md")
    create.add_argument("--plan", metavar="FILE.toml", help="questions, design, consent, rules; docs/study.md")
    create.add_argument("--title", metavar="TITLE", help="as participants see it; replaces the title of the plan")


def _add_edits(commands: argparse._SubParsersAction) -> None:
    edits = _add_command(
        commands, "edits", "create a study's clips by editing videos in several ways", study_actions.create_from_edits
    )
    edits.add_argument("sources", nargs="+", metavar="VIDEO", help="to edit")
    edits.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="where to write the clips, for `create FOLDER`"
    )
    edits.add_argument(
        "--emotion",
        action="append",
        required=True,
        metavar="NAME",
        help=f"target emotion; may be repeated: {', '.join(EMOTIONS)}",
    )
    edits.add_argument(
        "--method",
        action="append",
        required=True,
        metavar="NAME=GENERATOR@X",
        help="name, generator and intensity of a method, for instance mild=warp@0.5; give two or more",
    )
    edits.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="VIDEO",
        help="video shown for the question about the emotion, named after it: happy.mp4; may be repeated",
    )


def _add_link(commands: argparse._SubParsersAction) -> None:
    link = _add_study_command(commands, "link", "create or revoke links for participants", study_actions.create_links)
    link.add_argument("--count", type=int, metavar="N", help="create N personal links")
    link.add_argument("--labels", metavar="FILE", help="create a personal link for each line of a text file")
    link.add_argument("--open", action="store_true", help="create a new open link, with which anybody may join")
    link.add_argument("--no-open", action="store_true", help="revoke the open link")
    link.add_argument("--revoke", metavar="WHO", help="revoke a personal link; the answers stay")
    link.add_argument("--url", help="address of the app; default: ASCCL_STUDY_URL, a name of ASCCL_HOSTS, this machine")


def _add_results(commands: argparse._SubParsersAction) -> None:
    results = _add_study_command(
        commands, "results", "write rates, intervals, tests, agreement and checks", study_actions.write_results
    )
    _add_output(results, ["markdown", "latex", "json"])
    results.add_argument(
        "--half-width",
        type=float,
        default=0.05,
        metavar="X",
        help="of the interval for which the number of additional answers is computed; default: %(default)s",
    )
    results.add_argument("--charts", metavar="DIR", help="also write an SVG for each question and pair of methods")


def _add_output(parser: argparse.ArgumentParser, formats: list[str]) -> None:
    parser.add_argument("--format", choices=formats, default=formats[0], help="default: %(default)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="file to write; default: stdout")

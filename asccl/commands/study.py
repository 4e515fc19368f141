"""`asccl study`: create user studies, send links, watch the progress, read the results."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from asccl.errors import OutputError, SettingError, StudyError
from asccl.types import EMOTIONS

if TYPE_CHECKING:
    from asccl.study.store import Store

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
    status = _add_command(commands, "status", "print how far studies are", _status)
    status.add_argument("study", nargs="?", metavar="ID", help="default: all studies")
    _add_results(commands)
    export = _add_study_command(commands, "export", "write all answers, one per line", _export)
    _add_output(export, ["csv", "jsonl"])
    export.add_argument("--participants", action="store_true", help="write one line per participant instead, as CSV")
    delete = _add_study_command(commands, "delete", "delete one participant with all answers, on request", _delete)
    delete.add_argument("who", help="link, id, label or completion code")
    close = _add_study_command(commands, "close", "accept no more answers", _close)
    close.add_argument("--again", action="store_true", help="open the study again instead")
    backup = _add_command(commands, "backup", "write everything into one ZIP, while the app runs", _backup)
    backup.add_argument("output", metavar="FILE.zip")
    backup.add_argument("--no-clips", action="store_true", help="leave the clips out")
    restore = _add_command(commands, "restore", "restore a backup into an empty store", _restore)
    restore.add_argument("source", metavar="FILE.zip")
    _add_command(commands, "secret", "generate a new administrator's secret; the old one becomes void", _secret)


def _add_command(
    commands: argparse._SubParsersAction, name: str, summary: str, run: Command
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
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
    create = _add_command(commands, "create", "create a study from clips", _create)
    create.add_argument("clips", metavar="FOLDER|MANIFEST", help="a folder of items, a .csv or a .jsonl; docs/study.md")
    create.add_argument("--plan", metavar="FILE.toml", help="questions, design, consent, rules; docs/study.md")
    create.add_argument("--title", help="as participants see it; replaces the title of the plan")


def _add_edits(commands: argparse._SubParsersAction) -> None:
    edits = _add_command(commands, "edits", "create a study's clips by editing videos in several ways", _edits)
    edits.add_argument("sources", nargs="+", metavar="VIDEO")
    edits.add_argument("-o", "--output", required=True, metavar="FOLDER", help="the clips, for `create FOLDER`")
    edits.add_argument("--emotion", action="append", required=True, metavar="NAME", help=", ".join(EMOTIONS))
    edits.add_argument(
        "--method", action="append", required=True, metavar="NAME=GENERATOR@X", help="two or more: mild=warp@0.5"
    )
    edits.add_argument(
        "--reference", action="append", default=[], metavar="VIDEO", help="named after its emotion: happy.mp4"
    )


def _add_link(commands: argparse._SubParsersAction) -> None:
    link = _add_study_command(commands, "link", "create or revoke links for participants", _link)
    link.add_argument("--count", type=int, metavar="N", help="create N personal links")
    link.add_argument("--labels", metavar="FILE", help="create a personal link for each line of a text file")
    link.add_argument("--open", action="store_true", help="create a new open link, with which anybody may join")
    link.add_argument("--no-open", action="store_true", help="revoke the open link")
    link.add_argument("--revoke", metavar="WHO", help="revoke a personal link; the answers stay")
    link.add_argument("--url", help="address of the app; default: ASCCL_STUDY_URL, a name of ASCCL_HOSTS, this machine")


def _add_results(commands: argparse._SubParsersAction) -> None:
    results = _add_study_command(commands, "results", "write rates, intervals, tests, agreement and checks", _results)
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
    parser.add_argument("--format", choices=formats, default=formats[0])
    parser.add_argument("-o", "--output", metavar="FILE", help="default: stdout")


def _open_store() -> Store:
    from asccl.study.store import Store

    return Store()


def _open_existing_store() -> Store:
    """Open the store without creating one."""
    from asccl.study.store import default_folder, store_exists

    if not store_exists():
        raise StudyError(
            f"there are no studies in {default_folder()}", "create one with `study create`, or set ASCCL_STUDY_DIR"
        )
    return _open_store()


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr)


def _create(arguments: argparse.Namespace) -> int:
    from asccl.study.manifest import read_items
    from asccl.study.plan import read_plan
    from asccl.study.studies import create_study

    items = read_items(Path(arguments.clips))
    plan = read_plan(Path(arguments.plan) if arguments.plan else None, title=arguments.title)
    store = _open_store()
    study_id, warnings = create_study(store, plan, items, _print_progress)
    for warning in warnings:
        print(f"asccl: {warning}: participants might recognize the methods by this", file=sys.stderr)
    print(study_id)
    if store.secret_hash() is None:
        print(f"administrator's secret, shown only this once: {store.new_secret()}", file=sys.stderr)
    return 0


def _edits(arguments: argparse.Namespace) -> int:
    from asccl.study.edits import edit_clips, parse_method, references_by_emotion

    methods = [parse_method(text) for text in arguments.method]
    references = references_by_emotion([Path(path) for path in arguments.reference])
    sources, output = [Path(path) for path in arguments.sources], Path(arguments.output)
    from asccl.editing.editor import Editor
    from asccl.editing.threads import limit_threads

    limit_threads()
    edit_clips(Editor(), sources, arguments.emotion, methods, output, references, _print_progress)
    print(arguments.output)
    return 0


def _link(arguments: argparse.Namespace) -> int:
    from asccl.study.participants import find_participant, invite_participants, revoke_link
    from asccl.study.studies import renew_open_link
    from asccl.study.web.addresses import public_url

    store, study_id = _open_existing_store(), arguments.study
    root = f"{(arguments.url or public_url()).rstrip('/')}/study?s={study_id}&p="
    if arguments.revoke:
        revoke_link(store, study_id, find_participant(store, study_id, arguments.revoke))
        return 0
    if arguments.open or arguments.no_open:
        token = renew_open_link(store, study_id, enabled=arguments.open)
        print(root + token if token else "there is no open link now")
        return 0
    labels = _read_labels(Path(arguments.labels)) if arguments.labels else [""] * (arguments.count or 0)
    if not labels:
        raise SettingError("no links were asked for", "give --count, --labels or --open")
    for label, token in invite_participants(store, study_id, labels):
        print(f"{label}\t{root}{token}" if label else root + token)
    return 0


def _read_labels(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read ({error})", "check the name") from None
    return [line.strip() for line in lines if line.strip()]


def _status(arguments: argparse.Namespace) -> int:
    from asccl.study.participants import count_answers, list_participants
    from asccl.study.studies import list_studies, load_study
    from asccl.study.tables import format_range

    store = _open_existing_store()
    with store.read() as connection:
        studies = [load_study(connection, arguments.study)] if arguments.study else list_studies(connection)
        for study in studies:
            answers = count_answers(connection, study).values()
            state = "closed" if study.is_closed() else "open"
            counts = format_range(min(answers), max(answers))
            print(
                f"{study.id}\t{study.plan.title}\t{state}\t{sum(answers)} answers\t{len(answers)} pairs with "
                f"{counts} of {study.answers_needed()} answers each"
            )
            if arguments.study:
                for row in list_participants(store, connection, study.id):
                    print(f"  {row.id}\t{row.label}\t{row.stage}\t{row.answered} of {row.total}\t{row.code}")
    return 0


def _results(arguments: argparse.Namespace) -> int:
    from asccl.study import tables
    from asccl.study.charts import draw_chart
    from asccl.study.results import load_results

    if not 0 < arguments.half_width < 0.5:
        raise SettingError(f"--half-width {arguments.half_width} is out of range", "give more than 0, less than 0.5")
    results = load_results(_open_existing_store(), arguments.study, arguments.half_width)
    if arguments.format == "json":
        text = json.dumps(results, indent=2) + "\n"
    else:
        text = tables.markdown_report(results) if arguments.format == "markdown" else tables.latex_tables(results)
    _write_text(text, arguments.output)
    if arguments.charts:
        folder = Path(arguments.charts)
        folder.mkdir(parents=True, exist_ok=True)
        for number, pair in enumerate(tables.compared_methods(results), 1):
            for question in results["questions"]:
                chart = draw_chart(results, "kept", question, *pair)
                _write_text(chart + "\n", str(folder / f"{question}-{number}.svg"))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from asccl.study.export import participants_csv, votes_csv, votes_jsonl
    from asccl.study.studies import load_study

    store = _open_existing_store()
    with store.read() as connection:
        load_study(connection, arguments.study)
    export = votes_csv if arguments.format == "csv" else votes_jsonl
    export = participants_csv if arguments.participants else export
    _write_text(export(store, arguments.study), arguments.output)
    return 0


def _write_text(text: str, output: str | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output} cannot be written ({error.strerror})", "choose another folder") from None


def _delete(arguments: argparse.Namespace) -> int:
    from asccl.study.participants import delete_participant, find_participant

    store = _open_existing_store()
    participant_id = find_participant(store, arguments.study, arguments.who)
    print(f"deleted, with {delete_participant(store, arguments.study, participant_id)} answers")
    return 0


def _close(arguments: argparse.Namespace) -> int:
    from asccl.study.studies import set_closed

    set_closed(_open_existing_store(), arguments.study, not arguments.again)
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from asccl.study.export import write_backup

    count = write_backup(_open_existing_store(), Path(arguments.output), not arguments.no_clips)
    print(f"{arguments.output}: {count} answers. The file contains the key of all links: keep it safe")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from asccl.study.export import restore_backup

    print(f"{restore_backup(_open_store(), Path(arguments.source))} answers")
    return 0


def _secret(arguments: argparse.Namespace) -> int:
    print(_open_store().new_secret())
    if "ASCCL_STUDY_SECRET" in os.environ:
        print("asccl: ASCCL_STUDY_SECRET is set and is used instead", file=sys.stderr)
    return 0

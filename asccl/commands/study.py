"""`python -m asccl study ...`: the study commands and what they do. Nothing heavy is imported before one runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from asccl.errors import OutputError, SettingError, StudyError
from asccl.types import EMOTIONS

if TYPE_CHECKING:
    from asccl.study.store import Store

ADDRESS = "http://127.0.0.1:7860"
ABOUT = """\
User studies: which of two or more methods do people prefer? Make one, send links, watch it fill, read the result.
Studies are kept in ASCCL_STUDY_DIR (a folder), or with ASCCL_STUDY_DB=postgresql://... in PostgreSQL.
"""
EXAMPLES = """\
examples:
  python -m asccl study create clips --title "Which edit is better?"   # prints the study's id
  python -m asccl study link ID --count 25                             # 25 personal links
  python -m asccl study link ID --open                                 # one link for everybody
  python app.py --study-only                                           # serves the pages
  python -m asccl study status ID
  python -m asccl study results ID --format latex -o table3.tex
"""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds `study` and its own commands."""
    raw = argparse.RawDescriptionHelpFormatter
    study = commands.add_parser(
        "study", help="run a user study", description=ABOUT, epilog=EXAMPLES, formatter_class=raw, allow_abbrev=False
    )
    own = study.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def command(name: str, text: str, run, *, of_one: bool = True) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
        parser = own.add_parser(name, help=text, description=text, allow_abbrev=False)
        if of_one:
            parser.add_argument("study", metavar="ID", help="of the study, as `create` and `status` print it")
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
        parser.set_defaults(run=run)
        return parser

    _add_making(command)
    link = command("link", "make links for participants", _link)
    link.add_argument("--count", type=int, metavar="N", help="so many personal links")
    link.add_argument("--labels", metavar="FILE", help="one personal link for each line of a text file")
    link.add_argument("--open", action="store_true", help="a new open link, with which anybody may join")
    link.add_argument("--no-open", action="store_true", help="make the open link void")
    link.add_argument("--revoke", metavar="WHO", help="make a personal link void; the answers stay")
    address = os.environ.get("ASCCL_STUDY_URL", ADDRESS)
    link.add_argument("--url", default=address, help=f"where the app is reached; ASCCL_STUDY_URL; default {ADDRESS}")
    status = command("status", "how far studies are", _status, of_one=False)
    status.add_argument("study", nargs="?", metavar="ID", help="default: all studies")
    results = command("results", "win rates, intervals, tests, agreement, checks", _results)
    results.add_argument("--format", choices=["markdown", "latex", "json"], default="markdown")
    results.add_argument(
        "--half-width", type=float, default=0.05, metavar="X", help="wanted half interval; default .05"
    )
    results.add_argument("--charts", metavar="DIR", help="write an SVG for each question and pair of methods as well")
    results.add_argument("-o", "--output", metavar="FILE", help="default: stdout")
    export = command("export", "all answers, one a line", _export)
    export.add_argument("--format", choices=["csv", "jsonl"], default="csv")
    export.add_argument("-o", "--output", metavar="FILE", help="default: stdout")
    remove = command("delete", "delete one participant with all answers, on request", _delete)
    remove.add_argument("who", help="link, id, label or completion code")
    close = command("close", "take no more answers", _close)
    close.add_argument("--again", action="store_true", help="open it again instead")
    backup = command("backup", "everything into one ZIP, while the app runs", _backup, of_one=False)
    backup.add_argument("output", metavar="FILE.zip")
    backup.add_argument("--no-clips", action="store_true", help="leave the clips out")
    restore = command("restore", "a backup into an empty store", _restore, of_one=False)
    restore.add_argument("source", metavar="FILE.zip")
    command("secret", "a new administrator's secret; the old one is void", _secret, of_one=False)


def _add_making(command) -> None:  # type: ignore[no-untyped-def]
    create = command("create", "make a study from clips", _create, of_one=False)
    create.add_argument("clips", metavar="FOLDER|MANIFEST", help="a folder of items, a .csv or a .jsonl; docs/study.md")
    create.add_argument("--plan", metavar="FILE.toml", help="questions, design, consent, rules; docs/study.md")
    create.add_argument("--title", help="as participants see it; goes before the plan's")
    edits = command("edits", "make a study's clips by editing videos in several ways", _edits, of_one=False)
    edits.add_argument("sources", nargs="+", metavar="VIDEO")
    edits.add_argument("-o", "--output", required=True, metavar="FOLDER", help="then: study create FOLDER")
    edits.add_argument("--emotion", action="append", required=True, metavar="NAME", help=", ".join(EMOTIONS))
    edits.add_argument(
        "--method", action="append", required=True, metavar="NAME=GENERATOR@X", help="two or more: mild=warp@0.5"
    )
    edits.add_argument(
        "--reference", action="append", default=[], metavar="VIDEO", help="named after its emotion: happy.mp4"
    )


def _store() -> Store:
    from asccl.study.store import Store

    return Store()


def _known() -> Store:
    """The store where there is one: looking makes none."""
    from asccl.study.store import default_folder, exists

    if not exists():
        raise StudyError(
            f"there are no studies in {default_folder()}", "make one with `study create`, or set the folder"
        )
    return _store()


def _create(arguments: argparse.Namespace) -> int:
    from asccl.study import studies
    from asccl.study.manifest import read_items
    from asccl.study.plan import read_plan

    found = read_items(Path(arguments.clips))
    plan = read_plan(Path(arguments.plan) if arguments.plan else None, title=arguments.title)
    store = _store()
    study, warnings = studies.create(store, plan, found, lambda line: print(line, file=sys.stderr))
    for line in warnings:
        print(f"asccl: {line}: participants might tell the methods apart by that", file=sys.stderr)
    print(study)
    if store.secret_hash() is None:
        print(f"administrator's secret, shown only this once: {store.new_secret()}", file=sys.stderr)
    return 0


def _edits(arguments: argparse.Namespace) -> int:
    from asccl.editing.editor import Editor
    from asccl.editing.threads import limit_threads
    from asccl.study.edits import make_edits, parse_method, references_in

    methods = [parse_method(text) for text in arguments.method]
    references = references_in([Path(path) for path in arguments.reference])
    sources = [Path(path) for path in arguments.sources]
    limit_threads()
    make_edits(
        Editor(), sources, arguments.emotion, methods, Path(arguments.output), references,
        lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    print(arguments.output)
    return 0


def _link(arguments: argparse.Namespace) -> int:
    from asccl.study import people, studies

    store, study = _known(), arguments.study
    root = f"{arguments.url.rstrip('/')}/study?s={study}&p="
    if arguments.revoke:
        people.revoke(store, study, people.find(store, study, arguments.revoke))
        return 0
    if arguments.open or arguments.no_open:
        token = studies.renew_open_link(store, study, on=arguments.open)
        print(root + token if token else "there is no open link now")
        return 0
    if arguments.labels:
        try:
            lines = Path(arguments.labels).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{arguments.labels} cannot be read ({error})", "check the name") from None
        labels = [line.strip() for line in lines if line.strip()]
    else:
        labels = [""] * (arguments.count or 0)
    if not labels:
        raise SettingError("no links were asked for", "give --count, --labels or --open")
    for label, token in people.invite(store, study, labels):
        print(f"{label}\t{root}{token}" if label else root + token)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from asccl.study import people, studies

    store = _known()
    with store.read() as connection:
        found = [studies.load(connection, arguments.study)] if arguments.study else studies.all_of(connection)
        for study in found:
            judged = people.judged(connection, study)
            need, state = study.plan.judgements_per_pair * len(study.plan.questions), ("open", "closed")[study.closed()]
            print(
                f"{study.id}\t{study.plan.title}\t{state}\t{sum(judged.values())} answers\t{len(judged)} pairs with "
                f"{min(judged.values())} to {max(judged.values())} of {need}"
            )
            if arguments.study:
                for one in people.everybody(store, connection, study.id):
                    print(f"  {one.id}\t{one.label}\t{one.stage}\t{one.answered} of {one.total}\t{one.code}")
    return 0


def _results(arguments: argparse.Namespace) -> int:
    from asccl.study import tables
    from asccl.study.charts import chart
    from asccl.study.results import results

    if not 0 < arguments.half_width < 0.5:
        raise SettingError(f"--half-width {arguments.half_width} is out of range", "give more than 0, less than 0.5")
    found = results(_known(), arguments.study, arguments.half_width)
    if arguments.format == "json":
        text = json.dumps(found, indent=2) + "\n"
    else:
        text = tables.markdown(found) if arguments.format == "markdown" else tables.latex(found)
    _write(text, arguments.output)
    if arguments.charts:
        Path(arguments.charts).mkdir(parents=True, exist_ok=True)
        for number, pair in enumerate(tables.pairs(found), 1):
            for question in found["questions"]:
                name = Path(arguments.charts) / f"{question}-{number}.svg"
                _write(chart(found, "kept", question, *pair) + "\n", str(name))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from asccl.study import export, studies

    store = _known()
    with store.read() as connection:
        studies.load(connection, arguments.study)
    make = export.votes_csv if arguments.format == "csv" else export.votes_jsonl
    _write(make(store, arguments.study), arguments.output)
    return 0


def _write(text: str, output: str | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output} cannot be written ({error.strerror})", "choose another folder") from None


def _delete(arguments: argparse.Namespace) -> int:
    from asccl.study import people

    store = _known()
    count = people.remove(store, arguments.study, people.find(store, arguments.study, arguments.who))
    print(f"deleted, with {count} answers")
    return 0


def _close(arguments: argparse.Namespace) -> int:
    from asccl.study.studies import set_closed

    set_closed(_known(), arguments.study, not arguments.again)
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from asccl.study.export import backup

    count = backup(_known(), Path(arguments.output), not arguments.no_clips)
    print(f"{arguments.output}: {count} answers. It holds the key of all links: keep it safe")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from asccl.study.export import restore

    print(f"{restore(_store(), Path(arguments.source))} answers")
    return 0


def _secret(arguments: argparse.Namespace) -> int:
    print(_store().new_secret())
    if "ASCCL_STUDY_SECRET" in os.environ:
        print("asccl: ASCCL_STUDY_SECRET is set and counts instead", file=sys.stderr)
    return 0

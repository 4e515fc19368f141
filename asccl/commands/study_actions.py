"""What the commands of `asccl study` do; each returns its exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from asccl.errors import OutputError, SettingError, StudyError

if TYPE_CHECKING:
    from asccl.study.store import Store


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


def create(arguments: argparse.Namespace) -> int:
    """Create a study from clips."""
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


def create_from_edits(arguments: argparse.Namespace) -> int:
    """Create a study's clips by editing videos."""
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


def create_links(arguments: argparse.Namespace) -> int:
    """Create or revoke links."""
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


def print_status(arguments: argparse.Namespace) -> int:
    """Print how far studies are."""
    from asccl.study.assignments import count_answers
    from asccl.study.participants import list_participants
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


def write_results(arguments: argparse.Namespace) -> int:
    """Write rates, intervals, tests, agreement and checks."""
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


def export_answers(arguments: argparse.Namespace) -> int:
    """Write all answers or participants, one per line."""
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


def delete(arguments: argparse.Namespace) -> int:
    """Delete a participant with all answers, or a whole study."""
    if arguments.all == bool(arguments.who) or (arguments.yes and not arguments.all):
        raise SettingError("it is not clear what to delete", "give WHO for a participant, or --all for the study")
    store = _open_existing_store()
    if arguments.all:
        return _delete_study(store, arguments.study, arguments.yes)
    from asccl.study.participants import delete_participant, find_participant

    participant_id = find_participant(store, arguments.study, arguments.who)
    print(f"deleted, with {delete_participant(store, arguments.study, participant_id)} answers")
    return 0


def _delete_study(store: Store, study_id: str, confirmed: bool) -> int:
    from asccl.study.studies import load_study
    from asccl.study.study_deletion import check_title, delete_study

    with store.read() as connection:
        title = load_study(connection, study_id).plan.title
    if not confirmed:
        print(f"All answers, participants, links and clips of “{title}” will be deleted.", file=sys.stderr)
        print("Type its title to confirm: ", end="", file=sys.stderr, flush=True)
        check_title(title, sys.stdin.readline())
    deletion = delete_study(store, study_id)
    print(deletion.summary())
    for sentence in deletion.remaining:
        print(f"asccl: {sentence}", file=sys.stderr)
    return 0


def close_study(arguments: argparse.Namespace) -> int:
    """Close a study, or open it again."""
    from asccl.study.studies import set_closed

    set_closed(_open_existing_store(), arguments.study, not arguments.again)
    return 0


def write_backup(arguments: argparse.Namespace) -> int:
    """Write everything into one ZIP."""
    from asccl.study.export import write_backup

    count = write_backup(_open_existing_store(), Path(arguments.output), not arguments.no_clips)
    print(f"{arguments.output}: {count} answers. The file contains the key of all links: keep it safe")
    return 0


def restore_backup(arguments: argparse.Namespace) -> int:
    """Restore a backup into an empty store."""
    from asccl.study.export import restore_backup

    print(f"{restore_backup(_open_store(), Path(arguments.source))} answers")
    return 0


def renew_secret(arguments: argparse.Namespace) -> int:
    """Generate a new administrator's secret."""
    print(_open_store().new_secret())
    if "ASCCL_STUDY_SECRET" in os.environ:
        print("asccl: ASCCL_STUDY_SECRET is set and is used instead", file=sys.stderr)
    return 0

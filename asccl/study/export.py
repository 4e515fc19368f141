"""Export of the answers, and backups of the whole store: one ZIP of JSON lines for SQLite and PostgreSQL alike."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from asccl.errors import StudyError
from asccl.files import AtomicFile
from asccl.study import tokens
from asccl.study.clip_folders import unfinished_folder
from asccl.study.participants import list_participants
from asccl.study.schema import MIGRATIONS, clips, deleted_studies, meta, metadata, studies, votes
from asccl.study.store import Store
from asccl.study.studies import load_study
from asccl.study.study_deletion import erase_study
from asccl.study.votes import read_votes
from asccl.version import __version__

INTERNAL_COLUMNS = frozenset({"id", "trial_id", "client_key"})  # of the table `votes`, not exported
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet begins a formula
TABLES_SINCE = {"deliveries": 2, "deleted_studies": 4}  # table -> version of the store that has it first
INFO_FILE = "store.json"
DAMAGED_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # or a password


def exported_columns() -> list[str]:
    """Return the names of the columns of an export."""
    return [column.name for column in votes.columns if column.name not in INTERNAL_COLUMNS]


def votes_csv(store: Store, study_id: str) -> str:
    """Return one row for each answer. A cell that a spreadsheet would run as a formula gets a leading apostrophe."""
    output = io.StringIO()
    writer = csv.DictWriter(output, exported_columns(), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for vote in read_votes(store, study_id):
        writer.writerow({key: _escape_formula(value) for key, value in vote.items()})
    return output.getvalue()


def participants_csv(store: Store, study_id: str) -> str:
    """Return one row for each participant: id, label, the panel's ID, stage, code, comment and personal answers."""
    with store.read() as connection:
        questions = [question.id for question in load_study(connection, study_id).plan.demographics]
        people = list_participants(store, connection, study_id)
    columns = ("id", "label", "panel_id", "stage", "answered", "total", "code", "seen_at", "comment")
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([*columns, *questions])
    for person in people:
        values = [getattr(person, name) for name in columns] + [person.demographics.get(name, "") for name in questions]
        writer.writerow([_escape_formula(value) for value in values])
    return output.getvalue()


def votes_jsonl(store: Store, study_id: str) -> str:
    """Return one JSON object per line for each answer."""
    columns = exported_columns()
    return "".join(_json_line({key: vote[key] for key in columns}) for vote in read_votes(store, study_id))


def _json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _escape_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_PREFIXES) else value


def write_backup(store: Store, target: Path, with_clips: bool = True) -> int:
    """Write the state of the store at one moment, while answers keep arriving.

    The file contains the key that signs links: keep it as safe as the store.

    Args:
        store: what is backed up.
        target: the ZIP file; only its owner may read it.
        with_clips: include the clips.

    Returns:
        The number of answers in the backup.

    Raises:
        OutputError: the file cannot be written.
    """
    with AtomicFile(target, permissions=0o600) as file, file.temporary_path.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            count = _write_archive(store, archive, with_clips)
        stream.flush()
        os.fsync(stream.fileno())
    return count


def _write_archive(store: Store, archive: zipfile.ZipFile, with_clips: bool) -> int:
    archive.writestr(INFO_FILE, json.dumps({"schema": len(MIGRATIONS), "version": __version__}))
    with store.read() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table).order_by(*table.primary_key))
            archive.writestr(f"{table.name}.jsonl", "".join(_json_line(dict(row._mapping)) for row in rows))
        files = connection.execute(
            select(clips.c.study_id, clips.c.file).order_by(clips.c.study_id, clips.c.file)
        ).all()
        count = _count_votes(connection)
    if with_clips:
        for study_id, file in files:
            with suppress(FileNotFoundError):  # the study has been deleted since
                archive.write(store.clip_path(study_id, file), f"clips/{study_id}/{file}", zipfile.ZIP_STORED)
    return count


def _count_votes(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(votes)) or 0


def restore_backup(store: Store, source: Path) -> int:
    """Restore a backup into a store without studies. Returns the number of answers.

    Raises:
        StudyError: the store has studies, or the backup is damaged or of another version; the store is unchanged.
    """
    try:
        with zipfile.ZipFile(source) as archive, ExitStack() as stack, store.write() as connection:
            if connection.scalar(select(func.count()).select_from(studies)):
                raise StudyError("the store has studies already", "set ASCCL_STUDY_DIR to an empty folder")
            schema = json.loads(archive.read(INFO_FILE))["schema"]
            if not 1 <= schema <= len(MIGRATIONS):
                raise StudyError(
                    f"the backup has schema {schema}, and this program reads up to {len(MIGRATIONS)}",
                    "update the program",
                )
            connection.execute(meta.delete())
            deleted = [dict(row._mapping) for row in connection.execute(select(deleted_studies))]
            connection.execute(deleted_studies.delete())
            newer_tables = {name for name, first in TABLES_SINCE.items() if schema < first}
            for table in metadata.sorted_tables:
                if table.name not in newer_tables:
                    _restore_table(connection, table, archive.read(f"{table.name}.jsonl"))
            connection.execute(update(meta).where(meta.c.key == "version").values(value=str(len(MIGRATIONS))))
            _delete_again(connection, deleted)
            present = set(connection.scalars(select(studies.c.id)))
            stack.enter_context(_unfinished_folders(store, present))
            _restore_clips(store, archive, present)
            count = _count_votes(connection)
    except (OSError, KeyError, ValueError, TypeError, SQLAlchemyError, *DAMAGED_ZIP_ERRORS) as error:
        raise StudyError(f"{source.name} is not a complete backup ({type(error).__name__})", "give another") from None
    store.reset_signer()
    return count


def _restore_table(connection: Connection, table: Table, lines: bytes) -> None:
    rows = [json.loads(line) for line in lines.splitlines()]
    if rows:
        connection.execute(insert(table), rows)
    has_sequence = "id" in table.columns and table.c.id.autoincrement is True
    if has_sequence and connection.dialect.name == "postgresql":
        newest = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
        connection.execute(text(newest))


def _delete_again(connection: Connection, deleted: list[dict[str, Any]]) -> None:
    """Delete the studies of a backup that were deleted in the store, and keep the records of their deletion.

    Args:
        connection: a transaction that writes.
        deleted: rows of the table `deleted_studies`, as they were before the restoration.
    """
    ids = [row["id"] for row in deleted]
    for study_id in connection.scalars(select(studies.c.id).where(studies.c.id.in_(ids))).all():
        erase_study(connection, study_id)
    connection.execute(deleted_studies.delete().where(deleted_studies.c.id.in_(ids)))
    if deleted:
        connection.execute(insert(deleted_studies), deleted)


@contextmanager
def _unfinished_folders(store: Store, study_ids: set[str]) -> Iterator[None]:
    """Mark folders that do not exist yet as unfinished, and remove them on an exception."""
    if not all(tokens.STUDY_ID_PATTERN.fullmatch(study_id) for study_id in study_ids):
        raise ValueError("an id is none of a study")
    with ExitStack() as stack:
        new_ids = [study_id for study_id in sorted(study_ids) if not store.clip_path(study_id, "").exists()]
        folders = [stack.enter_context(unfinished_folder(store, study_id)) for study_id in new_ids]
        try:
            yield
        except BaseException:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _restore_clips(store: Store, archive: zipfile.ZipFile, study_ids: set[str]) -> None:
    """Write the clips of these studies."""
    root = (store.folder / "clips").resolve()
    for name in archive.namelist():
        if name.startswith("clips/"):
            target = (store.folder / name).resolve()
            if not target.is_relative_to(root) or target.suffix != ".mp4":
                raise ValueError("the path of a clip leads out of the folder")
            if target.parent.name not in study_ids:
                continue
            target.parent.mkdir(mode=0o700, exist_ok=True)
            target.write_bytes(archive.read(name))

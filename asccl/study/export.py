"""Answers out, and the whole store out and in again: one ZIP of JSON lines that SQLite and PostgreSQL both take."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text

from asccl.errors import StudyError
from asccl.files import AtomicFile
from asccl.study.results import read_votes
from asccl.study.schema import MIGRATIONS, meta, metadata, studies, votes
from asccl.study.store import Store
from asccl.version import __version__

HIDDEN = frozenset({"id", "trial_id", "client_key"})  # of the store's own use
FORMULA = ("=", "+", "-", "@", "\t", "\r")
INFO = "store.json"


def columns() -> list[str]:
    return [column.name for column in votes.columns if column.name not in HIDDEN]


def votes_csv(store: Store, study: str) -> str:
    """One answer a row. A cell that a spreadsheet would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns(), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for vote in read_votes(store, study):
        writer.writerow({key: _harmless(value) for key, value in vote.items()})
    return out.getvalue()


def votes_jsonl(store: Store, study: str) -> str:
    rows = read_votes(store, study)
    return "".join(json.dumps({key: row[key] for key in columns()}, ensure_ascii=False) + "\n" for row in rows)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def backup(store: Store, target: Path, with_clips: bool = True) -> int:
    """Everything at one moment, while others go on answering. Returns how many answers are in it. Raises OutputError.

    The file holds the key that signs links: keep it as safe as the store.
    """
    with AtomicFile(target, permissions=0o600) as file, file.temporary_path.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            count = _write_all(store, archive, with_clips)
        stream.flush()
        os.fsync(stream.fileno())
    return count


def _write_all(store: Store, archive: zipfile.ZipFile, with_clips: bool) -> int:
    archive.writestr(INFO, json.dumps({"schema": len(MIGRATIONS), "version": __version__}))
    with store.read() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table).order_by(*table.primary_key))
            lines = "".join(json.dumps(dict(row._mapping), ensure_ascii=False) + "\n" for row in rows)
            archive.writestr(f"{table.name}.jsonl", lines)
        count = connection.scalar(select(func.count()).select_from(votes)) or 0
    if with_clips:
        for path in sorted((store.folder / "clips").rglob("*.mp4")):
            archive.write(path, path.relative_to(store.folder).as_posix(), zipfile.ZIP_STORED)
    return count


def restore(store: Store, source: Path) -> int:
    """Into a store without studies. Returns how many answers came. Raises StudyError; the store is then as before."""
    try:
        with zipfile.ZipFile(source) as archive, store.write() as connection:
            if connection.scalar(select(func.count()).select_from(studies)):
                raise StudyError("the store has studies already", "give an empty folder by ASCCL_STUDY_DIR")
            made = json.loads(archive.read(INFO))["schema"]
            if made != len(MIGRATIONS):
                raise StudyError(f"the backup has schema {made}, not {len(MIGRATIONS)}", "use the version that made it")
            connection.execute(meta.delete())
            for table in metadata.sorted_tables:
                rows = [json.loads(line) for line in archive.read(f"{table.name}.jsonl").splitlines()]
                if rows:
                    connection.execute(insert(table), rows)
                if (
                    "id" in table.columns
                    and table.c.id.autoincrement is True
                    and connection.dialect.name == "postgresql"
                ):
                    newest = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
                    connection.execute(text(newest))
            _restore_clips(store, archive)
            count = connection.scalar(select(func.count()).select_from(votes)) or 0
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise StudyError(f"{source.name} is not a whole backup ({type(error).__name__})", "give another") from None
    store.__dict__.pop("signer", None)  # the key is another now
    return count


def _restore_clips(store: Store, archive: zipfile.ZipFile) -> None:
    root = (store.folder / "clips").resolve()
    for name in archive.namelist():
        if name.startswith("clips/"):
            target = (store.folder / name).resolve()
            if not target.is_relative_to(root) or target.suffix != ".mp4":
                raise ValueError("a clip that leads out of the folder")
            target.parent.mkdir(mode=0o700, exist_ok=True)
            target.write_bytes(archive.read(name))

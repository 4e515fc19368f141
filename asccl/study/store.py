"""Where studies are kept: SQLite in a data folder, or PostgreSQL by URL; the clips lie in the folder in both cases.

`ASCCL_STUDY_DIR` names the folder, `ASCCL_STUDY_DB` a `postgresql://` URL. What `write()` has left is on the disk.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from asccl.errors import StudyError
from asccl.study import tokens
from asccl.study.schema import meta, migrate

FILE = "studies.db"
BUSY = 30  # seconds that SQLite waits for another process


def default_folder() -> Path:
    """`ASCCL_STUDY_DIR`; on a Space with a kept disk a folder of it; else where the system keeps a user's data."""
    if own := os.environ.get("ASCCL_STUDY_DIR"):
        return Path(own).expanduser()
    if "SPACE_ID" in os.environ and os.access("/data", os.W_OK):
        return Path("/data/asccl-studies")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "asccl" / "studies"


def now() -> str:
    """In UTC, to the millisecond; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Store:
    """Opened once a process; threads share it. Raises StudyError where it cannot be opened."""

    def __init__(self, folder: Path | None = None, url: str | None = None):
        self.folder = folder or default_folder()
        url = url or os.environ.get("ASCCL_STUDY_DB")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "clips").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StudyError(f"{self.folder} cannot be made ({error.strerror})", "set ASCCL_STUDY_DIR") from None
        self.engine = _engine(url) if url else _sqlite(self.folder / FILE)
        self._one = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        try:
            with self.write() as connection:
                migrate(connection)
                if connection.scalar(select(meta.c.value).where(meta.c.key == "key")) is None:
                    connection.execute(insert(meta).values(key="key", value=secrets.token_hex(32)))
        except OperationalError as error:
            what = str(error.orig).strip().splitlines()[0]
            raise StudyError(
                f"the store of studies cannot be opened ({what})", "check ASCCL_STUDY_DB and the disk"
            ) from None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: on the disk when it has ended, undone on any exception."""
        with self._one, self.engine.connect().execution_options(asccl_write=True) as connection, connection.begin():
            yield connection

    @cached_property
    def signer(self) -> tokens.Signer:
        with self.read() as connection:
            return tokens.Signer(
                bytes.fromhex(connection.scalar(select(meta.c.value).where(meta.c.key == "key")) or "")
            )

    def clip_path(self, study: str, file: str) -> Path:
        return self.folder / "clips" / study / file

    def secret_hash(self) -> str | None:
        """Of the administrator's secret: `ASCCL_STUDY_SECRET`, else the one that was made; None where there is none."""
        if own := os.environ.get("ASCCL_STUDY_SECRET"):
            return tokens.hashed(own)
        with self.read() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == "secret"))

    def new_secret(self) -> str:
        """Takes the place of an older one. Shown once: only its hash is kept."""
        made = secrets.token_urlsafe(24)
        with self.write() as connection:
            connection.execute(meta.delete().where(meta.c.key == "secret"))
            connection.execute(insert(meta).values(key="secret", value=tokens.hashed(made)))
        return made

    def close(self) -> None:
        self.engine.dispose()


def exists(folder: Path | None = None) -> bool:
    """Whether there is a store already, so that looking makes none."""
    return bool(os.environ.get("ASCCL_STUDY_DB")) or ((folder or default_folder()) / FILE).exists()


def _engine(text: str) -> Engine:
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
        if url.get_backend_name() != "postgresql":
            raise StudyError("ASCCL_STUDY_DB is not a postgresql:// URL", "correct it, or unset it for SQLite")
        return create_engine(
            url.set(drivername="postgresql+psycopg"), pool_size=10, max_overflow=30, pool_pre_ping=True
        )
    except (ArgumentError, NoSuchModuleError):
        raise StudyError("ASCCL_STUDY_DB is not a URL", "write postgresql://user:password@host/name") from None
    except ModuleNotFoundError:
        raise StudyError("PostgreSQL needs another package", "pip install 'psycopg[binary]'") from None


def _sqlite(path: Path) -> Engine:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY}, pool_size=10, max_overflow=40)

    @event.listens_for(engine, "connect")
    def _prepare(raw, _record) -> None:  # type: ignore[no-untyped-def]
        raw.isolation_level = None  # we say BEGIN ourselves: sqlite3 would do it late
        for line in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            raw.execute(f"PRAGMA {line}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("asccl_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine

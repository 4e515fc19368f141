"""The store of all studies: SQLite in a data folder, or PostgreSQL by URL; the clips lie in the folder in both cases.

`ASCCL_STUDY_DIR` sets the folder, `ASCCL_STUDY_DB` a `postgresql://` URL. A transaction of `Store.write` is on the disk
when it has ended.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from asccl.errors import StudyError, first_line
from asccl.study import tokens
from asccl.study.schema import meta, migrate

DATABASE_FILE = "studies.db"
MIRROR_FOLDER = "mirror"  # of the backup that is being pushed to the Hub
MIN_SECRET_LENGTH = 12  # characters of a secret that the owner of the server chose
BUSY_TIMEOUT = 30  # seconds that SQLite waits for another process
WRITE_OPTION = "asccl_write"  # execution option of connections that write


def default_folder() -> Path:
    """Return `ASCCL_STUDY_DIR`, a folder of the user's data, or on a Space a folder of its persistent disk.

    A Space without that disk keeps nothing when it restarts, and its home may not be writable: it takes a temporary
    folder.
    """
    if folder := os.environ.get("ASCCL_STUDY_DIR"):
        return Path(folder).expanduser()
    if "SPACE_ID" in os.environ:
        disk = "/data" if os.access("/data", os.W_OK) else tempfile.gettempdir()
        return Path(disk, "asccl-studies")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "asccl" / "studies"


def utc_now() -> str:
    """Return the time in UTC, to the millisecond, as text that sorts by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Store:
    """The database and the clips; opened once per process and shared by its threads.

    Args:
        folder: of SQLite's file and of the clips; None for `default_folder`.
        url: of a PostgreSQL database; None for `ASCCL_STUDY_DB`, or SQLite where that is not set.

    Raises:
        StudyError: the folder cannot be created, or the database cannot be opened.
    """

    def __init__(self, folder: Path | None = None, url: str | None = None):
        self.folder = folder or default_folder()
        url = url or os.environ.get("ASCCL_STUDY_DB")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "clips").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StudyError(f"{self.folder} cannot be created ({error.strerror})", "set ASCCL_STUDY_DIR") from None
        self.engine = _postgresql_engine(url) if url else _sqlite_engine(self.folder / DATABASE_FILE)
        self._write_lock = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()
        try:
            with self.write() as connection:
                migrate(connection)
                if connection.scalar(select(meta.c.value).where(meta.c.key == "key")) is None:
                    connection.execute(insert(meta).values(key="key", value=secrets.token_hex(32)))
        except DatabaseError as error:  # the file is damaged, or no database
            raise _unusable(error) from None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that reads.

        Raises:
            StudyError: the database cannot be reached.
        """
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except OperationalError as error:
            raise _unusable(error) from None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes: on the disk when it has ended, undone on any exception.

        Raises:
            StudyError: the database is locked or cannot be reached, or its disk is full.
        """
        options = {WRITE_OPTION: True}
        try:
            with self._write_lock, self.engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except OperationalError as error:
            raise _unusable(error) from None

    @cached_property
    def signer(self) -> tokens.Signer:
        """The signer with the store's key."""
        with self.read() as connection:
            key = connection.scalar(select(meta.c.value).where(meta.c.key == "key")) or ""
        return tokens.Signer(bytes.fromhex(key))

    def clip_path(self, study_id: str, file: str) -> Path:
        """Return the path of a clip; the folder of the study's clips for an empty `file`."""
        return self.folder / "clips" / study_id / file

    def secret_hash(self) -> str | None:
        """Return the hash of the administrator's secret: `ASCCL_STUDY_SECRET`, or the generated one; None for none.

        Raises:
            StudyError: `ASCCL_STUDY_SECRET` could be guessed.
        """
        if secret := os.environ.get("ASCCL_STUDY_SECRET"):
            if len(secret) < MIN_SECRET_LENGTH:
                raise StudyError(
                    f"ASCCL_STUDY_SECRET is shorter than {MIN_SECRET_LENGTH} characters",
                    "set a longer one; `python -m asccl study secret` generates one",
                )
            return tokens.hash_secret(secret)
        with self.read() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == "secret"))

    def new_secret(self) -> str:
        """Generate the administrator's secret in place of an older one. Only its hash is stored."""
        secret = secrets.token_urlsafe(24)
        with self.write() as connection:
            connection.execute(meta.delete().where(meta.c.key == "secret"))
            connection.execute(insert(meta).values(key="secret", value=tokens.hash_secret(secret)))
        return secret

    def session_serial(self) -> str:
        """Return the serial number of the administrators' sessions; those of an older one are void."""
        with self.read() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == "sessions")) or "0"

    def end_sessions(self) -> None:
        """End the sessions of all administrators."""
        with self.write() as connection:
            serial = connection.scalar(select(meta.c.value).where(meta.c.key == "sessions")) or "0"
            connection.execute(meta.delete().where(meta.c.key == "sessions"))
            connection.execute(insert(meta).values(key="sessions", value=str(int(serial) + 1)))

    def overwrite_deleted(self) -> None:
        """Remove deleted rows from SQLite's write-ahead log, unless another transaction still reads them."""
        if self.engine.dialect.name == "sqlite":
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.close()

    def discard_unsent_backups(self) -> None:
        """Delete the backups that a failed push to the Hub left in the folder."""
        for path in (self.folder / MIRROR_FOLDER).glob("*.zip"):
            path.unlink(missing_ok=True)

    def reset_signer(self) -> None:
        """Read the key again at the next use of `signer`."""
        self.__dict__.pop("signer", None)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def store_exists(folder: Path | None = None) -> bool:
    """Return whether a store exists already, without creating one."""
    return bool(os.environ.get("ASCCL_STUDY_DB")) or ((folder or default_folder()) / DATABASE_FILE).exists()


def is_write(connection: Connection) -> bool:
    """Return whether the connection belongs to `Store.write`."""
    return bool(connection.get_execution_options().get(WRITE_OPTION))


def _unusable(error: DatabaseError) -> StudyError:
    """Return the error for a database that fails, without its statement, which contains what participants sent."""
    reason = first_line(error.orig or error)
    return StudyError(
        f"the store of studies cannot be used ({reason})", "check ASCCL_STUDY_DIR, ASCCL_STUDY_DB, the disk"
    )


def _postgresql_engine(text: str) -> Engine:
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
        if url.get_backend_name() != "postgresql":
            raise StudyError("ASCCL_STUDY_DB is not a postgresql:// URL", "correct it, or unset it for SQLite")
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=10,
            max_overflow=30,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except (ArgumentError, NoSuchModuleError):
        raise StudyError("ASCCL_STUDY_DB is not a URL", "write postgresql://user:password@host/name") from None
    except ModuleNotFoundError:
        raise StudyError("PostgreSQL needs another package", "pip install 'psycopg[binary]'") from None


def _sqlite_engine(path: Path) -> Engine:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StudyError(f"{path} cannot be written ({error.strerror})", "set ASCCL_STUDY_DIR") from None
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_TIMEOUT},
        pool_size=10,
        max_overflow=40,
        hide_parameters=True,  # of errors: they contain answers and the IDs of panels
    )

    @event.listens_for(engine, "connect")
    def _configure(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # `_begin` sends BEGIN: sqlite3 itself would send it late
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write(connection) else "BEGIN")

    return engine

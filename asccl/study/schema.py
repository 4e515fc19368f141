"""Tables of the store, and how an older store becomes a newer one.

Votes are append-only: the database itself refuses to change one, and to delete one unless the deletion of its whole
participant was written down first.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
    text,
    update,
)

from asccl.errors import StudyError

metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

studies = Table(
    "studies",
    metadata,
    Column("id", String(11), primary_key=True),
    Column("title", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("closed_at", String(32)),  # by hand; the plan's own date counts as well
    Column("plan", Text, nullable=False),
    Column("plan_sha256", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("joined", Integer, nullable=False),  # how many participants ever joined: numbers their seeds
    Column("open_serial", Integer, nullable=False),  # of the open link; 0 is none
)

items = Table(
    "items",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("emotion", String(32), nullable=False),
    Column("setting", String(32), nullable=False),
)

clips = Table(
    "clips",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("item", String(200), primary_key=True),
    Column("role", String(16), primary_key=True),  # source, reference, output, broken
    Column("method", String(200), primary_key=True),  # of an output
    Column("file", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
)

participants = Table(
    "participants",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("label", Text, nullable=False),  # of the researcher's choice, may be empty
    Column("serial", Integer, nullable=False),
    Column("number", Integer),  # the n-th to join; None before
    Column("seed", String(20)),
    Column("created_at", String(32), nullable=False),
    Column("consented_at", String(32)),
    Column("checked_at", String(32)),
    Column("sound", String(16), nullable=False),  # heard, none, or empty before the check
    Column("seen_at", String(32)),
    Column("finished_at", String(32)),
    Column("revoked_at", String(32)),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("participant_id", ForeignKey("participants.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("question", String(32), nullable=False),
    Column("item", String(200), nullable=False),
    Column("left", String(200), nullable=False),
    Column("right", String(200), nullable=False),
    Column("shown_at", String(32)),
    UniqueConstraint("participant_id", "position"),
)

votes = Table(
    "votes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("participant_id", ForeignKey("participants.id"), nullable=False, index=True),
    Column("trial_id", ForeignKey("trials.id"), nullable=False, unique=True),
    Column("client_key", String(64), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("question", String(32), nullable=False),
    Column("item", String(200), nullable=False),
    Column("emotion", String(32), nullable=False),
    Column("setting", String(32), nullable=False),
    Column("left", String(200), nullable=False),
    Column("right", String(200), nullable=False),
    Column("answer", String(8), nullable=False),  # left, right, cannot
    Column("chosen", String(200), nullable=False),  # the method; empty for "cannot tell"
    Column("shown_at", String(32), nullable=False),
    Column("answered_at", String(32), nullable=False),
    Column("seconds", Float, nullable=False),  # between the two, on the server's clock
    Column("plays_left", Integer, nullable=False),
    Column("plays_right", Integer, nullable=False),
    Column("mode", String(16), nullable=False),  # together, in turn
    Column("seed", String(20), nullable=False),
    Column("version", String(32), nullable=False),
    Column("plan_sha256", String(64), nullable=False),
)

deletions = Table(
    "deletions",
    metadata,
    Column("participant_id", String(22), primary_key=True),
    Column("study_id", String(11), nullable=False),
    Column("deleted_at", String(32), nullable=False),
    Column("votes", Integer, nullable=False),
)

SQLITE_GUARDS = (
    "CREATE TRIGGER votes_never_change BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'votes never change'); END",
    "CREATE TRIGGER votes_stay BEFORE DELETE ON votes WHEN NOT EXISTS "
    "(SELECT 1 FROM deletions WHERE participant_id = OLD.participant_id) "
    "BEGIN SELECT RAISE(ABORT, 'votes stay'); END",
)
POSTGRESQL_GUARDS = (
    "CREATE FUNCTION votes_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION 'votes never change'; END IF; "
    "IF NOT EXISTS (SELECT 1 FROM deletions WHERE participant_id = OLD.participant_id) "
    "THEN RAISE EXCEPTION 'votes stay'; END IF; RETURN OLD; END $$",
    "CREATE TRIGGER votes_guard BEFORE UPDATE OR DELETE ON votes FOR EACH ROW EXECUTE FUNCTION votes_guard()",
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)
    for guard in SQLITE_GUARDS if connection.dialect.name == "sqlite" else POSTGRESQL_GUARDS:
        connection.execute(text(guard))


MIGRATIONS: list[Callable[[Connection], None]] = [_first]  # the n-th leads from version n - 1 to n; never edit one


def migrate(connection: Connection) -> None:
    """To the newest version, in the caller's transaction. Raises StudyError where the store is newer than we are."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(5005)"))  # two servers may start at once
    version = 0
    if inspect(connection).has_table("meta"):
        version = int(connection.scalar(select(meta.c.value).where(meta.c.key == "version")) or 0)
    if version > len(MIGRATIONS):
        raise StudyError(
            f"the store of studies has version {version} and this program knows {len(MIGRATIONS)}", "update the program"
        )
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        step(connection)
        if number == 1:
            connection.execute(insert(meta).values(key="version", value="1"))
        connection.execute(update(meta).where(meta.c.key == "version").values(value=str(number)))

"""The tables of the store, and the migrations of older stores.

Votes are append-only: triggers in the database refuse to change a vote, and to delete one unless the deletion of its
participant was recorded first.
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
    Column("closed_at", String(32)),  # by hand; the closing date of the plan also applies
    Column("plan", Text, nullable=False),
    Column("plan_sha256", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("joined", Integer, nullable=False),  # number of participants who ever joined, from which seeds are derived
    Column("open_serial", Integer, nullable=False),  # of the open link; there is none at 0 or below
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
    Column("label", Text, nullable=False),  # the researcher's own name for the participant; may be empty
    Column("serial", Integer, nullable=False),
    Column("number", Integer),  # 1 for the first who joined; None before consent
    Column("seed", String(20)),
    Column("created_at", String(32), nullable=False),
    Column("consented_at", String(32)),
    Column("checked_at", String(32)),
    Column("sound", String(16), nullable=False),  # heard, none, or empty before the check
    Column("seen_at", String(32)),
    Column("finished_at", String(32)),
    Column("revoked_at", String(32)),
    Column("panel_id", String(200)),  # as a panel sent it in the open link
    Column("comment", Text),
    Column("demographics", Text),  # JSON: id of the question -> answer
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
    Column("seconds", Float, nullable=False),  # from shown_at to answered_at, by the server's clock
    Column("plays_left", Integer, nullable=False),
    Column("plays_right", Integer, nullable=False),
    Column("mode", String(16), nullable=False),  # together, in turn
    Column("seed", String(20), nullable=False),
    Column("version", String(32), nullable=False),
    Column("plan_sha256", String(64), nullable=False),
    Column("rating", Integer),  # of the difference, from 1; None where the plan has no scale
)

deliveries = Table(
    "deliveries",  # how much of each clip was sent to the participant
    metadata,
    Column("trial_id", ForeignKey("trials.id"), primary_key=True),
    Column("slot", String(32), primary_key=True),
    Column("bytes", Integer, nullable=False),
)

deletions = Table(
    "deletions",
    metadata,
    Column("participant_id", String(22), primary_key=True),
    Column("study_id", String(11), nullable=False),
    Column("deleted_at", String(32), nullable=False),
    Column("votes", Integer, nullable=False),
)

deleted_studies = Table(
    "deleted_studies",  # what remains of a study, so that no backup brings it back
    metadata,
    Column("id", String(11), primary_key=True),
    Column("language", String(16), nullable=False),  # of the page that participants then see
    Column("deleted_at", String(32), nullable=False),
    Column("votes", Integer, nullable=False),
    Column("participants", Integer, nullable=False),
)

SQLITE_TRIGGERS = (
    "CREATE TRIGGER votes_never_change BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'votes never change'); END",
    "CREATE TRIGGER votes_stay BEFORE DELETE ON votes WHEN NOT EXISTS "
    "(SELECT 1 FROM deletions WHERE participant_id = OLD.participant_id) "
    "BEGIN SELECT RAISE(ABORT, 'votes stay'); END",
)
POSTGRESQL_TRIGGERS = (
    "CREATE FUNCTION votes_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION 'votes never change'; END IF; "
    "IF NOT EXISTS (SELECT 1 FROM deletions WHERE participant_id = OLD.participant_id) "
    "THEN RAISE EXCEPTION 'votes stay'; END IF; RETURN OLD; END $$",
    "CREATE TRIGGER votes_guard BEFORE UPDATE OR DELETE ON votes FOR EACH ROW EXECUTE FUNCTION votes_guard()",
)


def _create_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    for statement in SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else POSTGRESQL_TRIGGERS:
        connection.execute(text(statement))


def _add_deliveries(connection: Connection) -> None:
    deliveries.create(connection, checkfirst=True)


def _add_panel_and_rating(connection: Connection) -> None:
    for table, names in ((participants, ("panel_id", "comment", "demographics")), (votes, ("rating",))):
        present = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for name in set(names) - present:
            kind = table.c[name].type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}"))


def _add_deleted_studies(connection: Connection) -> None:
    deleted_studies.create(connection, checkfirst=True)


MIGRATIONS: list[Callable[[Connection], None]] = [
    _create_tables,
    _add_deliveries,
    _add_panel_and_rating,
    _add_deleted_studies,
]  # the n-th leads to version n; never edit one


def migrate(connection: Connection) -> None:
    """Bring the database to the newest version, in the caller's transaction.

    Raises:
        StudyError: the database belongs to a newer version of the program.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(5005)"))  # two servers may start at the same time
    version = 0
    if inspect(connection).has_table("meta"):
        version = int(connection.scalar(select(meta.c.value).where(meta.c.key == "version")) or 0)
    if version > len(MIGRATIONS):
        raise StudyError(
            f"the store of studies has version {version}, and this program supports up to {len(MIGRATIONS)}",
            "update the program",
        )
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        migration(connection)
        if number == 1:
            connection.execute(insert(meta).values(key="version", value="1"))
        connection.execute(update(meta).where(meta.c.key == "version").values(value=str(number)))

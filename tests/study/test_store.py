"""Answers are stored once and never change, across engines, processes, versions and crashes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from media import ROOT
from participant_steps import answer_first, enter_study, finish_study, make_answer
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DatabaseError

from asccl.errors import StudyError
from asccl.study import schema
from asccl.study.answering import find_clip, show_trial, submit_answer
from asccl.study.participants import delete_participant
from asccl.study.session import SessionError
from asccl.study.store import Store
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


def reopen(store: Store) -> Store:
    """Another store on the same database and folder, as in another process."""
    url = store.engine.url.render_as_string(False) if store.engine.name == "postgresql" else None
    return Store(store.folder, url)


def read_version(store: Store) -> str | None:
    with store.read() as connection:
        return connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "version"))


def test_a_vote_contains_what_a_reader_needs(store, new_study):
    study_id = new_study(store)
    answer_first(store, study_id, enter_study(store, study_id), "right", plays_left=2)
    (vote,) = read_votes(store, study_id)
    assert (vote["answer"], vote["plays_left"], vote["plays_right"], vote["mode"]) == ("right", 2, 1, "together")
    assert vote["chosen"] == vote["right"]
    assert {vote["left"], vote["right"]} == {"ASCCL", "NED"}
    assert vote["seconds"] >= 0
    assert vote["shown_at"] <= vote["answered_at"]
    assert vote["seed"].isdecimal()
    assert len(vote["plan_sha256"]) == 64
    assert vote["version"]


@pytest.mark.parametrize(
    ("change", "message"),
    [(update(schema.votes).values(answer="right"), "votes never change"), (delete(schema.votes), "votes stay")],
)
def test_the_database_refuses_to_change_or_delete_votes(store, new_study, change, message):
    study_id = new_study(store)
    finish_study(store, study_id, enter_study(store, study_id))
    before = read_votes(store, study_id)
    with pytest.raises(DatabaseError, match=message), store.write() as connection:
        connection.execute(change)
    assert read_votes(store, study_id) == before


def test_votes_are_deleted_with_their_participant_and_the_deletion_is_recorded(store, new_study):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    count = finish_study(store, study_id, token)
    assert delete_participant(store, study_id, token[:22]) == count
    assert read_votes(store, study_id) == []
    with store.read() as connection:
        (deletion,) = connection.execute(select(schema.deletions))
    assert deletion.votes == count


def test_a_retry_after_a_lost_acknowledgement_counts_once(store, new_study):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    trial = answer_first(store, study_id, token, "left")
    for answer in ("left", "right"):  # the same key: the first answer stays
        assert submit_answer(store, study_id, token, make_answer(1, answer)) == trial
    with pytest.raises(SessionError, match="order"):
        submit_answer(store, study_id, token, make_answer(1, "right", key="another-key-of-20-chars"))
    assert [vote["answer"] for vote in read_votes(store, study_id)] == ["left"]


def test_the_same_answer_twenty_times_at_once_counts_once(store, new_study):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    show_trial(store, study_id, token)
    positions: list[int] = []

    def send() -> None:
        positions.append(submit_answer(store, study_id, token, make_answer(1))["position"])

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert positions == [2] * 20
    assert len(read_votes(store, study_id)) == 1


def test_another_process_continues_where_this_one_stopped(store, new_study):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    following = answer_first(store, study_id, token)
    other = reopen(store)
    trial = show_trial(other, study_id, token)
    assert trial == following
    assert find_clip(other, study_id, token, trial["clips"][0]["clip"]).path.exists()
    other.close()


def add_column(connection) -> None:
    connection.execute(text("ALTER TABLE studies ADD COLUMN note TEXT"))


def test_an_older_store_is_migrated_and_a_newer_one_refused(store, monkeypatch):
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, add_column])
    newer = reopen(store)
    with newer.read() as connection:
        assert connection.execute(text("SELECT note FROM studies")).all() == []
    assert read_version(newer) == "5"
    newer.close()
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:4])
    with pytest.raises(StudyError, match="update the program"):
        reopen(store)


NEWER_COLUMNS = {"participants": ("panel_id", "comment", "demographics"), "votes": ("rating",)}  # of version 3


def test_a_store_of_version_2_opens_with_its_answers_and_takes_new_ones(store, new_study):
    study_id = new_study(store)
    answer_first(store, study_id, enter_study(store, study_id))
    with store.write() as connection:  # as version 2 left it
        for table, names in NEWER_COLUMNS.items():
            for name in names:
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        schema.deleted_studies.drop(connection)
        connection.execute(update(schema.meta).where(schema.meta.c.key == "version").values(value="2"))
    migrated = reopen(store)
    assert read_version(migrated) == "4"
    answer_first(migrated, study_id, enter_study(migrated, study_id))
    assert [vote["rating"] for vote in read_votes(migrated, study_id)] == [None, None]
    migrated.close()


def test_a_migration_that_fails_changes_nothing(sqlite, monkeypatch):
    def fail(connection) -> None:
        add_column(connection)
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, fail])
    with pytest.raises(RuntimeError, match="power cut"):
        reopen(sqlite)
    assert read_version(sqlite) == "4"
    with sqlite.read() as connection, pytest.raises(DatabaseError):
        connection.execute(text("SELECT note FROM studies"))


def test_the_folder_is_private(sqlite):
    assert stat.S_IMODE(sqlite.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((sqlite.folder / "studies.db").stat().st_mode) == 0o600


ANSWERING_PROCESS = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from asccl.study import answering
from asccl.study.store import Store
from participant_steps import enter_study, make_answer
answering.MIN_WATCH_FRACTION = answering.MIN_DELIVERED_FRACTION = 0.0
store = Store(Path({folder!r}))
while True:
    token = enter_study(store, {study_id!r})
    trial = answering.show_trial(store, {study_id!r}, token)
    while trial:
        position = trial["position"]
        trial = answering.submit_answer(store, {study_id!r}, token, make_answer(position))
        print(token[:22], position, flush=True)  # acknowledged
"""


@pytest.mark.parametrize("count", [1, 7, 23])
def test_kill_9_loses_no_acknowledged_vote(sqlite, new_study, count):
    study_id = new_study(sqlite, judgements_per_pair=1000)
    tests = str(Path(__file__).parent)
    code = ANSWERING_PROCESS.format(tests=tests, folder=str(sqlite.folder), study_id=study_id)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        lines += [line for line in process.stdout if line.endswith("\n")]
    acknowledged = {(participant, int(position)) for participant, position in map(str.split, lines)}
    stored = [(vote["participant_id"], vote["position"]) for vote in read_votes(sqlite, study_id)]
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
    assert len(stored) - len(acknowledged) <= 1  # one may have been stored and not acknowledged yet
    assert finish_study(sqlite, study_id, enter_study(sqlite, study_id)) > 0  # the store still works

"""Answers are kept: appended only, once, across engines, versions, crashes and disks."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import Future
from pathlib import Path

import pytest
from media import ROOT
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DatabaseError
from walker import empty, enter, finish, reply

from asccl.errors import StudyError
from asccl.study import export, mirror, people, schema, session, studies
from asccl.study.results import read_votes
from asccl.study.store import Store

pytestmark = pytest.mark.usefixtures("unhurried")


def test_a_vote_carries_what_a_reader_needs(store, make):
    study = make(store)
    token = enter(store, study)
    screen = session.screen(store, study, token)
    session.answer(store, study, token, reply(screen["position"], "right", plays_left=2))
    (vote,) = read_votes(store, study)
    assert (vote["answer"], vote["plays_left"], vote["plays_right"], vote["mode"]) == ("right", 2, 1, "together")
    assert vote["chosen"] == vote["right"] and {vote["left"], vote["right"]} == {"ASCCL", "NED"}
    assert vote["seconds"] >= 0 and vote["shown_at"] <= vote["answered_at"]
    assert vote["seed"].isdecimal() and len(vote["plan_sha256"]) == 64 and vote["version"]


def test_votes_never_change_and_go_only_with_their_participant(store, make):
    study = make(store)
    token = enter(store, study)
    finish(store, study, token)
    before = read_votes(store, study)
    for change in (update(schema.votes).values(answer="right"), delete(schema.votes)):
        with pytest.raises(DatabaseError, match=r"never change|stay"), store.write() as connection:
            connection.execute(change)
    assert read_votes(store, study) == before
    count = people.remove(store, study, token[:22])
    assert count == len(before) and read_votes(store, study) == []
    with store.read() as connection:
        (gone,) = connection.execute(select(schema.deletions))
    assert gone.votes == count


def test_a_retry_after_a_lost_acknowledgement_counts_once(store, make):
    study = make(store)
    token = enter(store, study)
    session.screen(store, study, token)
    first = session.answer(store, study, token, reply(1, "left"))
    assert session.answer(store, study, token, reply(1, "left")) == first
    assert session.answer(store, study, token, reply(1, "right")) == first  # the same key: what came first stays
    with pytest.raises(session.SessionError, match="order"):
        session.answer(store, study, token, reply(1, "right", key="another-key-of-20-chars"))
    assert [vote["answer"] for vote in read_votes(store, study)] == ["left"]


def test_the_same_answer_twenty_times_at_once_counts_once(store, make):
    study = make(store)
    token = enter(store, study)
    session.screen(store, study, token)
    told: list[object] = []

    def send() -> None:
        told.append(session.answer(store, study, token, reply(1))["position"])

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [2] * 20 and len(read_votes(store, study)) == 1


def test_another_process_goes_on_where_this_one_stopped(store, make, tmp_path):
    study = make(store)
    token = enter(store, study)
    screen = session.screen(store, study, token)
    session.answer(store, study, token, reply(1))
    other = Store(store.folder, store.engine.url.render_as_string(False) if store.engine.name == "postgresql" else None)
    assert session.screen(other, study, token)["position"] == screen["position"] + 1
    assert session.clip(other, study, token, session.screen(other, study, token)["clips"][0]["clip"]).exists()
    other.close()


def test_older_stores_are_brought_up_and_newer_ones_refused(store, monkeypatch):
    def second(connection) -> None:
        connection.execute(text("ALTER TABLE studies ADD COLUMN note TEXT"))

    url = store.engine.url.render_as_string(False) if store.engine.name == "postgresql" else None
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, second])
    newer = Store(store.folder, url)
    with newer.read() as connection:
        assert connection.execute(text("SELECT note FROM studies")).all() == []
        assert connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "version")) == "2"
    newer.close()
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
    with pytest.raises(StudyError, match="update the program"):
        Store(store.folder, url)


def test_a_migration_that_fails_changes_nothing(sqlite, monkeypatch):
    def broken(connection) -> None:
        connection.execute(text("ALTER TABLE studies ADD COLUMN note TEXT"))
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, broken])
    with pytest.raises(RuntimeError):
        Store(sqlite.folder)
    with sqlite.read() as connection:
        assert connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "version")) == "1"
        with pytest.raises(DatabaseError):
            connection.execute(text("SELECT note FROM studies"))


def test_backup_and_restore_keep_everything(store, make, tmp_path):
    study = make(store)
    token = enter(store, study, "P01")
    finish(store, study, token)
    half = enter(store, study, "P02")
    session.screen(store, study, half)
    session.answer(store, study, half, reply(1))
    target = tmp_path / "backup.zip"
    count = export.backup(store, target)
    assert count == len(read_votes(store, study)) and stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = Store(tmp_path / "copy", None)
    assert export.restore(copy, target) == count
    assert read_votes(copy, study) == read_votes(store, study)
    screen = session.screen(copy, study, half)  # the same link goes on at the same place
    assert screen["position"] == 2
    assert session.clip(copy, study, half, screen["clips"][0]["clip"]).read_bytes()
    session.answer(copy, study, half, reply(2))
    with pytest.raises(StudyError, match="has studies already"):
        export.restore(copy, target)
    copy.close()


def test_a_backup_restores_into_postgresql_and_ids_go_on(postgres, sqlite, make, tmp_path):
    study = make(sqlite)
    token = enter(sqlite, study)
    session.screen(sqlite, study, token)
    session.answer(sqlite, study, token, reply(1))
    export.backup(sqlite, tmp_path / "b.zip")
    empty(postgres)
    other = Store(tmp_path / "pg", postgres)
    assert export.restore(other, tmp_path / "b.zip") == 1
    session.screen(other, study, token)
    session.answer(other, study, token, reply(2))
    assert [vote["position"] for vote in read_votes(other, study)] == [1, 2]
    other.close()


@pytest.mark.parametrize("name", ["clips/../../evil.mp4", "clips/x/../../../evil.mp4", "/evil.mp4", "clips/a/evil.txt"])
def test_a_backup_cannot_write_outside(sqlite, make, tmp_path, name):
    study = make(sqlite)
    export.backup(sqlite, tmp_path / "good.zip", with_clips=False)
    bad = tmp_path / "bad.zip"
    bad.write_bytes((tmp_path / "good.zip").read_bytes())
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr(name, b"x")
    copy = Store(tmp_path / "copy")
    if name.startswith("clips/"):
        with pytest.raises(StudyError, match="not a whole backup"):
            export.restore(copy, bad)
        with copy.read() as connection:
            assert studies.all_of(connection) == []
    else:
        export.restore(copy, bad)
    assert not list(tmp_path.rglob("evil*")) and study
    copy.close()


def test_export_is_complete_and_runs_nothing(store, make):
    study = make(store)
    finish(store, study, enter(store, study, "=cmd()"))
    rows = [json.loads(line) for line in export.votes_jsonl(store, study).splitlines()]
    table = export.votes_csv(store, study).splitlines()
    assert len(rows) == len(table) - 1 == len(read_votes(store, study))
    assert "label" not in rows[0] and "client_key" not in rows[0]
    assert export._harmless("=1+1") == "'=1+1" and export._harmless(3) == 3


def test_the_folder_is_private(sqlite):
    assert stat.S_IMODE(sqlite.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((sqlite.folder / "studies.db").stat().st_mode) == 0o600


KILLED = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from pathlib import Path
from asccl.study import session
from asccl.study.store import Store
from walker import enter, reply
session.MIN_WATCH_FRACTION = 0.0
store = Store(Path({folder!r}))
while True:
    token = enter(store, {study!r})
    screen = session.screen(store, {study!r}, token)
    while screen:
        position = screen["position"]
        screen = session.answer(store, {study!r}, token, reply(position))
        print(token[:22], position, flush=True)  # acknowledged
"""


@pytest.mark.parametrize("after", [1, 7, 23])
def test_kill_9_loses_no_acknowledged_vote(sqlite, make, after):
    study = make(sqlite, judgements_per_pair=1000)
    here = Path(__file__).parent
    code = KILLED.format(tests=str(here.parent / "helpers"), here=str(here), folder=str(sqlite.folder), study=study)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    told = [process.stdout.readline().split() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    told += [line.split() for line in process.stdout if line.endswith("\n")]
    process.wait()
    kept = [(vote["participant_id"], vote["position"]) for vote in read_votes(sqlite, study)]
    assert len(kept) == len(set(kept))
    assert {(person, int(position)) for person, position in told} <= set(kept)
    assert len(kept) - len(told) in (0, 1)  # one may have been stored and not yet told
    finish(sqlite, study, enter(sqlite, study))  # and the store goes on


def test_the_mirror_pushes_backups_and_starts_an_empty_store(sqlite, make, tmp_path, monkeypatch):
    pushed: dict[str, bytes] = {}

    class Hub:
        token, private = None, True

        def create_repo(self, repo_id, **options):
            assert options["private"] is True
            return type("Url", (), {"repo_id": repo_id})()

        def repo_exists(self, *_names, **_options):
            return True

        def repo_info(self, *_names, **_options):
            return type("Info", (), {"private": self.private})()

        def list_repo_files(self, *_names, **_options):
            return sorted(pushed)

        def hf_hub_download(self, _name, file, **_options):
            (tmp_path / "got.zip").write_bytes(pushed[file])
            return str(tmp_path / "got.zip")

        def run_as_future(self, work, *arguments, **options):
            future: Future = Future()
            future.set_result(work(*arguments, **options))
            return future

        def create_commit(self, operations, **_options):
            for one in operations:
                with one.as_file() as file:
                    pushed[one.path_in_repo] = file.read()

    assert mirror.start(sqlite) is None
    monkeypatch.setenv("ASCCL_STUDY_MIRROR", "somebody/answers")
    study = make(sqlite)
    finish(sqlite, study, enter(sqlite, study))
    running = mirror.start(sqlite, Hub(), minutes=60)
    running.stop()
    for _ in range(2):  # the second time nothing is new, and nothing is pushed
        running.push_to_hub()
        assert len(pushed) == 1
    public = Hub()
    public.private = False
    with pytest.raises(StudyError, match="is public"):
        mirror.start(sqlite, public)
    fresh = Store(tmp_path / "fresh")
    mirror.start(fresh, Hub(), minutes=60).stop()
    assert read_votes(fresh, study) == read_votes(sqlite, study)
    fresh.close()

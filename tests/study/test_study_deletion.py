"""A whole study is deleted: rows, clips, copies that this program reaches, and what stays for participants to read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from participant_steps import answer_first, enter_study, finish_study, make_answer
from sqlalchemy import func, select

from asccl.errors import StudyError
from asccl.study import schema
from asccl.study.answering import find_clip, record_delivery, show_trial, submit_answer
from asccl.study.export import restore_backup, write_backup
from asccl.study.participants import invite_participants
from asccl.study.session import SessionError, accept_consent, join_study, open_session
from asccl.study.store import Store
from asccl.study.studies import list_studies, renew_open_link
from asccl.study.study_deletion import delete_study

pytestmark = pytest.mark.usefixtures("no_watch_time")
CONTENT_TABLES = [table for table in schema.metadata.sorted_tables if table.name not in ("meta", "deleted_studies")]


def count_rows(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return {t.name: connection.scalar(select(func.count()).select_from(t)) for t in CONTENT_TABLES}


def deliver_a_clip(store: Store, study_id: str, token: str) -> None:
    trial = show_trial(store, study_id, token)
    record_delivery(store, find_clip(store, study_id, token, trial["clips"][0]["clip"]), 100)


def test_no_row_and_no_file_of_a_deleted_study_remains(store, new_study):
    study_id = new_study(store)
    finish_study(store, study_id, enter_study(store, study_id))
    deliver_a_clip(store, study_id, enter_study(store, study_id))
    delete_study(store, study_id)
    assert count_rows(store) == {table.name: 0 for table in CONTENT_TABLES}
    assert list((store.folder / "clips").iterdir()) == []


def test_another_study_keeps_its_rows_and_clips(store, new_study):
    kept, deleted = new_study(store), new_study(store)
    finish_study(store, kept, enter_study(store, kept))
    before, clips = count_rows(store), sorted(store.clip_path(kept, "").iterdir())
    finish_study(store, deleted, enter_study(store, deleted))
    delete_study(store, deleted)
    after = count_rows(store)
    before.update(studies=1, items=6, clips=len(clips))
    assert after == before
    assert sorted(store.clip_path(kept, "").iterdir()) == clips


def test_a_deletion_says_what_it_removed(store, new_study):
    study_id = new_study(store)
    count = finish_study(store, study_id, enter_study(store, study_id))
    clips = len(list(store.clip_path(study_id, "").iterdir()))
    deletion = delete_study(store, study_id)
    assert (deletion.title, deletion.answers, deletion.participants, deletion.clips) == (
        "Which is better?",
        count,
        1,
        clips,
    )


@pytest.mark.parametrize("dataset", [None, "somebody/answers"])
def test_a_deletion_says_which_copies_remain(sqlite, new_study, monkeypatch, dataset):
    monkeypatch.delenv("ASCCL_STUDY_MIRROR", raising=False)
    if dataset:
        monkeypatch.setenv("ASCCL_STUDY_MIRROR", dataset)
    remaining = " ".join(delete_study(sqlite, new_study(sqlite)).remaining)
    assert "Backups and exports made before" in remaining
    assert ("huggingface.co/datasets/somebody/answers/settings" in remaining) == bool(dataset)


def test_a_clip_that_cannot_be_deleted_is_reported(sqlite, new_study, monkeypatch):
    study_id = new_study(sqlite)
    monkeypatch.setattr("shutil.rmtree", lambda *_arguments, **_options: None)
    assert f"clips in {sqlite.clip_path(study_id, '')} cannot be deleted" in delete_study(sqlite, study_id).remaining[0]


@pytest.mark.parametrize("study_id", ["", "..", "../../etc", "abcdefghijk"])
def test_a_study_that_does_not_exist_cannot_be_deleted(sqlite, study_id):
    files = sorted(sqlite.folder.rglob("*"))
    with pytest.raises(StudyError, match="there is no study"):
        delete_study(sqlite, study_id)
    assert sorted(sqlite.folder.rglob("*")) == files


def test_the_database_file_keeps_no_text_of_a_deleted_study(sqlite, new_study):
    study_id = new_study(sqlite, title="A title to forget")
    enter_study(sqlite, study_id, "Label-to-forget")
    delete_study(sqlite, study_id)
    content = b"".join(path.read_bytes() for path in sqlite.folder.glob("studies.db*"))
    assert b"to forget" not in content
    assert b"Label-to-forget" not in content


def test_a_backup_that_was_not_pushed_is_deleted_with_a_study(sqlite, new_study):
    study_id = new_study(sqlite)
    unsent = sqlite.folder / "mirror" / "2026.zip"
    unsent.parent.mkdir()
    write_backup(sqlite, unsent)
    delete_study(sqlite, study_id)
    assert not unsent.exists()


def test_every_step_of_a_participant_is_refused_after_the_deletion(store, new_study):
    study_id = new_study(store)
    token = enter_study(store, study_id)
    clip = show_trial(store, study_id, token)["clips"][0]["clip"]
    open_token = renew_open_link(store, study_id)
    delete_study(store, study_id)
    steps = (
        lambda: open_session(store, study_id, token),
        lambda: show_trial(store, study_id, token),
        lambda: submit_answer(store, study_id, token, make_answer(1)),
        lambda: find_clip(store, study_id, token, clip),
        lambda: accept_consent(store, study_id, token),
        lambda: join_study(store, study_id, open_token),
    )
    for step in steps:
        with pytest.raises(SessionError, match="deleted"):
            step()


def test_a_deletion_while_participants_join_and_answer_leaves_no_row(store, new_study):
    study_id = new_study(store, judgements_per_pair=1000)
    open_token = renew_open_link(store, study_id)
    refusals, begun = [], threading.Barrier(7)

    def take_part(number: int) -> None:
        begun.wait()
        try:
            while True:
                if number % 3 == 0:
                    join_study(store, study_id, open_token)
                elif number % 3 == 1:
                    invite_participants(store, study_id, ["x"])
                else:
                    token = enter_study(store, study_id)
                    deliver_a_clip(store, study_id, token)
                    answer_first(store, study_id, token)
        except Exception as error:
            refusals.append(error)

    threads = [threading.Thread(target=take_part, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    begun.wait()
    for _ in range(3):
        answer_first(store, study_id, enter_study(store, study_id))
    delete_study(store, study_id)
    for thread in threads:
        thread.join()
    assert {type(error) for error in refusals} <= {SessionError, StudyError}, refusals
    assert count_rows(store) == {table.name: 0 for table in CONTENT_TABLES}


def test_an_old_backup_does_not_bring_a_deleted_study_back(store, new_study, tmp_path):
    deleted, kept = new_study(store), new_study(store)
    finish_study(store, deleted, enter_study(store, deleted))
    write_backup(store, tmp_path / "old.zip")
    for study_id in (deleted, kept):
        delete_study(store, study_id)
    with store.write() as connection:  # as if only one of the two had been deleted
        connection.execute(schema.deleted_studies.delete().where(schema.deleted_studies.c.id == kept))
    assert restore_backup(store, tmp_path / "old.zip") == 0
    with store.read() as connection:
        assert [study.id for study in list_studies(connection)] == [kept]
    assert [path.name for path in (store.folder / "clips").iterdir()] == [kept]
    with pytest.raises(SessionError, match="deleted"):
        open_session(store, deleted, "x" * 65)


def test_a_backup_passes_the_deletion_on_to_a_new_store(sqlite, new_study, tmp_path):
    study_id = new_study(sqlite, language="de")
    delete_study(sqlite, study_id)
    write_backup(sqlite, tmp_path / "new.zip")
    other = Store(tmp_path / "other")
    restore_backup(other, tmp_path / "new.zip")
    with pytest.raises(SessionError, match="deleted"):
        open_session(other, study_id, "x" * 65)
    other.close()


def test_a_backup_contains_the_clips_of_stored_studies_alone(sqlite, new_study, tmp_path):
    study_id = new_study(sqlite)
    stray = sqlite.clip_path("abcdefghijk", "face.mp4")
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    write_backup(sqlite, tmp_path / "b.zip")
    other = Store(tmp_path / "other")
    restore_backup(other, tmp_path / "b.zip")
    assert [path.name for path in Path(other.folder, "clips").iterdir()] == [study_id]
    other.close()

"""Exports are complete and harmless; backups keep everything and cannot write outside the store."""

from __future__ import annotations

import json
import stat
import zipfile

import pytest
from participant_steps import answer_first, empty_database, enter_study, finish_study

from asccl.errors import StudyError
from asccl.study import export
from asccl.study.answering import find_clip, show_trial
from asccl.study.export import restore_backup, votes_csv, votes_jsonl, write_backup
from asccl.study.store import Store
from asccl.study.studies import list_studies
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


def test_an_export_has_every_answer_and_no_internal_columns(store, new_study):
    study_id = new_study(store)
    count = finish_study(store, study_id, enter_study(store, study_id, "P01"))
    rows = [json.loads(line) for line in votes_jsonl(store, study_id).splitlines()]
    assert len(rows) == count
    assert len(votes_csv(store, study_id).splitlines()) == count + 1
    assert not {"label", "client_key"} & set(rows[0])


def test_a_spreadsheet_runs_no_cell(monkeypatch):
    monkeypatch.setattr(export, "read_votes", lambda store, study_id: [{"item": "=1+1", "position": 3}])
    cells = votes_csv(None, "").splitlines()[1].split(",")
    assert {"'=1+1", "3"} <= set(cells)


def test_backup_and_restore_keep_everything(store, new_study, tmp_path):
    study_id = new_study(store)
    finish_study(store, study_id, enter_study(store, study_id, "P01"))
    token = enter_study(store, study_id, "P02")
    trial = answer_first(store, study_id, token)
    backup = tmp_path / "backup.zip"
    count = write_backup(store, backup)
    assert count == len(read_votes(store, study_id))
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    copy = Store(tmp_path / "copy", None)
    assert restore_backup(copy, backup) == count
    assert read_votes(copy, study_id) == read_votes(store, study_id)
    assert show_trial(copy, study_id, token) == trial  # the same link continues at the same question
    assert find_clip(copy, study_id, token, trial["clips"][0]["clip"]).path.read_bytes()
    answer_first(copy, study_id, token)
    with pytest.raises(StudyError, match="has studies already"):
        restore_backup(copy, backup)
    copy.close()


def test_a_backup_of_the_first_schema_can_be_restored(sqlite, new_study, tmp_path):
    study_id = new_study(sqlite)
    finish_study(sqlite, study_id, enter_study(sqlite, study_id))
    backup, older = tmp_path / "backup.zip", tmp_path / "older.zip"
    write_backup(sqlite, backup)
    with zipfile.ZipFile(backup) as archive, zipfile.ZipFile(older, "w") as copy:
        for name in set(archive.namelist()) - {"deliveries.jsonl"}:
            copy.writestr(name, '{"schema": 1}' if name == export.INFO_FILE else archive.read(name))
    restored = Store(tmp_path / "copy")
    assert restore_backup(restored, older) == len(read_votes(sqlite, study_id))
    restored.close()
    Store(tmp_path / "copy").close()  # opens without another migration


def test_a_backup_restores_into_postgresql_and_ids_continue(postgres, sqlite, new_study, tmp_path):
    study_id = new_study(sqlite)
    token = enter_study(sqlite, study_id)
    answer_first(sqlite, study_id, token)
    write_backup(sqlite, tmp_path / "b.zip")
    empty_database(postgres)
    other = Store(tmp_path / "pg", postgres)
    assert restore_backup(other, tmp_path / "b.zip") == 1
    answer_first(other, study_id, token)
    assert [vote["position"] for vote in read_votes(other, study_id)] == [1, 2]
    other.close()


def forge_backup(store: Store, folder, name: str):
    """Write a backup with one more entry."""
    write_backup(store, folder / "forged.zip", with_clips=False)
    with zipfile.ZipFile(folder / "forged.zip", "a") as archive:
        archive.writestr(name, b"x")
    return folder / "forged.zip"


@pytest.mark.parametrize("name", ["clips/../../evil.mp4", "clips/x/../../../evil.mp4", "clips/a/evil.txt"])
def test_a_backup_with_a_path_that_leads_out_is_refused(sqlite, new_study, tmp_path, name):
    new_study(sqlite)
    copy = Store(tmp_path / "copy")
    with pytest.raises(StudyError, match="not a complete backup"):
        restore_backup(copy, forge_backup(sqlite, tmp_path, name))
    with copy.read() as connection:
        assert list_studies(connection) == []
    assert list(tmp_path.rglob("evil*")) == []
    copy.close()


@pytest.mark.parametrize("damaged", ["studies.jsonl", "votes.jsonl"])
def test_a_backup_with_an_unknown_column_is_refused(sqlite, new_study, tmp_path, damaged):
    new_study(sqlite)
    write_backup(sqlite, tmp_path / "b.zip", with_clips=False)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive, zipfile.ZipFile(tmp_path / "d.zip", "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, '{"id": "x", "colour": 1}' if name == damaged else archive.read(name))
    restored = Store(tmp_path / "copy")
    with pytest.raises(StudyError, match="not a complete backup"):
        restore_backup(restored, tmp_path / "d.zip")
    restored.close()


def test_other_files_in_a_backup_are_ignored(sqlite, new_study, tmp_path):
    new_study(sqlite)
    copy = Store(tmp_path / "copy")
    restore_backup(copy, forge_backup(sqlite, tmp_path, "/evil.mp4"))
    assert list(tmp_path.rglob("evil*")) == []
    copy.close()

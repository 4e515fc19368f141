"""Folders that a killed process left are removed; those of a running one, of a study or of another store stay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from media import ROOT

from asccl.study.clip_folders import MARK_SUFFIX, remove_abandoned_folders, unfinished_folder
from asccl.study.export import restore_backup, write_backup
from asccl.study.store import Store
from asccl.study.study_deletion import delete_study
from asccl.study.web.serve import LazyStore

CREATING_PROCESS = """
import sys, time
from pathlib import Path
from asccl.study import studies
from asccl.study.manifest import read_items
from asccl.study.plan import parse_plan
from asccl.study.store import Store

def report(line):
    if line.startswith("2 of"):
        print("working", flush=True)
        time.sleep(600)

store = Store(Path({folder!r}))
studies.create_study(store, parse_plan({{"title": "t"}}), read_items(Path({clips!r})), report)
"""


@pytest.fixture
def creating_process(sqlite, clips):
    """A process that has written the clips of one item of a new study and works on."""
    code = CREATING_PROCESS.format(folder=str(sqlite.folder), clips=str(clips))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout.readline() == "working\n"
        yield process
        process.kill()


def folder_names(store: Store) -> list[str]:
    return [path.name for path in (store.folder / "clips").iterdir()]


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_folder_of_a_running_creation_stays(sqlite, creating_process):
    before = sorted(path for path in sqlite.folder.rglob("*.mp4"))
    remove_abandoned_folders(sqlite)
    assert sorted(path for path in sqlite.folder.rglob("*.mp4")) == before != []


def test_the_next_creation_removes_the_folder_of_a_killed_one(sqlite, creating_process, new_study):
    kill(creating_process)
    assert len(folder_names(sqlite)) == 2
    study_id = new_study(sqlite)
    assert folder_names(sqlite) == [study_id]


def test_the_next_start_of_the_server_removes_the_folder_of_a_killed_creation(sqlite, creating_process, monkeypatch):
    kill(creating_process)
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(sqlite.folder))
    monkeypatch.delenv("ASCCL_STUDY_MIRROR", raising=False)
    LazyStore(create=True)().close()
    assert folder_names(sqlite) == []


def test_another_database_on_the_same_clips_removes_nothing(sqlite, creating_process, tmp_path):
    kill(creating_process)
    before = sorted(folder_names(sqlite))
    other = Store(tmp_path / "other")
    shutil.rmtree(other.folder / "clips")
    (other.folder / "clips").symlink_to(sqlite.folder / "clips")
    remove_abandoned_folders(other)
    assert sorted(folder_names(sqlite)) == before
    other.close()


def test_the_clips_of_a_study_stay_although_their_mark_was_left(sqlite, new_study):
    study_id = new_study(sqlite)
    mark = sqlite.folder / "clips" / f"{study_id}{MARK_SUFFIX}"
    mark.write_text(sqlite.signer.folder_mark(study_id))
    clips = sorted(sqlite.clip_path(study_id, "").iterdir())
    remove_abandoned_folders(sqlite)
    assert sorted(sqlite.clip_path(study_id, "").iterdir()) == clips
    assert not mark.exists()


def test_a_folder_without_a_mark_is_named_and_stays(sqlite, new_study):
    new_study(sqlite)
    unknown = sqlite.folder / "clips" / "abcdefghijk"
    unknown.mkdir()
    assert remove_abandoned_folders(sqlite) == [unknown]
    assert unknown.exists()


def test_the_server_names_a_folder_of_no_study(sqlite, monkeypatch, caplog):
    (sqlite.folder / "clips" / "abcdefghijk").mkdir()
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(sqlite.folder))
    monkeypatch.delenv("ASCCL_STUDY_MIRROR", raising=False)
    LazyStore(create=True)().close()
    assert "abcdefghijk belongs to no study of this store" in caplog.text


def test_clips_that_a_killed_deletion_left_are_removed(sqlite, new_study, monkeypatch):
    study_id = new_study(sqlite)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_arguments, **_options: None)
        delete_study(sqlite, study_id)
    assert len(list(sqlite.clip_path(study_id, "").iterdir())) > 0
    remove_abandoned_folders(sqlite)
    assert folder_names(sqlite) == []


def test_a_finished_folder_has_no_mark(sqlite):
    with unfinished_folder(sqlite, "upload-x") as folder:
        folder.mkdir()
        assert f"upload-x{MARK_SUFFIX}" in folder_names(sqlite)
        folder.rmdir()
    assert folder_names(sqlite) == []


def test_a_restoration_that_fails_leaves_no_clips(sqlite, new_study, tmp_path, monkeypatch):
    new_study(sqlite)
    write_backup(sqlite, tmp_path / "b.zip")
    other = Store(tmp_path / "other")

    def fail(_self, _content: bytes) -> int:
        raise ValueError("the disk is full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(Exception, match="not a complete backup"):
        restore_backup(other, tmp_path / "b.zip")
    assert folder_names(other) == []
    other.close()

"""Backups are pushed to a private dataset of the Hub, and an empty store starts from the newest one."""

from __future__ import annotations

import atexit
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from participant_steps import enter_study, finish_study

from asccl.errors import StudyError
from asccl.study.hub_backup import start_hub_backup
from asccl.study.participants import revoke_link
from asccl.study.session import SessionError, open_session
from asccl.study.store import Store
from asccl.study.studies import list_studies
from asccl.study.study_deletion import delete_study
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


class FakeHub:
    """The part of `HfApi` that a scheduler uses, with one dataset in memory."""

    token = None

    def __init__(self, folder, private: bool = True):
        self.folder, self.private = folder, private
        self.files: dict[str, bytes] = {}

    def create_repo(self, repo_id, **options):
        assert options["private"] is True
        return SimpleNamespace(repo_id=repo_id)

    def repo_exists(self, *_arguments, **_options):
        return True

    def repo_info(self, *_arguments, **_options):
        return SimpleNamespace(private=self.private)

    def list_repo_files(self, *_arguments, **_options):
        return sorted(self.files)

    def hf_hub_download(self, _name, file, **_options):
        path = self.folder / "downloaded.zip"
        path.write_bytes(self.files[file])
        return str(path)

    def run_as_future(self, work, *arguments, **options):
        future: Future = Future()
        future.set_result(work(*arguments, **options))
        return future

    def create_commit(self, operations, **_options):
        for operation in operations:
            with operation.as_file() as file:
                self.files[operation.path_in_repo] = file.read()


@pytest.fixture
def dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASCCL_STUDY_MIRROR", "somebody/answers")


def test_nothing_is_pushed_unless_a_dataset_is_set(sqlite):
    assert start_hub_backup(sqlite) is None


@pytest.mark.usefixtures("dataset")
def test_a_public_dataset_is_refused(sqlite, tmp_path):
    with pytest.raises(StudyError, match="is public"):
        start_hub_backup(sqlite, FakeHub(tmp_path, private=False))


@pytest.mark.usefixtures("dataset")
def test_nothing_is_pushed_before_the_scheduler_is_constructed(sqlite, new_study, tmp_path, monkeypatch):
    hub, counts = FakeHub(tmp_path), []
    new_study(sqlite)

    def wait_for_the_thread(_work) -> None:  # the last step of the constructor; the thread has started before
        time.sleep(0.2)
        counts.append(len(hub.files))

    monkeypatch.setattr(atexit, "register", wait_for_the_thread)
    start_hub_backup(sqlite, hub, interval=60).stop()
    assert counts == [0]


@pytest.mark.usefixtures("dataset")
def test_a_backup_is_pushed_once_and_starts_an_empty_store(sqlite, new_study, tmp_path):
    hub = FakeHub(tmp_path)
    study_id = new_study(sqlite)
    finish_study(sqlite, study_id, enter_study(sqlite, study_id))
    scheduler = start_hub_backup(sqlite, hub, interval=60)
    scheduler.stop()
    for _ in range(2):  # the second time nothing is new, and nothing is pushed
        scheduler.push_to_hub()
        assert len(hub.files) == 1
    restored = Store(tmp_path / "restored")
    start_hub_backup(restored, hub, interval=60).stop()
    assert read_votes(restored, study_id) == read_votes(sqlite, study_id)
    restored.close()


@pytest.mark.usefixtures("dataset")
def test_a_deleted_study_stays_deleted_in_a_restored_store(sqlite, new_study, tmp_path):
    hub = FakeHub(tmp_path)
    study_id = new_study(sqlite)
    token = enter_study(sqlite, study_id)
    scheduler = start_hub_backup(sqlite, hub, interval=60)
    scheduler.push_to_hub()
    delete_study(sqlite, study_id)
    scheduler.push_to_hub()
    scheduler.stop()
    assert len(hub.files) == 2
    restored = Store(tmp_path / "restored")
    start_hub_backup(restored, hub, interval=60).stop()
    with pytest.raises(SessionError, match="deleted"):
        open_session(restored, study_id, token)
    assert list((restored.folder / "clips").iterdir()) == []
    restored.close()


@pytest.mark.usefixtures("dataset")
def test_a_store_whose_only_study_was_deleted_is_not_restored(sqlite, new_study, tmp_path):
    hub = FakeHub(tmp_path)
    study_id = new_study(sqlite)
    scheduler = start_hub_backup(sqlite, hub, interval=60)
    scheduler.push_to_hub()
    scheduler.stop()
    delete_study(sqlite, study_id)
    start_hub_backup(sqlite, hub, interval=60).stop()
    with sqlite.read() as connection:
        assert list_studies(connection) == []


@pytest.mark.usefixtures("dataset")
def test_a_revoked_link_stays_revoked_in_a_restored_store(sqlite, new_study, tmp_path):
    hub = FakeHub(tmp_path)
    study_id = new_study(sqlite)
    token = enter_study(sqlite, study_id)
    scheduler = start_hub_backup(sqlite, hub, interval=60)
    scheduler.push_to_hub()
    revoke_link(sqlite, study_id, token[:22])
    scheduler.push_to_hub()
    scheduler.stop()
    restored = Store(tmp_path / "restored")
    start_hub_backup(restored, hub, interval=60).stop()
    with pytest.raises(SessionError, match="invalid"):
        open_session(restored, study_id, token)
    restored.close()

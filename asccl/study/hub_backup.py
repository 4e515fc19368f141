"""Backups of the store in a private dataset on the Hugging Face Hub, for a Space whose disk is not persistent.

`ASCCL_STUDY_MIRROR=owner/name` turns them on; the Hub's token is `HF_TOKEN` of the environment. A backup is pushed
every few minutes if there is anything new; an empty store starts from the newest one. Answers given after the last push
are lost with the disk: where that matters, use a persistent disk or PostgreSQL.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from asccl.errors import StudyError
from asccl.study.export import restore_backup, write_backup
from asccl.study.schema import deleted_studies, deletions, meta, participants, studies, votes
from asccl.study.store import MIRROR_FOLDER, Store, utc_now

if TYPE_CHECKING:
    from huggingface_hub import CommitScheduler, HfApi

log = logging.getLogger("asccl.study")
PUSH_INTERVAL = 5.0  # minutes


def start_hub_backup(store: Store, api: HfApi | None = None, interval: float = PUSH_INTERVAL) -> CommitScheduler | None:
    """Restore the newest backup into an empty store, and push backups from now on.

    Args:
        store: what is backed up.
        api: client of the Hub; None for the default one.
        interval: minutes between two pushes.

    Returns:
        The running scheduler; None where `ASCCL_STUDY_MIRROR` is not set.

    Raises:
        StudyError: the dataset is public or cannot be used.
    """
    dataset = os.environ.get("ASCCL_STUDY_MIRROR")
    if not dataset:
        return None
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    (store.folder / MIRROR_FOLDER).mkdir(mode=0o700, exist_ok=True)
    api = api or HfApi()
    try:
        _restore_newest(store, api, dataset)
        return _start_scheduler(store, api, dataset, interval)
    except (HfHubHTTPError, HTTPError, OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StudyError(
            f"the dataset {dataset} cannot be used for backups ({reason})",
            "set HF_TOKEN, or unset ASCCL_STUDY_MIRROR",
        ) from None


def _start_scheduler(store: Store, api: HfApi, dataset: str, interval: float) -> CommitScheduler:
    from huggingface_hub import CommitScheduler

    push_lock = threading.Lock()

    class BackupScheduler(CommitScheduler):
        """Writes a backup under a new name before each push, if there is anything new."""

        pushed_digest = ""

        def __init__(self, **options: Any):
            self._constructed = threading.Event()
            super().__init__(**options)
            self._constructed.set()

        def trigger(self) -> Future[Any]:
            # The thread of the base class starts inside of its constructor, in some versions before all is set.
            self._constructed.wait()
            return super().trigger()

        def push_to_hub(self) -> Any:
            with push_lock:  # the last push, when the server stops, may coincide with a running one
                digest = _digest(store)
                if digest in ("", self.pushed_digest):
                    return None
                with self.lock:
                    target = Path(self.folder_path) / f"{utc_now().replace(':', '-').replace('+00-00', 'Z')}.zip"
                    write_backup(store, target)
                commit = super().push_to_hub()
                self.pushed_digest = digest
                target.unlink(missing_ok=True)
                return commit

    return BackupScheduler(
        repo_id=dataset,
        repo_type="dataset",
        folder_path=store.folder / MIRROR_FOLDER,
        every=interval,
        private=True,
        hf_api=api,
        allow_patterns="*.zip",
    )


def _digest(store: Store) -> str:
    """Return a hash of the store's content, empty if it never had a study. Rows of two tables never change."""
    digest = hashlib.sha256()
    with store.read() as connection:
        tables = (studies, deleted_studies)
        if not any(connection.scalar(select(func.count()).select_from(table)) for table in tables):
            return ""
        for table in (meta, *tables, participants):
            for row in connection.execute(select(table).order_by(*table.primary_key)):
                digest.update(repr(tuple(row)).encode("utf-8", "surrogatepass"))
        for table in (votes, deletions):
            digest.update(str(connection.scalar(select(func.count()).select_from(table))).encode())
    return digest.hexdigest()


def _restore_newest(store: Store, api: HfApi, dataset: str) -> None:
    """Restore the newest backup, if there is one, into an empty store. Raises StudyError if the dataset is public."""
    if not api.repo_exists(dataset, repo_type="dataset"):
        return
    if not api.repo_info(dataset, repo_type="dataset").private:
        raise StudyError(
            f"the dataset {dataset} is public, and a backup contains the key of all links", "make it private"
        )
    if _digest(store):
        return
    backups = sorted(path for path in api.list_repo_files(dataset, repo_type="dataset") if path.endswith(".zip"))
    if backups:
        path = Path(api.hf_hub_download(dataset, backups[-1], repo_type="dataset"))
        log.warning("restored %d answers from the dataset %s", restore_backup(store, path), dataset)

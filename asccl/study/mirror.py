"""Copies of the store to a private data set of the Hub, for a Space whose disk is not kept. Off unless asked for.

`ASCCL_STUDY_MIRROR=owner/name` turns it on; the Hub's token is the environment's `HF_TOKEN`. A backup is pushed every
few minutes when there are new answers; an empty store starts from the newest one. What was answered after the last
push is lost with the disk: where that matters, use a kept disk or PostgreSQL.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from asccl.errors import StudyError
from asccl.study.export import backup, restore
from asccl.study.schema import deletions, participants, studies, votes
from asccl.study.store import Store, now

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger("asccl.study")
MINUTES = 5.0
FOLDER = "mirror"


def start(store: Store, api: HfApi | None = None, minutes: float = MINUTES) -> Any | None:
    """A running `CommitScheduler`, or None where no mirror is asked for. Raises StudyError where the Hub refuses."""
    name = os.environ.get("ASCCL_STUDY_MIRROR")
    if not name:
        return None
    from huggingface_hub import CommitScheduler, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    class Backups(CommitScheduler):
        """Makes a backup first, where there is anything new; every one has a name of its own."""

        seen: tuple[int, ...] = ()

        def push_to_hub(self) -> Any:
            told = state(store)
            if told == self.seen or not any(told):
                return None
            with self.lock:
                target = Path(self.folder_path) / f"{now().replace(':', '-').replace('+00-00', 'Z')}.zip"
                backup(store, target)
            done = super().push_to_hub()
            self.seen = told
            target.unlink(missing_ok=True)
            return done

    folder = store.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        fetch(store, api or HfApi(), name)
        return Backups(
            repo_id=name, repo_type="dataset", folder_path=folder, every=minutes, private=True, hf_api=api,
            allow_patterns="*.zip",
        )  # fmt: skip
    except (HfHubHTTPError, HTTPError, OSError, ValueError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise StudyError(
            f"the mirror {name} cannot be used ({said})", "set HF_TOKEN, or unset ASCCL_STUDY_MIRROR"
        ) from None


def state(store: Store) -> tuple[int, ...]:
    """Changes whenever something happened that a backup should have."""
    with store.read() as connection:
        tables = (studies, participants, votes, deletions)
        return tuple(connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def fetch(store: Store, api: HfApi, name: str) -> None:
    """Into an empty store, the newest backup of the mirror, if there is one."""
    if not api.repo_exists(name, repo_type="dataset"):
        return
    if not api.repo_info(name, repo_type="dataset").private:
        raise StudyError(f"the mirror {name} is public, and a backup holds the key of all links", "make it private")
    if any(state(store)):
        return
    found = sorted(path for path in api.list_repo_files(name, repo_type="dataset") if path.endswith(".zip"))
    if found:
        path = Path(api.hf_hub_download(name, found[-1], repo_type="dataset"))
        log.warning("took %d answers from the mirror %s", restore(store, path), name)

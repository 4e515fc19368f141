"""Deletion of a whole study: answers, participants, links, plan and clips."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, literal, select

from asccl.errors import SettingError
from asccl.study.clip_folders import unfinished_folder
from asccl.study.schema import (
    clips,
    deleted_studies,
    deletions,
    deliveries,
    items,
    participants,
    studies,
    trials,
    votes,
)
from asccl.study.store import Store, utc_now
from asccl.study.studies import forget_study, load_study


@dataclass(frozen=True)
class StudyDeletion:
    """What the deletion of a study removed, and what it could not remove.

    Attributes:
        title: of the study.
        answers: number of deleted answers.
        participants: number of deleted participants.
        clips: number of deleted clips.
        remaining: a sentence for each kind of copy that this program does not reach.
    """

    title: str
    answers: int
    participants: int
    clips: int
    remaining: tuple[str, ...]

    def summary(self) -> str:
        """Return in one sentence what was removed."""
        return (
            f"deleted the study “{self.title}” with its plan and all links: {self.answers} answers, "
            f"{self.participants} participants, {self.clips} clips"
        )


def check_title(title: str, typed: str) -> None:
    """Check what was typed to confirm a deletion; only differences in white space are accepted.

    Args:
        title: of the study.
        typed: what the researcher typed.

    Raises:
        SettingError: the texts differ.
    """
    if title.split() != typed.split():
        raise SettingError("that is not the title of the study, and nothing was deleted", "type the title as shown")


def delete_study(store: Store, study_id: str) -> StudyDeletion:
    """Delete a study and its clips; only its id, its language, the time and the numbers remain.

    Args:
        store: where the study is kept.
        study_id: which study.

    Raises:
        StudyError: there is no such study.
        OutputError: the folder of the clips cannot be written; the study is unchanged.
    """
    with store.read() as connection:
        title = load_study(connection, study_id).plan.title
    with unfinished_folder(store, study_id) as folder:
        with store.write() as connection:
            answers, people = erase_study(connection, study_id)
        forget_study(study_id)
        files = list(folder.glob("*"))
        shutil.rmtree(folder, ignore_errors=True)
        left = [path for path in files if path.exists()]
    store.overwrite_deleted()
    store.discard_unsent_backups()
    remaining = list(_remaining_copies())
    if left:
        remaining.insert(0, f"{len(left)} clips in {folder} cannot be deleted: correct its permissions and delete it.")
    return StudyDeletion(title, answers, people, len(files) - len(left), tuple(remaining))


def erase_study(connection: Connection, study_id: str) -> tuple[int, int]:
    """Delete all rows of a study and record the deletion, inside a transaction.

    Args:
        connection: a transaction that writes.
        study_id: which study.

    Returns:
        The numbers of deleted answers and participants.

    Raises:
        StudyError: there is no such study.
    """
    # Whatever a participant stores locks the row of the study first (`load_study`): it ends before this, or finds none.
    connection.execute(select(studies.c.id).where(studies.c.id == study_id).with_for_update())
    language = load_study(connection, study_id).plan.language
    for table in (participants, trials):
        connection.execute(select(table.c.id).where(table.c.study_id == study_id).order_by("id").with_for_update())
    answers, people = (
        connection.scalar(select(func.count()).select_from(table).where(table.c.study_id == study_id)) or 0
        for table in (votes, participants)
    )
    now = utc_now()
    rows = select(participants.c.id, participants.c.study_id, literal(now), literal(0))
    names = ["participant_id", "study_id", "deleted_at", "votes"]
    # The database deletes no vote before the deletion of its participant is recorded.
    connection.execute(insert(deletions).from_select(names, rows.where(participants.c.study_id == study_id)))
    own_trials = select(trials.c.id).where(trials.c.study_id == study_id)
    connection.execute(delete(deliveries).where(deliveries.c.trial_id.in_(own_trials)))
    for table in (votes, trials, participants, clips, items, deletions):
        connection.execute(delete(table).where(table.c.study_id == study_id))
    connection.execute(delete(studies).where(studies.c.id == study_id))
    record = {"id": study_id, "language": language, "deleted_at": now, "votes": answers, "participants": people}
    connection.execute(insert(deleted_studies).values(record))
    return answers, people


def _remaining_copies() -> list[str]:
    """Return a sentence for each place where copies may remain."""
    sentences = [
        "Backups and exports made before still contain the study: delete those files, too. "
        "A backup that is restored into this store does not bring the study back."
    ]
    if dataset := os.environ.get("ASCCL_STUDY_MIRROR"):
        sentences.append(
            f"The dataset {dataset} on the Hub keeps earlier backups with answers and clips, also in its history. "
            "The next one no longer contains the study, and a new server starts from that. To remove the earlier ones, "
            f"delete the dataset at https://huggingface.co/datasets/{dataset}/settings and restart the server: "
            "it creates the dataset again."
        )
    return sentences

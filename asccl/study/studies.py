"""Studies: created once from a plan and its clips; afterwards only closed, opened again, or given another open link."""

from __future__ import annotations

import hashlib
import random
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from asccl.errors import InputError, StudyError
from asccl.study import schema, tokens
from asccl.study.clip_folders import remove_abandoned_folders, unfinished_folder
from asccl.study.design import MethodPair, expected_minutes, method_pairs
from asccl.study.manifest import Item
from asccl.study.plan import StudyPlan
from asccl.study.store import Store, is_write, utc_now
from asccl.version import __version__

if TYPE_CHECKING:
    from asccl.study.clips import ClipInfo

MAX_CACHED_STUDIES = 50
MAX_BROKEN_ITEMS = 6  # items that get a broken clip: enough that no participant sees one too often
_study_factories: dict[str, Callable[..., Study]] = {}  # study id -> constructor that has the immutable parts


@dataclass(frozen=True)
class Study:
    """A stored study.

    Attributes:
        id: name of the study in links.
        plan_sha256: hash of the plan.
        created_at: ISO 8601.
        closed_at: when it was closed by hand, ISO 8601, or None.
        open_serial: serial number of the open link; there is none at 0 or below.
        plan: the settings.
        items: item name -> (emotion, setting).
        methods: in alphabetical order.
        broken: items that have a broken clip.
        files: (item, role, method) -> (file name, seconds).
    """

    id: str
    plan_sha256: str
    created_at: str
    closed_at: str | None
    open_serial: int
    plan: StudyPlan
    items: dict[str, tuple[str, str]]
    methods: tuple[str, ...]
    broken: tuple[str, ...]
    files: dict[tuple[str, str, str], tuple[str, float]] = field(default_factory=dict)

    def method_pairs(self) -> list[MethodPair]:
        """Return every pair of methods of every item."""
        return method_pairs(sorted(self.items), self.methods)

    def is_closed(self) -> bool:
        """Return whether the study was closed by hand or by the date in its plan."""
        closes = self.plan.closes
        return self.closed_at is not None or (
            closes is not None and datetime.now(UTC) >= datetime.fromisoformat(closes)
        )

    def expected_minutes(self) -> int:
        """Return how many minutes a participant will need."""
        seconds = [length for (_, role, _), (_, length) in self.files.items() if role == "output"]
        mean_seconds = sum(seconds) / len(seconds) if seconds else 0.0
        return expected_minutes(self.plan, len(self.method_pairs()), mean_seconds)

    def answers_needed(self) -> int:
        """Return how many answers each pair needs, over all questions."""
        return self.plan.judgements_per_pair * len(self.plan.questions)


def create_study(
    store: Store, plan: StudyPlan, items: Sequence[Item], report: Callable[[str], None] = lambda line: None
) -> tuple[str, list[str]]:
    """Copy the clips of a study into the store and insert the study.

    Args:
        store: where the study is kept.
        plan: the settings.
        items: what is compared, with the files of all clips.
        report: gets a line of progress for each item.

    Returns:
        The id of the study, and a line for each difference that could reveal the methods of an item.

    Raises:
        InputError: a clip is missing or cannot be used; the store is unchanged.
        OutputError: a clip cannot be written; the store is unchanged.
    """
    _check_context_clips(plan, items)
    study_id = tokens.new_study_id()
    remove_abandoned_folders(store)
    with unfinished_folder(store, study_id) as folder:
        folder.mkdir(mode=0o700)
        try:
            clips, warnings = _import_items(folder, plan, items, report)
            _insert_study(store, study_id, plan, items, clips)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return study_id, warnings


def _insert_study(
    store: Store, study_id: str, plan: StudyPlan, items: Sequence[Item], clips: Sequence[dict[str, Any]]
) -> None:
    """Insert the rows of a new study.

    Args:
        store: where the study is kept.
        study_id: of the new study.
        plan: the settings.
        items: what is compared.
        clips: rows of the table `clips`, without the id of the study.
    """
    with store.write() as connection:
        row = {
            "id": study_id,
            "title": plan.title,
            "created_at": utc_now(),
            "plan": plan.to_json(),
            "plan_sha256": plan.sha256(),
            "version": __version__,
            "joined": 0,
            "open_serial": 0,
        }
        connection.execute(insert(schema.studies).values(row))
        names = [{"name": item.name, "emotion": item.emotion, "setting": item.setting} for item in items]
        for table, rows in ((schema.items, names), (schema.clips, clips)):
            connection.execute(insert(table), [{"study_id": study_id, **values} for values in rows])


def _check_context_clips(plan: StudyPlan, items: Sequence[Item]) -> None:
    for question in plan.questions:
        for role in question.show:
            missing = [item.name for item in items if getattr(item, role) is None]
            if missing:
                raise InputError(
                    f"question {question.id} shows the {role}, and {missing[0]} has none",
                    f"add {role}.mp4, or leave the question out in the study file",
                )


def _import_items(
    folder: Path, plan: StudyPlan, items: Sequence[Item], report: Callable[[str], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Copy all clips under random names. Return the rows of the table `clips`, and warnings."""
    from asccl.study.clips import describe_differences, import_clip, write_broken_clip  # slow to import

    rng = random.Random(plan.seed)
    names = [item.name for item in items]
    items_with_broken = set(rng.sample(names, min(MAX_BROKEN_ITEMS, len(items))) if plan.broken else ())
    rows, warnings = [], []
    for number, item in enumerate(items, 1):
        report(f"{number} of {len(items)}: {item.name}")
        outputs: dict[str, ClipInfo] = {}
        for role, method, path in _item_clips(item):
            target = _random_path(folder)
            info = import_clip(path, target, plan.same_codec)
            rows.append(_clip_row(item.name, role, method, target, info))
            if role == "output":
                outputs[method] = info
        warnings += [f"{item.name}: the methods differ in {text}" for text in describe_differences(outputs)]
        if item.name in items_with_broken:
            target = _random_path(folder)
            info = write_broken_clip(rng.choice(sorted(item.outputs.values())), target, rng)
            rows.append(_clip_row(item.name, "broken", "", target, info))
    return rows, warnings


def _random_path(folder: Path) -> Path:
    return folder / f"{secrets.token_hex(12)}.mp4"


def _item_clips(item: Item) -> Iterable[tuple[str, str, Path]]:
    """Yield (role, method, file) of each clip."""
    if item.source is not None:
        yield "source", "", item.source
    if item.reference is not None:
        yield "reference", "", item.reference
    for method, path in item.outputs.items():
        yield "output", method, path


def _clip_row(item: str, role: str, method: str, path: Path, info: ClipInfo) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"item": item, "role": role, "method": method, "file": path.name, "sha256": digest, **vars(info)}


def load_study(connection: Connection, study_id: str) -> Study:
    """Return a study; a transaction that writes keeps it from being deleted. Raises StudyError if there is none."""
    query = select(schema.studies).where(schema.studies.c.id == study_id)
    if is_write(connection):
        query = query.with_for_update(read=True, key_share=True)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise StudyError(f"there is no study {study_id[:20]!r}", "`python -m asccl study status` lists them")
    construct = _study_factories.get(study_id)
    if construct is None:
        construct = _study_factories[study_id] = _load_immutable_parts(connection, study_id, row.plan)
        for oldest in list(_study_factories)[:-MAX_CACHED_STUDIES]:
            _study_factories.pop(oldest, None)
    return construct(row.id, row.plan_sha256, row.created_at, row.closed_at, row.open_serial)


def _load_immutable_parts(connection: Connection, study_id: str, plan: str) -> Callable[..., Study]:
    """Read what never changes once a study exists: cached, because every request of a participant needs it."""
    items = connection.execute(select(schema.items).where(schema.items.c.study_id == study_id))
    clips = connection.execute(select(schema.clips).where(schema.clips.c.study_id == study_id)).all()
    return partial(
        Study,
        plan=StudyPlan.from_json(plan),
        items={item.name: (item.emotion, item.setting) for item in items},
        methods=tuple(sorted({clip.method for clip in clips if clip.role == "output"})),
        broken=tuple(sorted(clip.item for clip in clips if clip.role == "broken")),
        files={(clip.item, clip.role, clip.method): (clip.file, clip.seconds) for clip in clips},
    )


def forget_study(study_id: str) -> None:
    """Remove a deleted study from this process's cache."""
    _study_factories.pop(study_id, None)


def deleted_language(connection: Connection, study_id: str) -> str | None:
    """Return the language of a deleted study; None where no study of this id was deleted."""
    query = select(schema.deleted_studies.c.language).where(schema.deleted_studies.c.id == study_id)
    return connection.scalar(query)


def list_studies(connection: Connection) -> list[Study]:
    """Return all studies, the newest first."""
    ids = select(schema.studies.c.id).order_by(schema.studies.c.created_at.desc(), schema.studies.c.id)
    return [load_study(connection, study_id) for study_id in connection.scalars(ids).all()]


def set_closed(store: Store, study_id: str, closed: bool) -> None:
    """Close a study by hand, or open it again. The closing date of its plan still applies.

    Args:
        store: where the study is kept.
        study_id: which study.
        closed: True to close, False to open again.

    Raises:
        StudyError: there is no such study.
    """
    with store.write() as connection:
        load_study(connection, study_id)
        values = {"closed_at": utc_now() if closed else None}
        connection.execute(update(schema.studies).where(schema.studies.c.id == study_id).values(values))


def renew_open_link(store: Store, study_id: str, enabled: bool = True) -> str | None:
    """Replace the open link of a study and revoke the old one.

    Args:
        store: where the study is kept.
        study_id: which study.
        enabled: False leaves the study without an open link.

    Returns:
        The token of the new link, or None.

    Raises:
        StudyError: there is no such study.
    """
    with store.write() as connection:
        serial = abs(load_study(connection, study_id).open_serial)
        serial = serial + 1 if enabled else -serial
        connection.execute(update(schema.studies).where(schema.studies.c.id == study_id).values(open_serial=serial))
    return store.signer.open_link_token(study_id, serial) if enabled else None

"""Studies: made once from a plan and its clips, then only closed, opened again, or removed whole."""

from __future__ import annotations

import hashlib
import random
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from asccl.errors import InputError, StudyError
from asccl.study import tokens
from asccl.study.design import MethodPair, all_pairs
from asccl.study.manifest import Item
from asccl.study.plan import Plan
from asccl.study.schema import clips, items, studies
from asccl.study.store import Store, now
from asccl.version import __version__

MOST_KEPT = 50  # studies whose fixed parts stay in memory
_MADE: dict[str, Callable[..., Study]] = {}
BROKEN_ITEMS = 6  # items that get a broken clip: enough that nobody sees one too often


@dataclass(frozen=True)
class Study:
    """A study as everybody needs it. items: name -> (emotion, setting). methods: in the order of the alphabet."""

    id: str
    plan_sha256: str
    created_at: str
    closed_at: str | None
    open_serial: int
    plan: Plan
    items: dict[str, tuple[str, str]]
    methods: tuple[str, ...]
    broken: tuple[str, ...]
    files: dict[tuple[str, str, str], tuple[str, float]] = field(
        default_factory=dict
    )  # (item, role, method): (name, s)

    def pairs(self) -> list[MethodPair]:
        return all_pairs(sorted(self.items), self.methods)

    def closed(self, at: datetime | None = None) -> bool:
        if self.closed_at is not None:
            return True
        closes = self.plan.closes
        return closes is not None and (at or datetime.now(UTC)) >= datetime.fromisoformat(closes)


def create(
    store: Store, plan: Plan, found: list[Item], tell: Callable[[str], None] = lambda line: None
) -> tuple[str, list[str]]:
    """Copies the clips and writes the study down. Returns its id and what could tell the methods apart.

    tell: gets a line for each item. Raises InputError, OutputError; nothing is left then.
    """
    from asccl.study import clips as media

    _check_shown(plan, found)
    study = tokens.new_study()
    folder = store.clip_path(study, "")
    folder.mkdir(mode=0o700)
    rng = random.Random(plan.seed)
    with_broken = set(rng.sample([item.name for item in found], min(BROKEN_ITEMS, len(found))) if plan.broken else ())
    rows, warnings = [], []
    try:
        for number, item in enumerate(found, 1):
            tell(f"{number} of {len(found)}: {item.name}")
            made: dict[str, media.Ingested] = {}
            for role, method, path in _files(item):
                target = folder / f"{secrets.token_hex(12)}.mp4"
                measured = media.ingest(path, target, plan.same_codec)
                rows.append(_clip(study, item.name, role, method, target, measured))
                if role == "output":
                    made[method] = measured
            warnings += [f"{item.name}: the methods differ in {text}" for text in media.differences(made)]
            if item.name in with_broken:
                target = folder / f"{secrets.token_hex(12)}.mp4"
                measured = media.broken(rng.choice(sorted(item.outputs.values())), target, rng)
                rows.append(_clip(study, item.name, "broken", "", target, measured))
        with store.write() as connection:
            _insert(connection, study, plan, found, rows)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return study, warnings


def _insert(connection: Connection, study: str, plan: Plan, found: list[Item], rows: list[dict]) -> None:
    connection.execute(
        insert(studies).values(
            id=study, title=plan.title, created_at=now(), plan=plan.to_json(), plan_sha256=plan.sha256(),
            version=__version__, joined=0, open_serial=0,
        )
    )  # fmt: skip
    places = [{"study_id": study, "name": i.name, "emotion": i.emotion, "setting": i.setting} for i in found]
    connection.execute(insert(items), places)
    connection.execute(insert(clips), rows)


def _check_shown(plan: Plan, found: list[Item]) -> None:
    for question in plan.questions:
        for role in question.show:
            lacking = [item.name for item in found if getattr(item, role) is None]
            if lacking:
                raise InputError(
                    f"question {question.id} shows the {role}, and {lacking[0]} has none",
                    f"add {role}.mp4, or leave the question out in the study file",
                )


def _files(item: Item) -> Iterable[tuple[str, str, Path]]:
    if item.source is not None:
        yield "source", "", item.source
    if item.reference is not None:
        yield "reference", "", item.reference
    for method, path in item.outputs.items():
        yield "output", method, path


def _clip(study: str, item: str, role: str, method: str, path: Path, measured) -> dict:  # type: ignore[no-untyped-def]
    return {
        "study_id": study, "item": item, "role": role, "method": method, "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **vars(measured),
    }  # fmt: skip


def load(connection: Connection, study: str) -> Study:
    """Raises StudyError where there is none of this id."""
    row = connection.execute(select(studies).where(studies.c.id == study)).one_or_none()
    if row is None:
        raise StudyError(f"there is no study {study[:20]!r}", "`python -m asccl study status` lists them")
    made = _MADE.get(study)
    if made is None:
        made = _MADE[study] = _fixed(connection, study, row.plan)
        for oldest in list(_MADE)[:-MOST_KEPT]:
            _MADE.pop(oldest, None)
    return made(row.id, row.plan_sha256, row.created_at, row.closed_at, row.open_serial)


def _fixed(connection: Connection, study: str, plan: str) -> Callable[..., Study]:
    """What never changes once a study is made: a participant's every request would read it anew."""
    places = connection.execute(select(items).where(items.c.study_id == study))
    found = connection.execute(select(clips).where(clips.c.study_id == study)).all()
    fixed: dict[str, Any] = {
        "plan": Plan.from_json(plan), "items": {place.name: (place.emotion, place.setting) for place in places},
        "methods": tuple(sorted({one.method for one in found if one.role == "output"})),
        "broken": tuple(sorted(one.item for one in found if one.role == "broken")),
        "files": {(one.item, one.role, one.method): (one.file, one.seconds) for one in found},
    }  # fmt: skip
    return partial(Study, **fixed)


def all_of(connection: Connection) -> list[Study]:
    """Newest first."""
    found = connection.scalars(select(studies.c.id).order_by(studies.c.created_at.desc(), studies.c.id)).all()
    return [load(connection, study) for study in found]


def set_closed(store: Store, study: str, closed: bool) -> None:
    """Closes by hand, or opens again. A date in the plan stays."""
    with store.write() as connection:
        load(connection, study)
        connection.execute(update(studies).where(studies.c.id == study).values(closed_at=now() if closed else None))


def renew_open_link(store: Store, study: str, on: bool = True) -> str | None:
    """A new open link, the old one void; or none at all. Returns its token."""
    with store.write() as connection:
        serial = load(connection, study).open_serial
        new = abs(serial) + 1 if on else -abs(serial)
        connection.execute(update(studies).where(studies.c.id == study).values(open_serial=new))
    return store.signer.open_link(study, new) if on else None

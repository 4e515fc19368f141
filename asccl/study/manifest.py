"""Which clips a study compares: read from a folder, a CSV file or a JSON-lines file. Nothing is opened here."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.types import EMOTIONS

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
SETTINGS = {"intra-id": "intra-ID", "inter-id": "intra-ID", "cross-id": "cross-ID"}  # the paper's word, then ours
ROLES = ("source", "reference")
KEYS = ("item", "emotion", "setting", *ROLES)
LONGEST_NAME = 200
MOST_ITEMS = 10_000


@dataclass(frozen=True)
class Item:
    """One thing to judge: the outputs of all methods for one source. outputs: method -> file."""

    name: str
    outputs: dict[str, Path]
    emotion: str = ""
    setting: str = ""
    source: Path | None = None
    reference: Path | None = None


def read_items(path: Path) -> list[Item]:
    """From a folder or a manifest; see docs/study.md for both layouts. Raises InputError.

    Every item has the same methods, two or more; every file exists and lies in the folder of the manifest.
    """
    if path.is_dir():
        items = list(_folder(path))
    elif path.suffix.lower() == ".csv":
        items = [_row(row, path, number) for number, row in enumerate(_csv(path), 2)]
    elif path.suffix.lower() in (".jsonl", ".json"):
        items = [_row(row, path, number) for number, row in enumerate(_json_lines(path), 1)]
    else:
        raise InputError(f"{path.name} is not a folder, .csv or .jsonl that exists", "give one of these")
    return checked(items, path.name)


def checked(items: list[Item], where: str) -> list[Item]:
    """Raises InputError where the items cannot be compared."""
    if not items:
        raise InputError(f"{where} has no items", "one folder an item: source.mp4, reference.mp4, METHOD.mp4 ...")
    if len(items) > MOST_ITEMS:
        raise InputError(f"{where} has more than {MOST_ITEMS} items", "make several studies")
    names = [item.name for item in items]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{where} has the item {twice} twice", "rename one of them")
    methods = set(items[0].outputs)
    for item in items:
        if len(item.outputs) < 2:
            raise InputError(f"item {item.name} has fewer than two methods", "add the output of another method")
        if set(item.outputs) != methods:
            other = ", ".join(sorted(methods ^ set(item.outputs)))
            raise InputError(f"items {items[0].name} and {item.name} differ in {other}", "give both the same methods")
        if any(len(text) > LONGEST_NAME for text in (item.name, *item.outputs)):
            raise InputError(f"a name in item {item.name[:40]} is longer than {LONGEST_NAME}", "shorten it")
        if any(text.startswith(("=", "+", "@", "\t", "\r")) for text in (item.name, *item.outputs)):
            raise InputError(f"item {item.name} has a name that a spreadsheet would run", "start it with a letter")
    return items


def _folder(root: Path) -> Iterable[Item]:
    """Every folder with two or more videos besides source and reference; words on its path name emotion, setting."""
    for folder in sorted({path.parent for path in root.rglob("*") if path.suffix.lower() in VIDEOS}):
        found = {path.stem: _inside(path, root) for path in sorted(folder.iterdir()) if path.suffix.lower() in VIDEOS}
        name = folder.relative_to(root).as_posix()
        if name == ".":
            raise InputError(f"{root.name} holds videos beside folders", "make one folder for each item")
        parts = name.lower().replace("_", "-").split("/")
        spoken = [word for part in parts for word in part.split("-")]
        yield Item(
            name=name,
            outputs={stem: path for stem, path in found.items() if stem.lower() not in ROLES},
            emotion=next((word for word in reversed(spoken) if word in EMOTIONS), ""),
            setting=next((ours for word, ours in SETTINGS.items() if any(word in part for part in parts)), ""),
            **{role: found.get(role) for role in ROLES},
        )


def _csv(path: Path) -> Iterable[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} cannot be read ({error})", "save it as CSV in UTF-8") from None


def _json_lines(path: Path) -> Iterable[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read ({error})", "check the name and the folder") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise InputError(f"line {number} of {path.name} is not a JSON object", "write one a line")
            yield row


def _row(row: dict[Any, Any], path: Path, number: int) -> Item:
    """Columns item, emotion, setting, source, reference; every other one is a method."""
    if not all(isinstance(key, str) and isinstance(value, str | None) for key, value in row.items()):
        raise InputError(f"row {number} of {path.name} has more cells than columns, or no text", "correct that row")
    told = {key.strip(): (value or "").strip() for key, value in row.items()}
    files = {key: _inside(path.parent / told[key], path.parent) for key in told if key not in KEYS[:3] and told[key]}
    emotion, setting = told.get("emotion", ""), told.get("setting", "")
    if emotion and emotion not in EMOTIONS:
        raise InputError(f"row {number} of {path.name}: no emotion {emotion!r}", f"choose {', '.join(EMOTIONS)}")
    if setting and setting.lower() not in SETTINGS:
        raise InputError(f"row {number} of {path.name}: no setting {setting!r}", "choose intra-ID or cross-ID")
    return Item(
        name=told.get("item") or f"item {number}",
        outputs={key: file for key, file in files.items() if key not in ROLES},
        emotion=emotion,
        setting=SETTINGS.get(setting.lower(), ""),
        **{role: files.get(role) for role in ROLES},
    )


def _inside(path: Path, root: Path) -> Path:
    """Raises InputError where the file is not there, or leads out of `root`, by `..` or by a link."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{path.name!r} is not in {root.name}", "check the name in the manifest") from None
    if not real.is_relative_to(root.resolve()):
        raise InputError(f"{path.name!r} leads out of {root.name}", "copy the clip into the folder of the manifest")
    if real.suffix.lower() not in VIDEOS or not real.is_file():
        raise InputError(f"{path.name!r} is not a video", f"give a file that ends in {', '.join(sorted(VIDEOS))}")
    return real

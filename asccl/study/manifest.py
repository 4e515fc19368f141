"""The clips that a study compares, listed by a folder, a CSV file or a JSON-lines file. The clips are not opened."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.types import EMOTIONS

STUDY_VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".gif", ".wmv", ".flv"}
    | {".mpg", ".mpeg", ".ogv"}
)
OTHER_MEDIA_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".avif", ".heic", ".tif", ".tiff", ".bmp", ".apng", ".mp3", ".m4a", ".wav"}
    | {".rm", ".vob", ".mxf", ".f4v", ".divx", ".asf", ".h264", ".hevc"}
)  # named where a folder cannot be used
MAX_NAMED_FILES = 5
SETTING_NAMES = {"intra-id": "intra-ID", "inter-id": "intra-ID", "cross-id": "cross-ID"}  # the paper prints "Inter-ID"
CONTEXT_COLUMNS = ("source", "reference")
TEXT_COLUMNS = ("item", "emotion", "setting")
MAX_NAME_LENGTH = 200
MAX_ITEMS = 10_000
# with which a spreadsheet begins a formula; a name may begin with a hyphen, which an export escapes
REFUSED_PREFIXES = ("=", "+", "@", "\t", "\r")


@dataclass(frozen=True)
class Item:
    """The clips of one source: the outputs of all methods, and what may be shown beside them.

    Attributes:
        name: unique within the study.
        outputs: method -> file.
        emotion: one of `EMOTIONS`, or empty.
        setting: "intra-ID", "cross-ID" or empty.
        source: the source clip, or None.
        reference: the reference clip, or None.
    """

    name: str
    outputs: dict[str, Path]
    emotion: str = ""
    setting: str = ""
    source: Path | None = None
    reference: Path | None = None


def read_items(path: Path) -> list[Item]:
    """Read the items of a folder or a manifest; docs/study.md describes both layouts.

    Every item has the same methods, two or more; every file exists and lies in the folder of the manifest.

    Raises:
        InputError: the folder or manifest cannot be read, or the items cannot be compared.
    """
    if path.is_dir():
        items = list(_items_of_folder(path))
    elif path.suffix.lower() == ".csv":
        items = [_item_of_row(row, path, number) for number, row in enumerate(_read_csv(path), 2)]
    elif path.suffix.lower() in (".jsonl", ".json"):
        items = [_item_of_row(row, path, number) for number, row in enumerate(_read_json_lines(path), 1)]
    else:
        raise InputError(f"{path.name} is not an existing folder, .csv or .jsonl file", "give one of these")
    with _naming_other_media(path) if path.is_dir() else nullcontext():
        _check_items(items, path.name)
    return items


@contextmanager
def _naming_other_media(folder: Path) -> Iterator[None]:
    """Add the names of media files that are no videos to an error: they may be the clips that are missing."""
    try:
        yield
    except InputError as error:
        names = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in OTHER_MEDIA_SUFFIXES)
        if not names:
            raise
        more = f" and {len(names) - MAX_NAMED_FILES} more" if len(names) > MAX_NAMED_FILES else ""
        listed = ", ".join(names[:MAX_NAMED_FILES])
        raise InputError(
            f"{error.problem}; a study cannot use {listed}{more}", "convert them to MP4, or remove them"
        ) from None


def _check_items(items: list[Item], place: str) -> None:
    if not items:
        raise InputError(f"{place} has no items", "make one folder per item: source.mp4, reference.mp4, METHOD.mp4 ...")
    if len(items) > MAX_ITEMS:
        raise InputError(f"{place} has more than {MAX_ITEMS} items", "make several studies")
    names = [item.name for item in items]
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{place} has the item {duplicate} twice", "rename one of them")
    methods = set(items[0].outputs)
    for item in items:
        if len(item.outputs) < 2:
            raise InputError(f"item {item.name} has fewer than two methods", "add the output of another method")
        if set(item.outputs) != methods:
            different = ", ".join(sorted(methods ^ set(item.outputs)))
            raise InputError(
                f"items {items[0].name} and {item.name} differ in {different}", "give both the same methods"
            )
        if any(len(text) > MAX_NAME_LENGTH for text in (item.name, *item.outputs)):
            raise InputError(f"a name in item {item.name[:40]} is longer than {MAX_NAME_LENGTH}", "shorten it")
        if any(text.startswith(REFUSED_PREFIXES) for text in (item.name, *item.outputs)):
            raise InputError(f"item {item.name} has a name that a spreadsheet would run", "start it with a letter")


def _items_of_folder(root: Path) -> Iterable[Item]:
    """Yield an item for every folder with videos; words in its path name the emotion and the setting."""
    for folder in sorted({path.parent for path in root.rglob("*") if path.suffix.lower() in STUDY_VIDEO_SUFFIXES}):
        videos = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in STUDY_VIDEO_SUFFIXES]
        files = {path.stem: _resolve_video(path, root) for path in videos}
        name = folder.relative_to(root).as_posix()
        if name == ".":
            raise InputError(f"{root.name} has videos beside folders", "make one folder for each item")
        parts = name.lower().replace("_", "-").split("/")
        path_words = [word for part in parts for word in part.split("-")]
        yield Item(
            name=name,
            outputs={stem: path for stem, path in files.items() if stem.lower() not in CONTEXT_COLUMNS},
            emotion=next((word for word in reversed(path_words) if word in EMOTIONS), ""),
            setting=next((SETTING_NAMES[word] for word in SETTING_NAMES if any(word in part for part in parts)), ""),
            **{role: files.get(role) for role in CONTEXT_COLUMNS},
        )


def _read_csv(path: Path) -> Iterable[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} cannot be read ({error})", "save it as CSV in UTF-8") from None


def _read_json_lines(path: Path) -> Iterable[dict[str, Any]]:
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
                raise InputError(f"line {number} of {path.name} is not a JSON object", "write one object per line")
            yield row


def _item_of_row(row: dict[Any, Any], path: Path, number: int) -> Item:
    """Return the item of a row; every column that is not a known one is a method."""
    if not all(isinstance(key, str) and isinstance(value, str | None) for key, value in row.items()):
        raise InputError(
            f"row {number} of {path.name} has more cells than columns, or a value that is no text", "correct that row"
        )
    cells = {key.strip(): (value or "").strip() for key, value in row.items()}
    files = {
        key: _resolve_video(path.parent / value, path.parent)
        for key, value in cells.items()
        if key not in TEXT_COLUMNS and value
    }
    emotion, setting = cells.get("emotion", ""), cells.get("setting", "")
    if emotion and emotion not in EMOTIONS:
        raise InputError(
            f"row {number} of {path.name}: there is no emotion {emotion!r}", f"choose one of {', '.join(EMOTIONS)}"
        )
    if setting and setting.lower() not in SETTING_NAMES:
        raise InputError(f"row {number} of {path.name}: there is no setting {setting!r}", "choose intra-ID or cross-ID")
    return Item(
        name=cells.get("item") or f"item {number}",
        outputs={key: file for key, file in files.items() if key not in CONTEXT_COLUMNS},
        emotion=emotion,
        setting=SETTING_NAMES.get(setting.lower(), ""),
        **{role: files.get(role) for role in CONTEXT_COLUMNS},
    )


def _resolve_video(path: Path, root: Path) -> Path:
    """Return the real path. Raises InputError if it does not exist or leads out of `root`, by `..` or by a link."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{path.name!r} is not in {root.name}", "check the name in the manifest") from None
    if not real.is_relative_to(root.resolve()):
        raise InputError(f"{path.name!r} leads out of {root.name}", "copy the clip into the folder of the manifest")
    if real.suffix.lower() not in STUDY_VIDEO_SUFFIXES or not real.is_file():
        suffixes = ", ".join(sorted(STUDY_VIDEO_SUFFIXES))
        raise InputError(f"{path.name!r} is not a video", f"give a file that ends in {suffixes}")
    return real

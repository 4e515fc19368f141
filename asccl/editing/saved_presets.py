"""Saved presets: what an edit asks of an expression, under a name, in a small JSON file that people exchange."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from asccl.editing.text_file import read_text_file
from asccl.errors import SettingError
from asccl.expression import EMOTIONS, NO_GROUPS, GroupAmounts
from asccl.files import write_atomic
from asccl.types import EditRequest

FORMAT_NAME, FORMAT_VERSION = "asccl-preset", 1
MAX_FILE_BYTES = 20_000
MAX_NAME_LENGTH = 60
MAX_INTEGER = 2**31
REMEDY = "save it again from the app, or see the page `Command line and Python` for the format"


@dataclass(frozen=True)
class SavedPreset:
    """What an edit asks of an expression, without source, face, time and keyframes.

    Attributes:
        name: chosen by the user.
        emotion: one of `EMOTIONS`.
        intensity: 0 to 2.
        second_emotion: mixed into `emotion`; None for one alone.
        second_share: share of the second emotion, 0 to 1.
        groups: by how much parts of the face move in addition.
        seed: number of the natural variant.

    Raises:
        SettingError: a value is out of range.
    """

    name: str
    emotion: str
    intensity: float = 1.0
    second_emotion: str | None = None
    second_share: float = 0.5
    groups: GroupAmounts = NO_GROUPS
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > MAX_NAME_LENGTH or not self.name.isprintable():
            raise SettingError("a preset needs a name in one line", f"give 1 to {MAX_NAME_LENGTH} characters")
        replace(EditRequest(Path("source"), emotion=EMOTIONS[0]), **self.settings())

    def settings(self) -> dict[str, Any]:
        """The fields of an `EditRequest` that the preset decides, with their values."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "name"}


def preset_json(preset: SavedPreset) -> str:
    """Write a preset as JSON, as `parse_preset` reads it."""
    settings = {"name": preset.name, **preset.settings(), "groups": preset.groups.as_dict()}
    return json.dumps({"format": FORMAT_NAME, "version": FORMAT_VERSION, **settings}, indent=1) + "\n"


def write_preset(preset: SavedPreset, path: Path) -> None:
    """Write a preset to a file. Raises OutputError."""
    write_atomic(Path(path), preset_json(preset).encode())


def read_preset(path: Path) -> SavedPreset:
    """Read a preset from a file. Raises SettingError, which names the file."""
    path = Path(path)
    return parse_preset(read_text_file(path, MAX_FILE_BYTES, "a preset", REMEDY), path.name)


def parse_preset(text: str, file_name: str) -> SavedPreset:
    """Parse the JSON of a preset.

    Args:
        text: of the file.
        file_name: for errors.

    Returns:
        The preset.

    Raises:
        SettingError: the text is no preset, or a value is out of range.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingError(f"{file_name} is not valid JSON and no preset", REMEDY) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT_NAME:
        raise SettingError(f"{file_name} is no preset of this program", REMEDY)
    if data.get("version") != FORMAT_VERSION:
        raise SettingError(
            f"{file_name} has version {data.get('version')!r}, not {FORMAT_VERSION}", "update this program"
        )
    values = {key: value for key, value in data.items() if key not in ("format", "version")}
    try:
        groups = values.pop("groups", {})
        check_settings(SavedPreset, values)
        for key in ("name", "emotion"):
            if key not in values:
                raise SettingError(f"the setting {key!r} is missing", REMEDY)
        return SavedPreset(**values, groups=read_groups(groups))
    except SettingError as error:
        raise SettingError(f"{file_name}: {error.problem}", error.remedy) from None


def read_groups(values: Any) -> GroupAmounts:
    """Convert a table of amounts by group. Raises SettingError."""
    if not isinstance(values, dict):
        raise SettingError("`groups` is not a table of amounts", REMEDY)
    check_settings(GroupAmounts, values)
    return GroupAmounts(**values)


def check_settings(kind: type, values: dict[str, Any]) -> None:
    """Check names and types of values for a dataclass of plain fields. Raises SettingError."""
    annotations = {field.name: field.type for field in fields(kind)}
    for key, value in values.items():
        if key not in annotations:
            raise SettingError(f"there is no setting {key!r}", f"choose from {', '.join(annotations)}")
        if not _fits(value, str(annotations[key])):
            raise SettingError(f"{key} is {value!r}, which is no {annotations[key]}", REMEDY)


def _fits(value: Any, annotation: str) -> bool:
    """Whether a value of JSON fits an annotation: str, str | None, int or float."""
    if value is None:
        return annotation.endswith("None")
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        return False
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
    return isinstance(value, kinds[annotation.removesuffix(" | None")])

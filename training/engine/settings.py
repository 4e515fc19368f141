"""Settings of a training: a frozen dataclass, filled from a preset (TOML) and then from the command line."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tomllib
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from asccl.errors import AscclError, SettingError

PRESETS = Path(__file__).parents[1] / "presets"
T = TypeVar("T")
INTERRUPTED = 130  # exit status, as of a shell's Ctrl-C


def command(main: Callable[[T], int | None], kind: type[T], about: str | None) -> NoReturn:
    """A program of it: settings from the command line, what went wrong as one line on stderr, an exit status."""
    try:
        sys.exit(main(parse(kind, about)) or 0)
    except AscclError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        sys.exit(INTERRUPTED)


def parse(kind: type[T], about: str | None, argv: list[str] | None = None) -> T:
    """Every field of the dataclass is an option; `--preset NAME` takes the table `[kind]` of a preset first.

    The table's name is the class's without "Settings", in lower case. A field's metadata may give it a "short" option,
    or make it "positional" with that many values. Raises SettingError.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(sorted(path.stem for path in PRESETS.glob("*.toml")))
    parser.add_argument("--preset", help=f"{names}, or a TOML file; what else is given here goes before it")
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        option = "--" + field.name.replace("_", "-")
        if "positional" in field.metadata:
            parser.add_argument(field.name, nargs=field.metadata["positional"], type=_plain(hints[field.name]))
        elif hints[field.name] is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None)
        else:
            short = [field.metadata["short"]] if "short" in field.metadata else []
            about_it = {"metavar": field.name.upper(), "help": f"default {field.default}"}
            parser.add_argument(*short, option, type=_plain(hints[field.name]), **about_it)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    preset = given.pop("preset", None)
    table = load_preset(kind, preset) if preset else {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if "positional" in field.metadata:
            given[field.name] = tuple(given[field.name])
    return kind(**{**table, **given})


def load_preset(kind: type, name: str) -> dict[str, Any]:
    """The fields that a preset sets. Raises SettingError."""
    path = Path(name) if name.endswith(".toml") else PRESETS / f"{name}.toml"
    if not path.is_file():
        raise SettingError(f"there is no preset {name!r}", f"choose one of {PRESETS}, or give a TOML file")
    table = tomllib.loads(path.read_text(encoding="utf-8")).get(kind.__name__.removesuffix("Settings").lower())
    if table is None:
        raise SettingError(f"{path.name} says nothing about this training", "choose another preset")
    hints = typing.get_type_hints(kind)
    unknown = sorted(table.keys() - hints.keys())
    if unknown:
        raise SettingError(f"{path.name} sets {', '.join(unknown)}", "correct the name; see --help")
    return {key: _plain(hints[key])(value) for key, value in table.items()}


def _plain(hint: Any) -> Any:
    """int from `int | None` or `tuple[int, ...]`, and so on: what turns text into a value."""
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint

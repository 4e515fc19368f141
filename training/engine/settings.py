"""Settings of a training: a frozen dataclass, filled from a preset (TOML) and then from the command line."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import tomllib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, TypeVar

from asccl.errors import AscclError, SettingError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PRESETS = Path(__file__).parents[1] / "presets"
INTERRUPTED_STATUS = 130  # exit status after Ctrl-C, as shells report it
Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class LoopSettings:
    """Settings that every training shares.

    Attributes:
        output: folder of checkpoints and logs.
        weights: file of the finished networks.
        steps: number of training steps in all, counted from the first start.
        batch_size: items on each device.
        seed: seed of initial weights, order of the data and random numbers.
        precision: "no" for float32, or mixed precision with "bf16" or "fp16".
        workers: processes that load data; 0 loads in the training process.
        log_every: steps between two log lines.
        evaluate_every: steps between two evaluations on held-out data.
        save_every: steps between two checkpoints.
        tracker: "tensorboard", "trackio" or "none"; `log.jsonl` in `output` is written in any case.
        max_grad_norm: largest norm of the gradient of a phase; 0 does not clip.
        max_seconds: a training ends at the first evaluation after this time, before its last step; 0 sets no limit.
    """

    # settings that may differ between the first start and a resumed one
    changeable: ClassVar[frozenset[str]] = frozenset(
        {"output", "weights", "workers", "log_every", "evaluate_every", "save_every", "tracker", "max_seconds"}
    )

    # smallest and largest values of the settings that have one; `check_ranges` compares
    minimums: ClassVar[dict[str, float]] = {
        **dict.fromkeys(("steps", "batch_size", "log_every", "evaluate_every", "save_every"), 1),
        **dict.fromkeys(("seed", "workers", "max_grad_norm", "max_seconds"), 0),
    }
    maximums: ClassVar[dict[str, float]] = {}

    output: Path = Path("build/training")
    weights: Path = Path("build/weights.safetensors")
    steps: int = 1000
    batch_size: int = 8
    seed: int = 0
    precision: Literal["no", "bf16", "fp16"] = "no"
    workers: int = 0
    log_every: int = 20
    evaluate_every: int = 200
    save_every: int = 200
    tracker: Literal["none", "tensorboard", "trackio"] = "none"
    max_grad_norm: float = 0.0
    max_seconds: float = 0.0


def check_ranges(settings: LoopSettings) -> None:
    """Compare settings with their smallest and largest values. Raises SettingError."""
    for name, minimum in settings.minimums.items():
        value = getattr(settings, name)
        if not value >= minimum:  # also where the value is NaN
            option = "--" + name.replace("_", "-")
            raise SettingError(f"{name} is {value}, which is too small", f"give {option} {minimum:g} or more")
    for name, maximum in settings.maximums.items():
        value = getattr(settings, name)
        if value > maximum:
            option = "--" + name.replace("_", "-")
            raise SettingError(f"{name} is {value}, which is too large", f"give {option} {maximum:g} or less")


def run_command(
    main: Callable[[Settings], int | None], settings_type: type[Settings], description: str | None
) -> NoReturn:
    """Parse the command line, run a program and exit; an expected error becomes one line on stderr.

    Args:
        main: the program; its result is the exit status, None for 0.
        settings_type: dataclass that `parse_settings` fills for `main`.
        description: text at the top of `--help`.
    """
    try:
        sys.exit(main(parse_settings(settings_type, description)) or 0)
    except AscclError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("stopped: the same command continues from here", file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)


def parse_settings(
    settings_type: type[Settings], description: str | None = None, arguments: list[str] | None = None
) -> Settings:
    """Fill a settings dataclass from `--preset NAME` and from one option per field, in this order.

    A preset holds one table per settings class, named after the class without "Settings", in lower case. The metadata
    of a field may make it "positional" with that number of values. `output` has the short option -o.

    Args:
        settings_type: the dataclass.
        description: text at the top of `--help`.
        arguments: the command line, `sys.argv` by default.

    Returns:
        An instance of `settings_type`.

    Raises:
        SettingError: the preset does not exist, or does not fit the dataclass.
    """
    parser = argparse.ArgumentParser(
        prog=program_name(), description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", help=f"{_preset_names()}, or a TOML file; the other options override it")
    hints, texts = typing.get_type_hints(settings_type), _attribute_texts(settings_type)
    fields = dataclasses.fields(settings_type)
    for field in fields:
        _add_option(parser, field, hints[field.name], texts.get(field.name, ""))
    options = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    preset = options.pop("preset", None)
    table = load_preset(settings_type, preset) if preset else {}
    options |= {field.name: tuple(options[field.name]) for field in fields if "positional" in field.metadata}
    return settings_type(**{**table, **options})


def program_name() -> str | None:
    """The command of this process as the pages write it, `python -m MODULE`; None for a script that is no module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else None


def _add_option(parser: argparse.ArgumentParser, field: dataclasses.Field, hint: Any, text: str) -> None:
    """Add the option of a field; without a value it leaves None."""
    option = "--" + field.name.replace("_", "-")
    has_default = field.default not in (None, "", dataclasses.MISSING)
    text = (text.rstrip(".") + (f" (default: {field.default})" if has_default else "")).replace("%", "%%")
    if "positional" in field.metadata:
        parser.add_argument(field.name, nargs=field.metadata["positional"], type=_constructor(hint), help=text)
    elif hint is bool:
        parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
    else:
        names = ["-o", option] if field.name == "output" else [option]
        choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else None
        metavar = None if choices else field.name.upper()
        parser.add_argument(*names, type=_constructor(hint), choices=choices, metavar=metavar, help=text)


def _attribute_texts(settings_type: type) -> dict[str, str]:
    """Read the text of every attribute from the docstrings of a class and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(settings_type.__mro__):
        section = (base.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
        for name, text in re.findall(r"^ {8}(\w+): (.*?)(?=^ {8}\w+: |\Z)", section, re.DOTALL | re.MULTILINE):
            texts[name] = " ".join(text.split())
    return texts


def _preset_names() -> str:
    return ", ".join(sorted(path.stem for path in PRESETS.glob("*.toml")))


def load_preset(settings_type: type, name: str) -> dict[str, Any]:
    """Read the fields that a preset sets.

    Args:
        settings_type: the settings dataclass.
        name: of a file in `PRESETS`, or a path that ends in ".toml".

    Raises:
        SettingError: there is no such file, it is not TOML, it has no table for this dataclass, or it sets unknown
            fields or values of another type.
    """
    path = Path(name) if name.endswith(".toml") else PRESETS / f"{name}.toml"
    if not path.is_file():
        raise SettingError(f"there is no preset {name!r}", f"choose {_preset_names()}, or give a TOML file")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also bytes that are not UTF-8
        raise SettingError(f"{path} cannot be read as TOML ({error})", "correct the file") from error
    table = tables.get(settings_type.__name__.removesuffix("Settings").lower())
    if table is None:
        raise SettingError(f"{path.name} has no table for this command", "choose another preset")
    hints = typing.get_type_hints(settings_type)
    unknown = sorted(table.keys() - hints.keys())
    if unknown:
        raise SettingError(f"{path.name} sets {', '.join(unknown)}", "correct the name; see --help")
    return {key: _convert_preset_value(path, key, value, hints[key]) for key, value in table.items()}


def _convert_preset_value(path: Path, name: str, value: Any, hint: Any) -> Any:
    """Convert a value of a preset to the type of its field. Raises SettingError."""
    remedy = "correct the value; see --help"
    if typing.get_origin(hint) is Literal and value not in typing.get_args(hint):
        raise SettingError(f"{path.name} sets {name} to {value!r}", remedy)
    if hint is bool and not isinstance(value, bool):
        raise SettingError(f"{path.name} sets {name} to {value!r}, which is neither true nor false", remedy)
    try:
        return _constructor(hint)(value)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{path.name} sets {name} to {value!r}, which has the wrong type", remedy) from error


def _constructor(hint: Any) -> Any:
    """Return what turns text into a value of this type: int for `int | None` or `tuple[int, ...]`, and so on."""
    if typing.get_origin(hint) is Literal:
        return str
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from media import ROOT

from asccl.errors import SettingError
from training.engine import loop
from training.engine.loop import create_accelerator
from training.engine.settings import LoopSettings, parse_settings


@dataclass(frozen=True)
class ExampleSettings:
    """Settings.

    Attributes:
        rate: learning rate, 50% by
            default.
    """

    output: Path = Path("out")
    steps: int = 3
    rate: float = 0.5
    fast: bool = False
    note: str | None = None
    mode: Literal["a", "b"] = "a"


def test_the_command_line_overrides_the_preset_and_the_preset_the_defaults(tmp_path):
    preset = tmp_path / "mine.toml"
    preset.write_text("[example]\nsteps = 7\nrate = 2\n")
    arguments = ["--preset", str(preset), "--rate", "4", "--fast", "--output", "x"]
    assert parse_settings(ExampleSettings, None, arguments) == ExampleSettings(Path("x"), 7, 4.0, True, None)


def test_the_output_of_every_command_has_a_short_option():
    assert parse_settings(ExampleSettings, None, ["-o", "x"]).output == Path("x")


def test_help_texts_come_from_the_docstring(capsys):
    with pytest.raises(SystemExit):
        parse_settings(ExampleSettings, None, ["--help"])
    assert "learning rate, 50% by default (default: 0.5)" in " ".join(capsys.readouterr().out.split())


def test_a_choice_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse_settings(ExampleSettings, None, ["--mode", "c"])
    assert "invalid choice: 'c'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[example]\nstep = 7\n", "mine.toml sets step: correct"),
        ("[other]\nsteps = 7\n", "has no table"),
        ("[example\n", "mine.toml cannot be read as TOML"),
        ("[example]\nsteps = 'many'\n", "mine.toml sets steps to 'many', which has the wrong type: correct"),
        ("[example]\nfast = 'false'\n", "sets fast to 'false', which is neither true nor false"),
        ("[example]\nmode = 'c'\n", "mine.toml sets mode to 'c': correct"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused(tmp_path, text, expected):
    preset = tmp_path / "mine.toml"
    preset.write_text(text)
    with pytest.raises(SettingError, match=expected):
        parse_settings(ExampleSettings, None, ["--preset", str(preset)])


@pytest.mark.parametrize(
    ("name", "value", "minimum"),
    [
        ("steps", 0, 1),
        ("batch_size", 0, 1),
        ("log_every", 0, 1),
        ("evaluate_every", -1, 1),
        ("save_every", 0, 1),
        ("workers", -1, 0),
        ("seed", -1, 0),
        ("max_seconds", -1.0, 0),
        ("max_grad_norm", math.nan, 0),
    ],
)
def test_a_loop_setting_below_its_smallest_value_is_refused(name, value, minimum):
    option = name.replace("_", "-")
    with pytest.raises(SettingError, match=f"{name} is {value}, which is too small: give --{option} {minimum} or more"):
        create_accelerator(LoopSettings(**{name: value}))


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(loop, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match="trackio is not installed: pip install trackio, or --tracker none"):
        create_accelerator(LoopSettings(tracker="trackio"))


@pytest.mark.parametrize(("option", "value"), [("--precision", "fp8"), ("--tracker", "wandb")])
def test_a_precision_or_tracker_that_does_not_exist_is_refused(capsys, option, value):
    with pytest.raises(SystemExit):
        parse_settings(LoopSettings, None, [option, value])
    assert f"invalid choice: '{value}'" in capsys.readouterr().err


def test_an_unknown_preset_is_refused():
    with pytest.raises(SettingError, match="no preset 'fastest': choose cpu, gpu, paper, smoke, or give a TOML file"):
        parse_settings(ExampleSettings, None, ["--preset", "fastest"])


def test_help_names_the_command_as_the_pages_write_it():
    command = [sys.executable, "-m", "training.make_talking_set", "--help"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert text.startswith("usage: python -m training.make_talking_set ")

from dataclasses import dataclass
from pathlib import Path

import pytest

from asccl.errors import SettingError
from training.engine.settings import parse


@dataclass(frozen=True)
class ToySettings:
    output: Path = Path("out")
    steps: int = 3
    rate: float = 0.5
    fast: bool = False
    note: str | None = None


def test_defaults_then_preset_then_command_line(tmp_path):
    preset = tmp_path / "mine.toml"
    preset.write_text("[toy]\nsteps = 7\nrate = 2\n")
    got = parse(ToySettings, None, ["--preset", str(preset), "--rate", "4", "--fast", "--output", "x"])
    assert got == ToySettings(Path("x"), 7, 4.0, True, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[toy]\nstep = 7\n", "mine.toml sets step: correct"), ("[other]\nsteps = 7\n", "says nothing about")],
)
def test_a_preset_that_does_not_fit_is_refused(tmp_path, text, expected):
    preset = tmp_path / "mine.toml"
    preset.write_text(text)
    with pytest.raises(SettingError, match=expected):
        parse(ToySettings, None, ["--preset", str(preset)])


def test_an_unknown_preset_is_refused():
    with pytest.raises(SettingError, match="no preset 'fastest'"):
        parse(ToySettings, None, ["--preset", "fastest"])

"""The finished results of the examples say themselves that they were edited, as the app shows them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from asccl.__main__ import main

EXAMPLES = Path(__file__).parents[2] / "examples"
RESULTS = sorted(path.with_suffix("") for path in EXAMPLES.glob("*.*.json"))
SOURCES = sorted({*EXAMPLES.glob("*.mp4"), *EXAMPLES.glob("*.jpg")} - set(RESULTS))


def inspect(path: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    """Run `asccl inspect --json`. Returns what it prints."""
    assert main(["inspect", str(path), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_a_result_has_a_valid_signature_and_names_its_source(path, capsys):
    inspection = inspect(path, capsys)
    assert inspection["signature"]["state"] == "valid"
    source = path.with_stem(path.stem.rsplit("-", 1)[0])
    assert inspection["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_a_result_names_the_emotion_of_its_file_name(path, capsys):
    assert inspect(path, capsys)["metadata_edit"]["emotion"] == path.stem.rsplit("-", 1)[1]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_source_says_nothing_of_an_edit(path, capsys):
    assert inspect(path, capsys)["edited"] is None

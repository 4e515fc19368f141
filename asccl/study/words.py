"""The texts of the participant's pages, one TOML file a language in texts/. A new language is a new file."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _read(language: str) -> dict[str, str]:
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def words(language: str) -> dict[str, str]:
    """Name -> text. What a language lacks is said in English."""
    return {**_read("en"), **_read(language)}

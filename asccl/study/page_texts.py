"""Texts of the participants' pages, one TOML file per language in `texts/`. A new file adds a language."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

TEXTS_FOLDER = Path(__file__).parent / "texts"
LANGUAGES = tuple(sorted(path.stem for path in TEXTS_FOLDER.glob("*.toml")))


@cache
def _read_language(language: str) -> dict[str, str]:
    return tomllib.loads((TEXTS_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def load_texts(language: str) -> dict[str, str]:
    """Return text name -> text. Texts that a language lacks are English."""
    return {**_read_language("en"), **_read_language(language)}

"""The languages of the page: Gradio's i18n shows the labels in that of the browser, English where there is none.

A file `texts/languages/CODE.json` maps English texts of the page to those of a language; what it leaves out stays
English. Texts that the server computes (states of a job, errors, reports) and those inside of players are English.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import gradio as gr

from asccl.ui.components import UI_FOLDER

LANGUAGES_FOLDER = UI_FOLDER / "texts" / "languages"
TEXT_ATTRIBUTES = ("label", "info", "placeholder")
VALUE_CLASSES = (gr.Button, gr.Markdown)  # whose value is a text of the page
API_CLASSES = (gr.Textbox, gr.Number, gr.File)  # which are never visible where they have no id


def read_languages() -> dict[str, dict[str, str]]:
    """Read the files of languages: translation by English text, by code of the language."""
    files = sorted(LANGUAGES_FOLDER.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def translate_page(page: gr.Blocks, languages: Mapping[str, Mapping[str, str]] | None = None) -> gr.I18n:
    """Let Gradio translate the visible texts of a finished page.

    Args:
        page: whose components are changed.
        languages: see `read_languages`, which is the default.

    Returns:
        The translations, for `gr.Blocks.launch`.
    """
    languages = read_languages() if languages is None else languages
    known = {text for table in languages.values() for text in table}
    english: dict[str, str] = {}

    def mark(text: Any) -> Any:
        if not isinstance(text, str) or text not in known:
            return text
        english[_key(text)] = text
        return gr.I18n()(_key(text))

    for block in page.blocks.values():
        _mark_texts(block, mark)
    tables = {"en": english}
    for code, table in languages.items():
        tables[code] = {key: table.get(text, text) for key, text in english.items()}
    return gr.I18n(**tables)


def page_texts(page: gr.Blocks) -> Iterator[str]:
    """List the texts of a page that can be translated."""
    texts: list[str] = []

    def collect(text: Any) -> Any:
        if isinstance(text, str) and text.strip():
            texts.append(text)
        return text

    for block in page.blocks.values():
        _mark_texts(block, collect)
    yield from dict.fromkeys(texts)


def _mark_texts(block: Any, mark: Any) -> None:
    """Replace the texts of a component by what `mark` returns for them; hidden ones name parameters of the API."""
    if isinstance(block, API_CLASSES) and block.visible is False and block.elem_id is None:
        return
    for name in TEXT_ATTRIBUTES:
        if isinstance(getattr(block, name, None), str):
            setattr(block, name, mark(getattr(block, name)))
    if isinstance(block, VALUE_CLASSES):
        block.value = mark(block.value)
    if isinstance(block, gr.Radio | gr.Dropdown):
        block.choices = [(mark(label), value) for label, value in block.choices]


def _key(text: str) -> str:
    """The key of a text; Gradio takes the points of a key for a path."""
    return f"asccl_{sha256(text.encode()).hexdigest()[:16]}"

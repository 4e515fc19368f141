"""The languages of the page: it shows its texts in that of the browser, English where there is none.

A file `texts/languages/CODE.json` maps English texts of the page to those of a language; what it leaves out stays
English. In an English text, {1}, {2} ... stand for any words. Gradio's i18n translates labels, and `translate.js` what
is written at run time: states of a job, errors, reports, and the texts of scripts. A folder `texts/languages/CODE` may
contain translations of the Markdown files of `texts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asccl.ui.components import UI_FOLDER, read_script

TEXTS_FOLDER = UI_FOLDER / "texts"
LANGUAGES_FOLDER = TEXTS_FOLDER / "languages"
TEXT_ATTRIBUTES = ("label", "info", "placeholder")
VALUE_CLASSES = (gr.Button, gr.Markdown)  # whose value is a text of the page
GRADIO_TEXTS = {"common.upload": "Upload"}  # keys that Gradio's page uses and no version of it defines
API_CLASSES = (gr.Textbox, gr.Number, gr.File)  # which are never visible where they have no id


def read_languages() -> dict[str, dict[str, str]]:
    """Read the files of languages: translation by English text, by code of the language."""
    return {path.stem: _read_language(path) for path in sorted(LANGUAGES_FOLDER.glob("*.json"))}


def _read_language(path: Path) -> dict[str, str]:
    table = json.loads(path.read_text(encoding="utf-8"))
    for translation in sorted(path.with_suffix("").glob("*.md")):
        original = TEXTS_FOLDER / translation.name
        table[original.read_text(encoding="utf-8").strip()] = translation.read_text(encoding="utf-8").strip()
    return table


def language_script() -> str:
    """The script that translates what is written at run time."""
    return f"window.ascclLanguages = {json.dumps(list(read_languages()))};\n{read_script('translate')}"


def languages_route() -> Route:
    """Build the route that serves the table of a language to `translate.js`."""
    languages = read_languages()

    def answer(request: Request) -> JSONResponse:
        table = languages.get(request.path_params["code"])
        return JSONResponse(table or {}, 404 if table is None else 200, {"Cache-Control": "public, max-age=3600"})

    return Route("/languages/{code}.json", answer)


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
    english = dict(GRADIO_TEXTS)

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

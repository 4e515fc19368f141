"""Files of languages: each translates the texts that the page has, and those that it writes at run time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from fake_editor import FakeEditor
from visitor import Visitor

from asccl.editing.adaptation import outcome
from asccl.ui import comparison_handlers, edit_handlers, report_html
from asccl.ui.languages import page_texts, read_languages, translate_page
from asccl.ui.listeners import Listeners
from asccl.ui.messages import capitalize
from asccl.ui.page import build_page

ROOT = Path(__file__).parents[2] / "asccl"
# modules whose errors people see in the page; those of weight files and of the server's disk are for its owner
ERROR_SOURCES = (
    *("ui/*.py", "video/limits.py", "video/container.py", "video/image_file.py", "video/reader.py", "video/source.py"),
    *("face/people.py", "editing/editor.py", "editing/preview*.py", "expression.py", "analysis/correlation.py"),
)
OWNERS_ERRORS = ("would replace", "pillow-heif", "is too large for keyframes")
SAME_IN_GERMAN = {
    "Emotion",
    "Neutral",
    "Original",
    "Pause",
    "NED",
    "ICface",
    "Hub",
    "arcface",
    "neutral",
    "Pearson",
    "talk.mp4",
}
VISIBLE_TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const box = node.parentElement;
    if (box.checkVisibility() && !box.closest('script, style, code')) texts.add(node.data.trim().replace(/\\s+/g, ' '));
  }
  for (const box of document.querySelectorAll('[aria-label]')) texts.add(box.getAttribute('aria-label'));
  return [...texts].filter((text) => /\\p{L}{3}/u.test(text));
}"""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(page_texts(build_page(FakeEditor(), Listeners())))


def test_german_covers_the_controls_of_the_page(texts):
    assert set(texts) - set(read_languages()["de"]) == set()


def literal(node: ast.expr) -> str | None:
    """A string of the source with {} for what is computed; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def error_texts() -> Iterator[str]:
    """The sentences of the errors that people see in the page, with {} for what is computed."""
    for pattern in ERROR_SOURCES:
        for path in ROOT.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error") and len(node.args) == 2:
                    problem, remedy = map(literal, node.args)
                    if problem and remedy:
                        yield f"{capitalize(problem)}: {remedy}."


def test_german_covers_the_errors_of_the_page():
    known = {re.sub(r"\{\d\}", "{}", text) for text in read_languages()["de"]}
    missing = {text for text in error_texts() if not any(part in text for part in OWNERS_ERRORS)} - known
    assert missing == set()


def test_german_covers_the_states_and_the_report():
    known = read_languages()["de"]
    tables = (edit_handlers.STAGES, comparison_handlers.STAGES, report_html.TIMED_STEPS, report_html.REASONS)
    texts = [text for table in (*tables, outcome.REASONS) for text in table.values()]
    assert [text for text in texts if text not in known] == []


def test_a_translation_uses_the_words_of_its_text():
    table = read_languages()["de"]
    extra = {text for text in table if not set(re.findall(r"\{\d\}", table[text])) <= set(re.findall(r"\{\d\}", text))}
    assert extra == set()


def shown_texts(chromium, url: str, locale: str, file: Path) -> set[str]:
    """All texts of the page after an edit, an error and a visit of the Correlation tab."""
    person = Visitor(chromium, url, locale=locale)
    person.upload_and_wait(file)
    person.page.click("#render")
    person.page.wait_for_selector("#status [role=alert]")
    texts = set(person.page.evaluate(VISIBLE_TEXTS))
    person.render()
    person.page.wait_for_selector("#player video")
    person.page.wait_for_selector("#readout table")
    person.page.wait_for_timeout(300)
    texts |= set(person.page.evaluate(VISIBLE_TEXTS))
    person.page.locator("[role=tab]").nth(2).click()
    person.page.wait_for_selector("#bench-inputs")
    texts |= set(person.page.evaluate(VISIBLE_TEXTS))
    assert person.errors == []
    person.close()
    return texts


@pytest.mark.browser
def test_a_german_visit_shows_no_english(shared_page, chromium, media):
    english, german = (
        shown_texts(chromium, shared_page.url, locale, media / "talk.mp4") for locale in ("en-US", "de-DE")
    )
    assert {text for text in english & german if text not in SAME_IN_GERMAN} == set()


@pytest.mark.browser
def test_numbers_have_the_decimal_sign_of_the_language(shared_page, chromium):
    person = Visitor(chromium, shared_page.url, locale="de-DE")
    person.page.wait_for_selector("#render:has-text('Ergebnis erstellen')")
    person.page.evaluate("() => document.querySelector('#intro').append('0.99 · talk-1.5.mp4 · 1.2.3')")
    person.page.wait_for_function(
        "() => document.querySelector('#intro').textContent.endsWith('0,99 · talk-1.5.mp4 · 1.2.3')"
    )
    person.close()


def test_translated_texts_become_keys_and_others_stay():
    with gr.Blocks() as page:
        known, other = gr.Button("Save"), gr.Button("Burn")
        radio = gr.Radio([("Sad", "sad")], label="Emotion")
    translations = translate_page(page, {"de": {"Save": "Speichern", "Sad": "Traurig"}}).translations
    assert translations["de"][known.value.key] == "Speichern"
    assert translations["en"][known.value.key] == "Save"
    assert other.value == "Burn"
    assert (radio.choices[0][0].key in translations["de"], radio.choices[0][1]) == (True, "sad")


def test_keys_have_no_points():
    with gr.Blocks() as page:
        button = gr.Button("Save. Now.")
    translate_page(page, {"de": {"Save. Now.": "Jetzt speichern."}})
    assert "." not in button.value.key

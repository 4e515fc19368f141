"""Files of languages: each translates texts that the page has."""

from __future__ import annotations

import gradio as gr
import pytest
from fake_editor import FakeEditor

from asccl.ui.languages import page_texts, read_languages, translate_page
from asccl.ui.listeners import Listeners
from asccl.ui.page import build_page


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(page_texts(build_page(FakeEditor(), Listeners())))


def test_german_covers_the_controls_of_the_page(texts):
    short = {text for text in texts if len(text) < 120 and not text.startswith("## Compare")}
    assert short - set(read_languages()["de"]) == set()


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

"""What a look at every screen found: nothing is cut off, nothing is silent, nothing lies on a chart."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fake_editor import FakeEditor
from served_page import ServedPage
from visitor import Visitor

pytestmark = pytest.mark.browser
# upper and lower end of the text in an element
TEXT_ENDS = """(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const { top, bottom } = range.getBoundingClientRect();
  return [top, bottom];
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    page = ServedPage(FakeEditor(), tmp_path_factory.mktemp("appearance"))
    yield page
    page.close()


@pytest.fixture
def person(served, chromium):
    served.editor.open_gates()
    visitor = Visitor(chromium, served.url, viewport={"width": 1280, "height": 800})
    yield visitor
    visitor.close()


def test_the_wait_for_the_first_preview_is_explained(person, served, media):
    served.editor.fitted.clear()
    served.editor.fit_gate.close()
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#preview-note .busy:has-text('Measuring the face')")
    assert "click an example" not in person.text("#compare")
    served.editor.fit_gate.open()
    person.page.wait_for_selector("#compare img")
    person.page.wait_for_selector("#preview-note .busy", state="hidden")


def test_a_first_impression_says_that_it_is_being_fitted(person, served, media):
    served.editor.search_gate.close()
    person.upload_and_wait(media / "talk.mp4")
    person.page.wait_for_selector("#preview-note .busy:has-text('being fitted')")
    served.editor.search_gate.open()
    person.page.wait_for_selector("#preview-note .busy", state="hidden")


@pytest.mark.parametrize(("tab", "box"), [("Evaluation", "#evaluation-report"), ("About", "#inspection-file")])
def test_the_text_of_an_upload_box_is_not_cut_off(person, tab, box):
    person.page.get_by_role("tab", name=tab).click()
    person.page.wait_for_selector(f"{box} [data-testid=upload-text]")
    outer = person.page.locator(box).bounding_box()
    top, bottom = person.page.locator(f"{box} [data-testid=upload-text]").evaluate(TEXT_ENDS)
    assert outer["y"] <= top < bottom <= outer["y"] + outer["height"]


def test_the_list_of_saved_expressions_has_the_height_of_a_field(person):
    person.page.locator("#presets button.label-wrap").click()
    assert person.page.locator("#preset-choice .wrap-inner").bounding_box()["height"] >= 30


def test_the_preview_is_as_high_as_what_it_shows(person, media):
    person.page.set_viewport_size({"width": 2560, "height": 1300})
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#player video")
    empty = person.page.locator("#preview-panel").evaluate(
        """panel => panel.getBoundingClientRect().bottom
          - Math.max(...[...panel.children].map(child => child.getBoundingClientRect().bottom))"""
    )
    assert empty < 20


def test_several_faces_leave_the_emotions_on_the_first_screen_of_a_laptop(person, served, media):
    served.editor.face_count = 2
    person.page.set_viewport_size({"width": 1366, "height": 650})
    person.upload_and_wait(media / "talk.mp4")
    person.page.wait_for_selector("#faces .thumbnail-item")
    served.editor.face_count = 1
    emotions = person.page.locator("#emotion").bounding_box()
    assert emotions["y"] + emotions["height"] <= person.page.locator("#actions").bounding_box()["y"]


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_a_weak_result_stays_inside_its_table_on_a_phone(served, chromium, media, locale):
    served.editor.weak = True
    person = Visitor(chromium, served.url, viewport={"width": 360, "height": 740}, locale=locale)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector(".edit-report .facts table")
    served.editor.weak = False
    table, section = (
        person.page.locator(selector).evaluate("element => element.getBoundingClientRect().right")
        for selector in (".edit-report .facts table", ".edit-report .facts")
    )
    person.close()
    assert table <= section


@pytest.fixture
def german_report(served, chromium, media) -> Iterator[Visitor]:
    """The report of an edit in German on a narrow phone."""
    served.editor.open_gates()
    person = Visitor(chromium, served.url, viewport={"width": 360, "height": 740}, locale="de-DE")
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector(".edit-report h3:has-text('Erkannte Emotionen')")
    yield person
    person.close()


def test_the_bars_of_recognized_emotions_are_as_wide_as_their_table_on_a_phone(german_report):
    table, bars = (
        german_report.page.locator(selector).first.bounding_box()["width"]
        for selector in (".chances table", ".chances tbody td:nth-child(2)")
    )
    assert bars == pytest.approx(table, abs=1)


def test_a_percent_sign_in_german_stands_apart_from_its_number(german_report):
    assert re.findall(r"\d%", german_report.text(".edit-report")) == []


def test_the_longest_emotion_fits_its_tile_on_a_german_phone(served, chromium):
    person = Visitor(chromium, served.url, viewport={"width": 360, "height": 740}, locale="de-DE")
    person.page.wait_for_selector("#emotion label:has-text('Überrascht')")
    overhang = person.page.locator("#emotion label").evaluate_all(
        """labels => Math.max(...labels.map(label =>
          label.querySelector('span').scrollWidth - label.clientWidth))"""
    )
    person.close()
    assert overhang <= 0


def test_the_names_of_several_files_can_be_read_on_a_phone(served, chromium, media):
    person = Visitor(chromium, served.url, viewport={"width": 360, "height": 740})
    person.page.get_by_role("tab", name="Several files").click()
    person.page.set_input_files("#batch-files input[type=file]", [str(media / "talk.mp4"), str(media / "face.jpg")])
    stem = person.page.locator("#batch-files .stem").first
    stem.wait_for()
    hidden = stem.evaluate("element => element.scrollWidth - element.clientWidth")
    person.close()
    assert hidden <= 0


def test_the_button_that_adds_files_has_a_name(person, media):
    person.page.get_by_role("tab", name="Several files").click()
    person.page.set_input_files("#batch-files input[type=file]", str(media / "face.jpg"))
    person.page.wait_for_selector("#batch-files .icon-button")
    names = person.page.locator("#batch-files .icon-button").evaluate_all(
        "buttons => buttons.map(button => button.ariaLabel)"
    )
    assert "common.upload" not in names


def test_the_maps_of_a_comparison_are_named_on_one_line(person):
    spaces = person.page.evaluate("""() => {
      const label = document.createElement('div');
      label.innerHTML = '<span class="switch"><label><span>Karte 1</span></label></span>';
      document.body.append(label);
      const space = getComputedStyle(label.querySelector('label span')).whiteSpace;
      label.remove();
      return space;
    }""")
    assert spaces == "nowrap"

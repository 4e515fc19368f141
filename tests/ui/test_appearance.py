"""What a look at every screen found: nothing is cut off, nothing is silent, nothing lies on a chart."""

from __future__ import annotations

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
    page = ServedPage(FakeEditor(fit_seconds=1.0), tmp_path_factory.mktemp("appearance"))
    yield page
    page.blocks.close()


@pytest.fixture
def person(served, chromium):
    served.editor.search_seconds = 0.0
    visitor = Visitor(chromium, served.url, viewport={"width": 1280, "height": 800})
    yield visitor
    visitor.context.close()


def test_the_wait_for_the_first_preview_is_explained(person, media):
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#preview-note .busy:has-text('Measuring the face')")
    assert "click an example" not in person.text("#compare")
    person.page.wait_for_selector("#compare img")
    person.page.wait_for_selector("#preview-note .busy", state="hidden")


def test_a_first_impression_says_that_it_is_being_fitted(person, served, media):
    served.editor.search_seconds = 1.0
    person.upload_and_wait(media / "talk.mp4")
    person.page.wait_for_selector("#preview-note .busy:has-text('being fitted')")
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

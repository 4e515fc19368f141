"""A researcher makes a study of the results of a visit."""

from __future__ import annotations

import pytest
from fake_editor import FakeEditor
from served_page import ServedPage
from visitor import Visitor

from asccl.study.store import Store
from asccl.study.studies import list_studies

pytestmark = pytest.mark.browser
SECRET = "a secret of the tests that nobody guesses"


@pytest.fixture
def served(tmp_path, monkeypatch):
    from asccl.study.web.serve import study_routes

    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "studies"))
    monkeypatch.setenv("ASCCL_STUDY_SECRET", SECRET)
    monkeypatch.delenv("ASCCL_STUDY_DB", raising=False)
    page = ServedPage(FakeEditor(), tmp_path, routes=study_routes())
    yield page
    page.close()


@pytest.fixture
def person(served, chromium, media):
    """A visitor with two results of one video."""
    visitor = Visitor(chromium, served.url)
    visitor.upload_and_wait(media / "talk.mp4")
    for number, intensity in enumerate(("0.6", "1.2"), 1):
        box = visitor.page.locator("#intensity input[type=number]")
        box.fill(intensity)
        box.press("Enter")
        visitor.wait_for_setting("intensity", intensity)
        visitor.render()
        visitor.page.wait_for_function(f"() => document.querySelectorAll('.result-item').length === {number}")
    yield visitor
    visitor.close()
    assert visitor.errors == []


def test_two_results_become_a_study_for_those_who_may(person, served, tmp_path):
    button = person.page.locator("#results [data-part=study]")
    assert not button.is_visible()
    admin = person.context.new_page()
    admin.goto(f"{served.url}study/admin/list")
    admin.fill("[name=secret]", SECRET)
    admin.click("button.primary")
    admin.wait_for_selector("text=There are no studies yet")
    person.page.locator("[data-part=show]").first.click()  # the strip is drawn again
    with person.context.expect_page() as opened:
        button.click()
    study = opened.value
    study.wait_for_selector("#app-results li:nth-child(2)")
    assert study.locator("#app-results [type=text]").evaluate_all("boxes => boxes.map(b => b.value)") == [
        "warp-0.6",
        "warp-1.2",
    ]
    study.fill("[name=title]", "From the strip")
    study.click("button.primary")
    study.click("a:has-text('Continue to the links')")
    study.wait_for_selector("h1:has-text('From the strip')")
    store = Store(tmp_path / "studies")
    with store.read() as connection:
        (created,) = list_studies(connection)
    store.close()
    assert (set(created.methods), set(created.items)) == ({"warp-0.6", "warp-1.2"}, {"talk-happy"})

"""The expert controls in a real browser: sliders, mix, curve, saved presets and several files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator

import pytest
from visitor import Visitor, wait_until

from asccl.editing.saved_presets import SavedPreset, write_preset
from asccl.expression import GroupAmounts
from asccl.ui.examples import EXAMPLES

pytestmark = pytest.mark.browser
ALL_VIDEOS_LOADED = """() => [...document.querySelectorAll("video")].every((video) => !video.currentSrc ||
  (video.buffered.length && video.buffered.end(video.buffered.length - 1) > video.duration - 0.1))"""


@pytest.fixture
def person(shared_page, chromium) -> Iterator[Visitor]:
    """A window of its own on the one page of this module."""
    shared_page.editor.requests.clear()
    visitor = Visitor(chromium, shared_page.url)
    refused: list[str] = []
    visitor.page.on("response", lambda r: refused.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    yield visitor
    visitor.close()
    assert (visitor.errors, refused) == ([], [])
    assert visitor.foreign_requests == []


def open_box(person: Visitor, name: str) -> None:
    person.page.locator(f"#{name} button").first.click()


def set_slider(person: Visitor, name: str, value: float) -> None:
    box = person.page.locator(f"#{name} input[type=number]")
    box.fill(str(value))
    box.press("Enter")


def choose(person: Visitor, name: str, label: str) -> None:
    person.page.locator(f"#{name} input").click()
    person.page.get_by_role("option", name=label, exact=True).click()


def rendered_request(person: Visitor, shared_page):
    person.render()
    wait_until(lambda: shared_page.editor.requests)
    person.page.wait_for_selector(".result-item")
    return shared_page.editor.requests[-1]


def test_sliders_and_a_mix_reach_the_edit(person, shared_page, media):
    person.upload_and_wait(media / "talk.mp4")
    open_box(person, "expert")
    choose(person, "second-emotion", "Surprised")
    set_slider(person, "second-share", 0.3)
    set_slider(person, "group-brows", 0.5)
    for part in ("surprised", "0.3", "brows"):
        person.wait_for_setting("expression", part)
    request = rendered_request(person, shared_page)
    assert (request.second_emotion, request.second_share) == ("surprised", 0.3)
    assert request.groups == GroupAmounts(brows=0.5)


def test_the_curve_reaches_the_edit(person, shared_page, media):
    person.upload_and_wait(media / "talk.mp4")
    open_box(person, "curve-box")
    plot = person.page.locator("#curve svg")
    plot.evaluate("element => element.scrollIntoView({block: 'center'})")
    size = plot.bounding_box()
    for x, y in ((0.25, 0.98), (0.75, 0.5)):
        plot.click(position={"x": x * size["width"], "y": y * size["height"]})
    points = person.page.locator(".curve-point")
    assert points.count() == 2
    points.nth(1).press("ArrowUp")
    person.wait_for_setting("keyframes", "1.05")
    (first, second) = rendered_request(person, shared_page).keyframes
    assert (first.time, first.intensity) == pytest.approx((0.48, 0.05), abs=0.06)
    assert (second.time, second.intensity) == pytest.approx((1.43, 1.05), abs=0.06)


def test_the_open_curve_is_reached_above_a_result(person):
    person.page.set_viewport_size({"width": 1366, "height": 768})
    person.page.locator("#examples button").first.click()
    person.page.wait_for_selector("#player video")
    open_box(person, "curve-box")
    person.page.click("#curve [data-part=fade]")
    assert person.page.locator(".curve-point").count() == 4
    person.page.locator("#readout").scroll_into_view_if_needed()
    preview, result = (person.page.locator(f"#{name}-panel").bounding_box() for name in ("preview", "result"))
    assert preview["y"] + preview["height"] <= result["y"]  # the preview does not stay under the result


def test_a_new_file_clears_the_curve(person, media):
    person.upload_and_wait(media / "talk.mp4")
    open_box(person, "curve-box")
    person.page.click("#curve [data-part=fade]")
    assert person.page.locator(".curve-point").count() == 4
    person.upload_and_wait(media / "face.jpg")
    person.page.wait_for_function("() => document.querySelectorAll('.curve-point').length === 0")


def test_a_preset_is_saved_exported_and_applied(person, media):
    person.choose_emotion("Sad")
    open_box(person, "expert")
    set_slider(person, "group-smile", -0.4)
    open_box(person, "presets")
    person.page.fill("#preset-name textarea, #preset-name input", "Wistful")
    person.page.keyboard.press("Tab")
    person.page.click("#preset-save")
    person.page.wait_for_selector("#preset-note :text('is saved')")
    person.page.wait_for_selector("#preset-export:not([disabled])")
    exported = json.loads(person.download("#preset-export").read_text())
    assert (exported["emotion"], exported["groups"]["smile"]) == ("sad", -0.4)
    person.reload()
    person.page.wait_for_selector("#render")
    open_box(person, "presets")
    choose(person, "preset-choice", "Wistful")
    person.page.wait_for_selector("#emotion input[value=sad]:checked")
    open_box(person, "expert")
    person.page.wait_for_function("() => document.querySelector('#group-smile input')?.value === '-0.4'")


def test_a_preset_is_imported_and_a_bad_one_explained(person, tmp_path):
    write_preset(SavedPreset("From a friend", "angry", 1.3), tmp_path / "friend.json")
    (tmp_path / "bad.json").write_text("{}")
    open_box(person, "presets")
    upload = person.page.locator("#preset-import input[type=file], input[type=file][accept='.json']").first
    upload.set_input_files(str(tmp_path / "bad.json"))
    person.page.wait_for_selector("#preset-note [role=alert]:has-text('no preset')")
    upload.set_input_files(str(tmp_path / "friend.json"))
    person.page.wait_for_selector("#emotion input[value=angry]:checked")


def test_several_files_give_one_zip_and_one_table(person, shared_page, media):
    person.choose_emotion("Sad")
    person.page.get_by_role("tab", name="Several files").click()
    person.page.wait_for_selector("#batch-settings:has-text('Sad')")
    consent = person.page.locator("#batch-consent input")
    consent.check()
    files = [str(media / name) for name in ("talk.mp4", "fake.mp4", "face.jpg")]
    person.page.set_input_files("#batch-files input[type=file]", files)
    person.page.wait_for_selector("#batch-files :text('talk')")
    person.page.wait_for_selector("#batch-consent input:not(:checked)")  # new files take the tick away
    consent.check()
    person.page.click("#batch-start")
    person.page.wait_for_selector("#batch-status :text('Done: 2 of 3')")
    assert person.page.locator("#batch-table tbody tr").count() == 3
    person.page.wait_for_selector("#batch-download")
    with zipfile.ZipFile(person.download("#batch-download")) as archive:
        assert {"talk-sad.mp4", "face-sad.jpg", "table.csv"} <= set(archive.namelist())
    assert [request.emotion for request in shared_page.editor.requests] == ["sad", "sad"]
    wait_until(lambda: not shared_page.leftovers())


def test_an_example_comes_with_its_finished_result(person, shared_page):
    person.page.locator("#examples button").first.click()
    person.page.wait_for_selector("#player video")
    assert "Sad" in person.text(".result-item strong")
    person.page.wait_for_function("() => [...document.querySelectorAll('#player video')].every(v => v.readyState >= 2)")
    assert shared_page.editor.requests == []


def test_a_deleted_example_can_be_loaded_again(person):
    for _ in range(2):
        person.page.locator("#examples button").nth(1).click()
        person.page.wait_for_selector(".result-item")
        person.page.wait_for_function(ALL_VIDEOS_LOADED)  # or a player would ask for a file that is deleted
        person.page.click(".result-item [data-part=delete]")
        person.page.wait_for_function("() => !document.querySelector('.result-item')")
    assert EXAMPLES[1].result.exists()


@pytest.mark.parametrize(
    ("locale", "button", "label"), [("de-DE", "Ergebnis erstellen", "Traurig"), ("fr-FR", "Create the result", "Sad")]
)
def test_the_page_speaks_the_language_of_the_browser(shared_page, chromium, locale, button, label):
    person = Visitor(chromium, shared_page.url, locale=locale)
    person.page.wait_for_selector(f"#render:has-text('{button}')")
    person.page.get_by_role("radio", name=label).check()
    assert person.page.locator("#emotion input:checked").get_attribute("value") == "sad"
    person.close()

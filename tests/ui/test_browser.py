"""The Edit tab in a real browser: what a person does, and what they see when something is wrong."""

from __future__ import annotations

import json

import pytest
from fake_editor import FakeEditor
from visitor import wait_until

from asccl.ui.examples import EXAMPLES
from asccl.ui.places import MAX_SILENCE
from asccl.video.reader import probe

pytestmark = pytest.mark.browser


def test_upload_edit_play_download(serve_page, media, visit):
    page = serve_page()
    page.editor.edit_gate.close()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    assert "talk.mp4" in person.text("#source-card")
    person.choose_emotion("Sad")
    person.render()
    person.page.wait_for_selector("[role=progressbar]")
    page.editor.edit_gate.open()
    person.page.wait_for_selector("#player video")
    person.page.wait_for_function("() => [...document.querySelectorAll('#player video')].every(v => v.readyState >= 3)")
    person.page.click("#player [data-part=play]")
    person.page.wait_for_function("() => document.querySelector('[data-part=edited]').currentTime > 0.7")
    person.page.click("#player [data-part=play]")
    person.page.wait_for_function(
        """() => {
          const [source, edited] = document.querySelectorAll('#player video');
          return edited.paused && Math.abs(source.currentTime - edited.currentTime) < 0.05;
        }"""
    )
    muted = person.page.evaluate("() => [...document.querySelectorAll('#player video')].map(v => v.muted)")
    assert muted == [True, False]
    assert "Looks sad" in person.text("#readout")
    assert person.page.locator("#readout .curves path").count() == 3
    assert probe(person.download("#download-video")).frames >= 19
    assert json.loads(person.download("#download-report").read_text())["request"]["emotion"] == "sad"
    assert person.errors == []


def test_the_players_two_videos_stay_together(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#player video")
    person.page.wait_for_function("() => document.querySelector('[data-part=edited]').duration > 1")
    person.page.focus("#player [data-part=seek]")
    for key, expected in (("End", 2.0), ("Home", 0.0), ("ArrowRight", 0.1)):
        person.page.keyboard.press(key)
        person.page.wait_for_function(
            "at => [...document.querySelectorAll('#player video')].every(v => Math.abs(v.currentTime - at) < 0.11)",
            arg=expected,
        )


def test_a_photo_gives_a_photo(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload_and_wait(media / "face.jpg")
    assert not person.page.locator("#time").is_visible()
    person.render()
    person.page.wait_for_selector("#still img")
    assert person.page.locator("#player video").count() == 0
    assert probe(person.download("#download-video")).is_still
    assert person.errors == []


def test_the_preview_follows_the_controls(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload_and_wait(media / "talk.mp4")
    before = person.page.get_attribute(".compare-edited", "src")
    person.choose_emotion("Angry")
    person.page.wait_for_function("old => document.querySelector('.compare-edited').src !== old", arg=before)
    handle = person.page.locator("#compare input")
    handle.focus()
    handle.press("ArrowRight")
    assert person.page.locator(".compare").get_attribute("style").startswith("--at: 50.5%")
    assert person.errors == []


@pytest.mark.parametrize(("height", "axis", "side"), [(720, "x", "width"), (1000, "y", "height")])
def test_several_faces_can_be_chosen_from(serve_page, media, visit, height, axis, side):
    """In a low window, the faces stand beside their label, else below it."""
    page = serve_page(FakeEditor(face_count=3))
    person = visit(page.url, viewport={"width": 1280, "height": height})
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#faces button img")
    faces, label = person.page.locator("#faces button:has(img)"), person.page.locator("#faces label")
    gallery, label_box = person.page.locator("#faces").bounding_box(), label.bounding_box()
    for box in (faces.nth(n).bounding_box() for n in range(3)):
        assert box[axis] >= label_box[axis] + label_box[side]
        assert box["y"] + box["height"] <= gallery["y"] + gallery["height"]
    faces.nth(2).click()
    person.page.wait_for_selector("#compare img")
    person.render()
    person.page.wait_for_selector("#player video")
    assert page.editor.requests[-1].face == 2


def test_a_reference_chooses_its_own_button(serve_page, media, visit):
    page = serve_page()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    assert not person.page.locator("#reference").is_visible()
    person.choose_emotion("From a clip")
    person.page.set_input_files("#reference input[type=file]", str(media / "face.jpg"))
    person.page.wait_for_selector("#reference-card img")
    person.page.wait_for_selector("#emotion input[value=reference]:checked")
    person.render()
    person.page.wait_for_selector("#player video")
    assert page.editor.requests[-1].emotion is None
    assert page.editor.requests[-1].reference is not None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fake.mp4", "fake.mp4"), ("wall.png", "no face"), ("huge.mp4", "larger than 1 mb")],
)
def test_a_bad_upload_is_reported_in_one_line(serve_page, media, visit, name, expected):
    person = visit(serve_page(max_bytes=2**20).url)
    person.upload(media / name)
    alert = "#source [data-part=upload-error]" if name == "huge.mp4" else "#source-note [role=alert]"
    person.page.wait_for_selector(f"{alert}:not(:empty)")
    message = person.text(alert)
    assert expected in message.lower()
    assert "Traceback" not in message
    assert "/tmp" not in message
    person.upload_and_wait(media / "talk.mp4")
    person.page.wait_for_function("() => !document.querySelector('#source-note .status p')?.textContent")


def test_render_needs_the_tick(serve_page, media, visit):
    page = serve_page()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#render")
    person.page.wait_for_selector("#status [role=alert]")
    assert "tick the box" in person.text("#status")
    assert page.editor.requests == []
    person.page.wait_for_selector("#render:not([disabled])")


def test_cancel_leaves_nothing(serve_page, media, visit):
    page = serve_page()
    page.editor.edit_gate.close()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    assert page.editor.running.wait(60)
    person.page.click("#cancel")
    assert page.editor.stopped.wait(60)
    wait_until(lambda: not page.leftovers())
    person.page.wait_for_selector("#status .stopped")
    person.page.wait_for_timeout(1500)  # a late message of the stopped edit would overwrite the status
    assert person.text("#status .status").startswith("Cancelled")
    assert person.page.locator("#render").is_enabled()
    assert not person.page.locator("#cancel").is_visible()
    page.editor.edit_gate.open()
    person.page.click("#render")
    person.page.wait_for_selector("#player video")
    assert person.errors == []


def test_progress_is_visible_where_render_was_clicked(serve_page, media, visit):
    """Status and buttons stay at the lower edge of a window that is too low for all the controls."""
    page = serve_page()
    page.editor.edit_gate.close()
    person = visit(page.url, viewport={"width": 1280, "height": 960})
    person.upload_and_wait(media / "talk.mp4")

    def click(selector: str) -> None:
        person.page.evaluate(f"() => document.querySelector('{selector}').click()")  # Playwright's own click scrolls

    def is_in_view(selector: str) -> bool:
        box = person.page.locator(selector).bounding_box()
        return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 960

    person.page.evaluate("() => scrollTo(0, 0)")
    click("#render")
    person.page.wait_for_selector("#status [role=alert]")
    assert is_in_view("#status [role=alert]")
    assert not person.page.locator(".toast-wrap [role=alert]").is_visible()
    click("#consent input")
    person.wait_until_idle()
    click("#render")
    person.page.wait_for_selector("[role=progressbar]")
    assert is_in_view("[role=progressbar]")
    assert is_in_view("#cancel")


def test_a_new_source_stops_the_edit_of_the_previous_one(serve_page, media, visit):
    page = serve_page()
    page.editor.edit_gate.close()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    assert page.editor.running.wait(60)
    person.page.locator("#examples button", has_text="Photo").click()
    assert page.editor.stopped.wait(60)
    person.page.wait_for_selector("#source-card:has-text('maya.jpg')")
    assert person.text("#status .status") == ""
    person.page.wait_for_selector(".result-item")  # the finished result of the example
    page.editor.edit_gate.open()
    person.render()
    person.page.wait_for_selector(".result-item:nth-child(2)")
    assert person.page.locator("#player video").count() == 0
    assert person.errors == []


def test_an_example_chooses_an_emotion_that_changes_it_visibly(serve_page, visit):
    person = visit(serve_page().url)
    person.page.locator("#examples button").first.click()
    person.page.wait_for_selector("#compare img")
    assert person.page.locator("#emotion input:checked").get_attribute("value") == EXAMPLES[0].emotion != "happy"
    assert person.errors == []


def test_a_closed_window_stops_its_edit(serve_page, media, visit):
    page = serve_page()
    page.editor.edit_gate.close()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    assert page.editor.running.wait(60)
    person.page.close()

    def is_stopped_in_time() -> bool:
        """Let time pass. The server may notice only later that the window is closed."""
        page.clock.advance(2 * MAX_SILENCE)
        return page.editor.stopped.is_set()

    wait_until(is_stopped_in_time)
    wait_until(lambda: not page.leftovers())


def test_two_visitors_do_not_see_each_other(serve_page, media, visit):
    page = serve_page()
    page.editor.edit_gate.close()
    one, two = visit(page.url), visit(page.url)
    one.upload(media / "talk.mp4")
    two.upload(media / "face.jpg")
    for person, emotion in ((one, "Sad"), (two, "Angry")):
        person.page.wait_for_selector("#compare img")
        person.choose_emotion(emotion)
    one.render()
    assert page.editor.running.wait(60)
    two.render()
    two.page.wait_for_selector("#status :text('Waiting for your turn')")
    page.editor.edit_gate.open()
    one.page.wait_for_selector("#player video")
    two.page.wait_for_selector("#still img")
    assert "Looks sad" in one.text("#readout")
    assert "Looks angry" in two.text("#readout")
    assert "talk.mp4" in one.text("#source-card")
    assert "face.jpg" in two.text("#source-card")
    assert json.loads(one.download("#download-report").read_text())["request"]["emotion"] == "sad"
    assert json.loads(two.download("#download-report").read_text())["request"]["emotion"] == "angry"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(serve_page, media, visit, width, scheme):
    person = visit(serve_page().url, viewport={"width": width, "height": 844}, color_scheme=scheme)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#readout .curves")
    assert person.page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_every_control_is_reached_by_the_keyboard(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload_and_wait(media / "talk.mp4")
    reached = set()
    person.page.evaluate("() => { document.activeElement?.blur(); window.scrollTo(0, 0); }")
    for _ in range(60):
        person.page.keyboard.press("Tab")
        reached.add(person.page.evaluate("() => document.activeElement.closest('[id]:not([id^=html-])')?.id ?? ''"))
    assert reached >= {"examples", "consent", "compare", "emotion", "render"}

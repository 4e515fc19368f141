"""The first screen of the Edit tab in a real browser: what is visible, readable and reachable at once."""

from __future__ import annotations

import pytest
from browser import expect_moment
from fake_editor import FakeEditor
from served_page import ServedPage
from visitor import Visitor, wait_until

pytestmark = pytest.mark.browser
FACE_BOX = (50.0, 40.0, 90.0, 90.0)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One page for all tests of this module."""
    page = ServedPage(FakeEditor(box=FACE_BOX), tmp_path_factory.mktemp("first-screen"))
    yield page
    page.close()


@pytest.fixture
def visit_page(served, chromium):
    """visit_page(width, height) -> Visitor."""
    visitors: list[Visitor] = []

    def open_window(width: int = 1280, height: int = 800, **settings) -> Visitor:
        visitors.append(Visitor(chromium, served.url, viewport={"width": width, "height": height}, **settings))
        return visitors[-1]

    yield open_window
    served.editor.open_gates()
    for visitor in visitors:
        visitor.close()


@pytest.mark.parametrize(("width", "height"), [(1366, 650), (1280, 800)])
def test_a_laptop_shows_all_that_a_first_edit_needs(visit_page, media, width, height):
    person = visit_page(width, height)
    person.upload_and_wait(media / "talk.mp4")
    for selector in ("#source-card", "#compare", "#emotion", "#intensity", "#consent", "#render", "#curve-box"):
        box = person.page.locator(selector).bounding_box()
        assert box["y"] + box["height"] <= height, selector


@pytest.mark.parametrize(("width", "height"), [(1366, 650), (1280, 800)])
def test_the_preview_does_not_scroll_inside_itself(visit_page, media, width, height):
    person = visit_page(width, height)
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#curve-box button.label-wrap")
    person.page.wait_for_selector("#curve [data-part=fade]:visible")
    hidden = person.page.locator("#preview-panel").evaluate("panel => panel.scrollHeight - panel.clientHeight")
    assert hidden <= 0


@pytest.mark.parametrize(("width", "height"), [(1366, 650), (360, 740)])
def test_the_chart_of_the_intensity_is_scrolled_into_view_when_it_opens(visit_page, media, width, height):
    person = visit_page(width, height)
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#curve-box button.label-wrap")
    person.page.wait_for_function(
        """() => {
          const box = document.querySelector("#curve-box").getBoundingClientRect();
          return document.querySelector("#curve svg") && box.height > 200 && box.top >= 0 && box.bottom <= innerHeight;
        }"""
    )


@pytest.mark.parametrize(("width", "height"), [(1366, 650), (1366, 900), (2560, 1300)])
def test_the_examples_below_a_preview_are_not_cut_off(visit_page, media, width, height):
    person = visit_page(width, height)
    person.upload_and_wait(media / "talk.mp4")
    hidden = person.page.locator("#preview-panel").evaluate("panel => panel.scrollHeight - panel.clientHeight")
    assert hidden <= 0


def test_a_wide_screen_is_used(visit_page):
    person = visit_page(2560, 1440)
    assert person.page.locator("#workbench").bounding_box()["width"] > 2200


def test_a_phone_has_the_two_videos_below_each_other(visit_page, media):
    person = visit_page(390, 844)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#player video")
    source, edited = person.page.evaluate(
        "() => [...document.querySelectorAll('#player figure')].map(figure => figure.getBoundingClientRect().toJSON())"
    )  # of one moment: the page scrolls to the result
    assert edited["top"] >= source["bottom"]
    person.page.click("#player [data-view=edited]")
    assert not person.page.locator("#player figure").first.is_visible()


def test_nothing_lies_over_the_button_when_the_page_scrolls(visit_page, media):
    person = visit_page(390, 700)
    person.upload_and_wait(media / "talk.mp4")
    covered = person.page.evaluate(
        """() => {
          const hits = [];
          for (let y = 0; y < document.body.scrollHeight; y += 40) {
            scrollTo(0, y);
            const box = document.getElementById('render').getBoundingClientRect();
            const x = box.left + 40, middle = box.top + box.height / 2;
            if (middle < 0 || middle > innerHeight) continue;
            if (!document.elementFromPoint(x, middle).closest('#render')) hits.push(y);
          }
          return hits;
        }"""
    )
    assert covered == []


def test_another_file_replaces_the_first_and_asks_for_consent_anew(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.page.locator("#consent input").check()
    person.upload(media / "face.jpg")
    person.page.wait_for_selector("#source-card:has-text('face.jpg')")
    assert not person.page.locator("#consent input").is_checked()


def test_a_dropped_file_replaces_the_first(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    data = list((media / "face.jpg").read_bytes())
    person.page.evaluate(
        """(bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], 'dropped.jpg', {type: 'image/jpeg'}));
          const box = document.querySelector('#source .file-card');
          box.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }""",
        data,
    )
    person.page.wait_for_selector("#source-card:has-text('dropped.jpg')")


def test_without_the_tick_the_keyboard_stands_on_the_box(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#render")
    person.page.wait_for_function("() => document.activeElement.closest('#consent')")


def test_the_preview_is_divided_through_the_face(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    assert person.page.locator(".compare-of-face").is_visible()
    person.page.click("[data-part=view]")
    style = person.page.locator(".compare-of-frame").get_attribute("style")
    assert "--at: 44" in style  # the middle of FACE_BOX in 160 pixels


def test_two_seconds_of_the_preview_can_be_played(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#move")
    person.page.wait_for_selector("#moving video")
    person.choose_emotion("Angry")
    person.page.wait_for_selector("#moving video", state="detached")


def test_the_source_is_played_in_the_page(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#source-card [data-part=play-file]")
    person.page.wait_for_function("() => document.querySelector('#source dialog video').readyState >= 2")


def test_the_player_loops_wipes_and_marks_the_edited_part(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("button:has-text('Only a part of the video')")
    person.page.locator("#start input[type=range]").fill("1")
    person.page.wait_for_selector("#preview-note :text('outside the part')")
    person.render()
    person.page.wait_for_function("() => document.querySelector('[data-part=edited]')?.readyState >= 3")
    assert person.page.locator("[data-part=span]").get_attribute("style").startswith("left: 50%")
    size = person.page.locator("#player [data-part=edited]").bounding_box()
    assert size["width"] == pytest.approx(size["height"], rel=0.02)  # a square clip has no bars
    person.page.click("#player [data-view=wipe]")
    person.page.locator("#player [data-part=wipe]").fill("20")
    assert "inset(0px 80% 0px 0px)" in person.page.locator("#player figure").first.evaluate(
        "figure => getComputedStyle(figure).clipPath"
    )
    person.page.evaluate("() => { document.querySelector('[data-part=edited]').currentTime = 1.8; }")
    person.page.click("#player [data-part=play]")
    person.page.wait_for_function("() => document.querySelector('[data-part=edited]').currentTime < 0.9")
    assert person.page.locator("#player [data-part=play]").get_attribute("data-state") == "playing"


def test_settings_are_undone_cleared_and_linked(visit_page, media, served, chromium):
    person = visit_page(permissions=["clipboard-read", "clipboard-write"])
    person.page.wait_for_selector("#undo[disabled]")
    person.upload_and_wait(media / "talk.mp4")
    person.choose_emotion("Angry")
    person.page.wait_for_function("() => window.asccl.link().includes('emotion=angry')")
    with expect_moment(person.page, "() => document.querySelector('[data-part=copied]').checkVisibility()"):
        person.page.click("#link")
    other = Visitor(chromium, person.page.evaluate("() => navigator.clipboard.readText()"))
    other.page.wait_for_selector("#emotion input[value=angry]:checked")
    other.close()
    person.page.click("#undo")
    person.page.wait_for_selector("#emotion input[value=happy]:checked")
    person.page.click("#start-over")
    person.page.wait_for_selector("#source .file-box:not(.has-file)")
    person.page.click("#undo")
    person.page.wait_for_selector("#source-card:has-text('talk.mp4')")


def test_a_setting_that_a_slow_server_changes_is_a_step_of_the_history(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.choose_emotion("Angry")
    person.wait_for_setting("emotion", "angry")
    undone = person.page.evaluate("""() => {
      const { settings } = JSON.parse(sessionStorage.getItem("asccl-visit"));
      const now = Date.now;
      Date.now = () => now() + 60_000;
      window.asccl.record(...Object.values({ ...settings, emotion: "sad" }));
      return window.asccl.undo();
    }""")
    assert "angry" in undone


def test_a_choice_is_remembered_before_its_preview_is_there(visit_page, media, served):
    person = visit_page()
    served.editor.fitted.clear()
    served.editor.fit_gate.close()
    person.upload(media / "face.jpg")
    person.page.wait_for_selector("#source-card:has-text('face.jpg')")
    person.choose_emotion("Angry")
    person.wait_for_setting("emotion", "angry")
    assert person.page.locator("#compare img").count() == 0
    served.editor.fit_gate.open()
    person.page.click("#undo")
    person.page.wait_for_selector("#emotion input[value=happy]:checked")
    person.page.click("#undo")
    person.page.wait_for_selector("#source .file-box:not(.has-file)")


def test_a_new_file_takes_the_consent_back_before_its_face_is_found(visit_page, media, served):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.page.locator("#consent input").check()
    served.editor.face_gate.close()
    person.upload(media / "face.jpg")
    person.page.wait_for_selector("#source-note :text('Looking for faces')")
    person.page.wait_for_selector("#consent input:not(:checked)")
    assert "talk.mp4" in person.text("#source-card")
    served.editor.face_gate.open()
    person.page.wait_for_selector("#source-card:has-text('face.jpg')")


def test_the_emotions_are_one_group_for_the_keyboard(visit_page):
    person = visit_page()
    person.page.locator("#emotion input[value=happy]").focus()
    person.page.keyboard.press("ArrowRight")
    assert person.page.locator("#emotion input:checked").get_attribute("value") == "sad"


def test_the_camera_is_a_mirror(visit_page):
    person = visit_page()
    style = person.page.evaluate(
        """() => {
          const video = document.createElement('video');
          const box = document.createElement('div');
          box.id = 'webcam';
          box.append(video);
          document.body.append(box);
          return getComputedStyle(video).transform;
        }"""
    )
    assert style == "matrix(-1, 0, 0, 1, 0, 0)"


def test_an_error_of_a_file_is_shown_once(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    person.upload(media / "fake.mp4")
    person.page.wait_for_selector("#source-note [role=alert]")
    person.page.wait_for_timeout(700)
    assert person.page.locator("[role=alert]:visible").count() == 1


def test_the_page_about_the_endpoints_opens_at_its_address(visit_page, served):
    person = visit_page()
    refused: list[str] = []
    person.page.on("response", lambda r: refused.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    person.go_to(f"{served.url}?view=api")
    person.page.wait_for_selector(".api-docs :text('Number of the face, as listed by /faces; -1 is the largest.')")
    assert person.page.locator(".api-docs :text('[object Object]')").count() == 0
    assert (refused, person.errors) == ([], [])


def test_a_visit_to_all_tabs_leaves_the_console_clean(visit_page, media):
    person = visit_page()
    person.upload_and_wait(media / "talk.mp4")
    for name in ("Correlation", "Evaluation", "About", "Edit"):
        person.page.get_by_role("tab", name=name).click()
        person.page.wait_for_timeout(200)
    wait_until(lambda: person.page.locator("#render").is_visible())
    assert person.errors == []

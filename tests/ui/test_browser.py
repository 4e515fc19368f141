"""The page in a real browser: what a person does, and what they see when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_editor import FakeEditor
from test_endpoints import wait_until

from asccl.ui.examples import EXAMPLES
from asccl.video.reader import probe

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # milliseconds: only a hang runs into it
CLOCKS = "() => [...document.querySelectorAll('#player video')].map(v => v.currentTime)"


class Visitor:
    """One person's browser window; keeps what went wrong in it and what left this machine."""

    def __init__(self, chromium, url: str, **settings):
        self.context = chromium.new_context(accept_downloads=True, **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._requested)
        self.page.goto(url)
        self.page.wait_for_selector("#render")

    def _requested(self, request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:")):
            self.outside.append(request.url)

    def upload(self, path: Path) -> None:
        if self.page.locator("#source button[aria-label=Clear]").is_visible():
            self.page.click("#source button[aria-label=Clear]")
        self.page.set_input_files("#source input[type=file]", str(path))

    def choose(self, emotion: str) -> None:
        self.page.get_by_role("radio", name=emotion).check()

    def render(self) -> None:
        self.page.locator("#consent input").check()
        self.page.click("#render")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def download(self, selector: str) -> Path:
        with self.page.expect_download() as waiting:
            self.page.click(selector)
        return Path(waiting.value.path())


@pytest.fixture
def visit(chromium):
    """visit(url, **context settings) -> Visitor; nobody may fetch anything from elsewhere."""
    visitors: list[Visitor] = []

    def make(url: str, **settings) -> Visitor:
        visitors.append(Visitor(chromium, url, **settings))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
        assert visitor.outside == []


def test_upload_edit_play_download(serve_page, media, visit):
    person = visit(serve_page(FakeEditor(delay=0.01)).url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    assert "talk.mp4" in person.text("#source-card")
    person.choose("Sad")
    person.render()
    person.page.wait_for_selector("[role=progressbar]")
    person.page.wait_for_selector("#player video")
    person.page.wait_for_function("() => [...document.querySelectorAll('#player video')].every(v => v.readyState >= 3)")
    person.page.click("#player [data-part=play]")
    person.page.wait_for_function("() => document.querySelector('[data-part=edited]').currentTime > 0.7")
    person.page.click("#player [data-part=play]")
    person.page.wait_for_function("() => [...document.querySelectorAll('#player video')].every(v => !v.seeking)")
    source, edited = person.page.evaluate(CLOCKS)
    assert edited > 0.7 and abs(source - edited) < 0.05
    muted = person.page.evaluate("() => [...document.querySelectorAll('#player video')].map(v => v.muted)")
    assert muted == [True, False]
    assert "Looks sad" in person.text("#readout") and person.page.locator("#readout .curves path").count() == 3
    assert probe(person.download("#download-video")).frames >= 19
    assert json.loads(person.download("#download-report").read_text())["request"]["emotion"] == "sad"
    assert person.errors == []


def test_the_players_two_videos_stay_together(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
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
    person.upload(media / "face.jpg")
    person.page.wait_for_selector("#compare img")
    assert not person.page.locator("#time").is_visible()
    person.render()
    person.page.wait_for_selector("#still img")
    assert person.page.locator("#player video").count() == 0
    assert probe(person.download("#download-video")).is_still
    assert person.errors == []


def test_the_preview_follows_the_controls(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    before = person.page.get_attribute(".compare-edited", "src")
    person.choose("Angry")
    person.page.wait_for_function("old => document.querySelector('.compare-edited').src !== old", arg=before)
    handle = person.page.locator("#compare input")
    handle.focus()
    handle.press("ArrowRight")
    assert person.page.locator(".compare").get_attribute("style").startswith("--at: 50.5%")
    assert person.errors == []


def test_several_faces_can_be_chosen_from(serve_page, media, visit):
    page = serve_page(FakeEditor(found=3))
    person = visit(page.url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#faces button img")
    faces, label = person.page.locator("#faces button:has(img)"), person.page.locator("#faces label")
    whole, below = person.page.locator("#faces").bounding_box(), label.bounding_box()
    for box in (faces.nth(n).bounding_box() for n in range(3)):
        assert box["y"] >= below["y"] + below["height"] and box["y"] + box["height"] <= whole["y"] + whole["height"]
    faces.nth(2).click()
    person.page.wait_for_selector("#compare img")
    person.render()
    person.page.wait_for_selector("#player video")
    assert page.editor.seen[-1].face == 2


def test_a_reference_chooses_its_own_button(serve_page, media, visit):
    page = serve_page()
    person = visit(page.url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    assert not person.page.locator("#reference").is_visible()
    person.choose("From a clip")
    person.page.set_input_files("#reference input[type=file]", str(media / "face.jpg"))
    person.page.wait_for_selector("#reference-card img")
    person.page.wait_for_selector("#emotion input[value=reference]:checked")
    person.render()
    person.page.wait_for_selector("#player video")
    assert page.editor.seen[-1].emotion is None and page.editor.seen[-1].reference is not None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fake.mp4", "fake.mp4"), ("wall.png", "no face"), ("huge.mp4", "")],
)
def test_a_bad_upload_says_so_in_one_line(serve_page, media, visit, name, expected):
    person = visit(serve_page(max_bytes=2**20).url)
    person.upload(media / name)
    place = ".toast-wrap" if name == "huge.mp4" else "#source-note [role=alert]"
    person.page.wait_for_selector(f"{place}:not(:empty)")
    message = person.text(place)
    assert expected in message.lower() and "Traceback" not in message and "/tmp" not in message
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    gone = "() => !document.querySelector('#source-note .status p')?.textContent"
    person.page.wait_for_function(gone)


def test_render_needs_the_tick(serve_page, media, visit):
    page = serve_page()
    person = visit(page.url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    person.page.click("#render")
    person.page.wait_for_selector("#status [role=alert]")
    assert "tick the box" in person.text("#status") and page.editor.seen == []
    person.page.wait_for_selector("#render:not([disabled])")


def test_cancel_leaves_nothing(serve_page, media, visit):
    page = serve_page(FakeEditor(delay=0.05))
    person = visit(page.url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    person.render()
    assert page.editor.running.wait(60)
    person.page.click("#cancel")
    assert page.editor.stopped.wait(60)
    wait_until(lambda: not page.leftovers())
    person.page.wait_for_selector("#status .stopped")
    person.page.wait_for_timeout(1500)  # what the stopped edit had still to tell does not come after this
    assert person.text("#status .status").startswith("Cancelled")
    assert person.page.locator("#render").is_enabled() and not person.page.locator("#cancel").is_visible()
    page.editor.delay = 0.0
    person.page.click("#render")
    person.page.wait_for_selector("#player video")
    assert person.errors == []


def test_how_far_it_is_can_be_seen_where_render_was_clicked(serve_page, media, visit):
    """Both stay at the lower edge of a window that is too low for all the controls."""
    person = visit(serve_page(FakeEditor(delay=0.05)).url, viewport={"width": 1280, "height": 960})
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")

    def press(selector: str) -> None:
        person.page.evaluate(f"() => document.querySelector('{selector}').click()")  # a click of playwright's scrolls

    def in_sight(selector: str) -> bool:
        box = person.page.locator(selector).bounding_box()
        return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 960

    person.page.evaluate("() => scrollTo(0, 0)")
    press("#render")
    person.page.wait_for_selector("#status [role=alert]")
    assert in_sight("#status [role=alert]") and not person.page.locator(".toast-wrap [role=alert]").is_visible()
    press("#consent input")
    press("#render")
    person.page.wait_for_selector("[role=progressbar]")
    assert in_sight("[role=progressbar]") and in_sight("#cancel")


def test_another_file_stops_the_edit_of_the_one_before(serve_page, media, visit):
    page = serve_page(FakeEditor(delay=0.1))
    person = visit(page.url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    person.render()
    assert page.editor.running.wait(60)
    person.page.locator("#examples button", has_text="photo").click()
    assert page.editor.stopped.wait(60)
    person.page.wait_for_selector("#source-card:has-text('astronaut.jpg')")
    assert person.text("#status .status") == "" and not person.page.locator("#result-panel").is_visible()
    page.editor.delay = 0.0
    person.page.click("#render:not([disabled])")
    person.page.wait_for_selector("#still img")
    assert person.page.locator("#player video").count() == 0 and person.errors == []


def test_an_example_brings_an_emotion_that_shows(serve_page, visit):
    person = visit(serve_page().url)
    person.page.locator("#examples button").first.click()
    person.page.wait_for_selector("#compare img")
    assert person.page.locator("#emotion input:checked").get_attribute("value") == EXAMPLES[0].emotion != "happy"
    assert person.errors == []


def test_a_closed_window_stops_its_edit(serve_page, media, visit):
    page = serve_page(FakeEditor(delay=0.2))
    person = visit(page.url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    person.render()
    assert page.editor.running.wait(60)
    person.page.close()
    assert page.editor.stopped.wait(60)
    wait_until(lambda: not page.leftovers())


def test_two_visitors_do_not_see_each_other(serve_page, media, visit):
    url = serve_page(FakeEditor(delay=0.005)).url
    one, two = visit(url), visit(url)
    one.upload(media / "talk.mp4")
    two.upload(media / "face.jpg")
    for person, emotion in ((one, "Sad"), (two, "Angry")):
        person.page.wait_for_selector("#compare img")
        person.choose(emotion)
    one.render()
    two.render()
    one.page.wait_for_selector("#player video")
    two.page.wait_for_selector("#still img")
    assert "Looks sad" in one.text("#readout") and "Looks angry" in two.text("#readout")
    assert "talk.mp4" in one.text("#source-card") and "face.jpg" in two.text("#source-card")
    assert json.loads(one.download("#download-report").read_text())["request"]["emotion"] == "sad"
    assert json.loads(two.download("#download-report").read_text())["request"]["emotion"] == "angry"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(serve_page, media, visit, width, scheme):
    person = visit(serve_page().url, viewport={"width": width, "height": 844}, color_scheme=scheme)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    person.render()
    person.page.wait_for_selector("#readout .curves")
    assert person.page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_every_control_is_reached_by_the_keyboard(serve_page, media, visit):
    person = visit(serve_page().url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    reached = set()
    person.page.evaluate("() => { document.activeElement?.blur(); window.scrollTo(0, 0); }")
    for _ in range(60):
        person.page.keyboard.press("Tab")
        reached.add(person.page.evaluate("() => document.activeElement.closest('[id]:not([id^=html-])')?.id ?? ''"))
    wanted = {"examples", "consent", "compare", "emotion", "render"}
    assert wanted <= {name.split("-")[0] if name.startswith("range") else name for name in reached}, reached

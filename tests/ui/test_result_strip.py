"""The results of a visit in a real browser: none is lost or misdated, and a reload finds a running edit again."""

from __future__ import annotations

import pytest
from fake_editor import FakeEditor
from served_page import ServedPage
from visitor import Visitor, wait_until

pytestmark = pytest.mark.browser
ITEMS = ".result-item"
# height of the bars above and below, or beside, the picture of each visible video, in pixels
BARS = """() => [...document.querySelectorAll('#player video')]
  .filter((video) => video.checkVisibility())
  .map((video) => {
  const box = video.getBoundingClientRect();
  const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
  return Math.max(box.width - scale * video.videoWidth, box.height - scale * video.videoHeight);
})"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One page for all tests of this module."""
    page = ServedPage(FakeEditor(), tmp_path_factory.mktemp("results"))
    yield page
    page.close()


@pytest.fixture
def person(served, chromium):
    served.editor.open_gates()
    served.editor.weak = False
    visitor = Visitor(chromium, served.url, viewport={"width": 1280, "height": 800})
    yield visitor
    visitor.close()


@pytest.fixture
def two_results(person, media):
    """A sad result and, shown, an angry one."""
    person.upload_and_wait(media / "talk.mp4")
    for number, emotion in enumerate(("Sad", "Angry"), 1):
        person.choose_emotion(emotion)
        person.render()
        person.page.wait_for_function(f"() => document.querySelectorAll('{ITEMS}').length === {number}")
    person.page.wait_for_selector("#player video")
    return person


def video_urls(person: Visitor) -> list[str]:
    return [video.get_attribute("src") for video in person.page.locator("#player video").all()]


def test_a_cancelled_second_edit_leaves_the_first_result(person, served, media):
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#player video")
    before = video_urls(person)
    served.editor.edit_gate.close()
    served.editor.running.clear()
    person.page.click("#render")
    assert served.editor.running.wait(60)
    person.page.click("#cancel")
    person.page.wait_for_selector("#status .stopped")
    assert video_urls(person) == before
    person.page.wait_for_function("() => document.querySelector('[data-part=edited]').readyState >= 2")
    assert person.download("#download-video").stat().st_size > 0


def test_each_result_has_the_label_of_its_settings(two_results):
    assert two_results.page.locator(f"{ITEMS} strong").all_inner_texts() == ["Sad 1", "Angry 1"]


def test_an_earlier_result_is_shown_again_with_its_report(two_results):
    two_results.page.locator(f"{ITEMS} [data-part=show]").first.click()
    two_results.page.wait_for_selector("#readout :text('Looks sad')")
    assert two_results.text("#player figure:nth-child(2) figcaption") == "Sad 1"


def test_two_results_are_compared_side_by_side(two_results):
    edited = video_urls(two_results)[1]
    two_results.page.locator(f"{ITEMS} [data-part=compare]").first.click()
    two_results.page.wait_for_selector("#player figcaption:text('Sad 1')")
    urls = video_urls(two_results)
    assert urls[1] == edited
    assert urls[0].endswith("-edited.mp4")


def test_a_deleted_result_is_gone_from_the_server(two_results, served):
    files = len(list(served.cache.rglob("*-edited.mp4")))
    two_results.page.locator(f"{ITEMS} [data-part=delete]").first.click()
    wait_until(lambda: len(list(served.cache.rglob("*-edited.mp4"))) == files - 1)
    assert two_results.page.locator(f"{ITEMS} strong").all_inner_texts() == ["Angry 1"]


def test_the_page_says_what_has_changed_since_a_result(two_results):
    assert not two_results.page.locator("[data-part=changed]").is_visible()
    two_results.choose_emotion("Fear")
    two_results.page.wait_for_selector("[data-part=changed]:not([hidden])")
    assert two_results.text("[data-part=names]") == "emotion"


def test_a_weak_result_says_so_and_offers_a_stronger_one(person, served, media):
    served.editor.weak = True
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("[data-part=weak]:not([hidden])")
    assert "More would move the lips." in person.text("[data-part=reason]")
    person.wait_until_idle()
    person.page.click("[data-part=stronger]")
    person.page.wait_for_function(f"() => document.querySelectorAll('{ITEMS}').length === 2")
    assert served.editor.requests[-1].intensity == pytest.approx(1.4)


@pytest.mark.parametrize("name", ["talk.mp4", "tall.mp4"])
def test_a_square_or_tall_result_has_no_bars(person, media, name):
    person.upload_and_wait(media / name)
    person.render()
    person.page.wait_for_selector("#player video")
    person.page.wait_for_function(
        "() => [...document.querySelectorAll('#player video')].every((video) => video.readyState >= 1)"
    )
    for view in ("both", "wipe", "edited"):
        person.page.click(f"#player button[data-view={view}]")
        assert max(person.page.evaluate(BARS)) < 1.5


def test_a_tall_clip_takes_a_curve_and_a_stronger_edit(person, served, media):
    served.editor.weak = True
    person.upload_and_wait(media / "tall.mp4")
    person.page.click("#curve-box button.label-wrap")
    person.page.click("#curve [data-part=fade]")
    person.render()
    person.page.wait_for_selector("[data-part=weak]:not([hidden])")
    person.wait_until_idle()
    person.page.click("[data-part=stronger]")
    person.page.wait_for_function(f"() => document.querySelectorAll('{ITEMS}').length === 2")
    assert len(served.editor.requests[-1].keyframes) == 4


def test_two_results_of_one_label_are_told_apart(person, media):
    for name in ("talk.mp4", "tall.mp4"):
        person.upload(media / name)
        person.page.wait_for_selector(f"#source-card:has-text('{name}')")  # a new file takes the tick away before
        person.render()
        person.page.wait_for_selector(f"{ITEMS}.is-shown:has-text('{name}')")
    person.page.locator(f"{ITEMS} [data-part=compare]").first.click()
    person.page.wait_for_selector("#player figcaption:text('talk.mp4')")
    assert person.page.locator("#player figcaption").all_inner_texts() == ["Happy 1 (talk.mp4)", "Happy 1 (tall.mp4)"]
    person.page.wait_for_function(f"() => Math.max(...({BARS})()) < 1.5")


def test_a_reload_warns_and_finds_the_running_edit_again(person, served, media):
    person.upload_and_wait(media / "talk.mp4")
    served.editor.edit_gate.close()
    count = len(served.editor.requests)
    person.render()
    wait_until(lambda: len(served.editor.requests) > count)
    person.page.wait_for_selector("#status .busy")
    dialogs = []
    person.page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    person.reload()
    person.page.wait_for_selector("[role=progressbar]")
    served.editor.edit_gate.open()
    person.page.wait_for_selector(ITEMS)
    assert (dialogs, person.errors) == (["beforeunload"], [])
    assert len(served.editor.requests) == count + 1
    person.page.wait_for_selector("#source-card img")  # the file is there again, too
    wait_until(lambda: not served.leftovers())


def test_removing_a_video_logs_no_traceback(person, served, media, capfd):
    person.upload_and_wait(media / "talk.mp4")
    person.page.click("#source [data-part=remove-file]")
    person.page.wait_for_selector("#compare .compare-empty")
    person.page.wait_for_timeout(500)
    assert "Traceback" not in capfd.readouterr().err
    assert person.errors == []


def test_from_a_clip_without_a_clip_says_what_is_missing(person, media):
    person.upload_and_wait(media / "talk.mp4")
    person.choose_emotion("From a clip")
    person.page.wait_for_selector("#preview-note :text('no clip yet')")
    assert person.page.locator("#compare img").count() == 0

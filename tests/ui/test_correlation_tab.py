"""The Correlation tab: its endpoints, called by a program, and what a person sees in a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fake_editor import FakeEditor
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from visitor import Visitor, wait_until

STRIDE = 7  # compares three of the clip's twenty frames


def compare(page, source: Path, generated: Path, **settings):
    """The outputs of the endpoint /compare."""
    inputs = {"pairing": "auto", "alignment": "auto", "stride": STRIDE, **settings}
    return page.connect().predict(
        source=handle_file(source), generated=handle_file(generated), **inputs, api_name="/compare"
    )


def test_the_example_pair_is_offered(serve_page):
    components = serve_page().connect().config["components"]
    button = next(c for c in components if c["props"].get("elem_id") == "c-example")
    assert button["props"]["visible"]


def test_compare_gives_report_tables_and_charts(serve_page, media):
    page = serve_page()
    talk = media / "talk.mp4"
    report_file, similarity, frames, status, charts, face, crops, alignment, metric = compare(page, talk, talk)
    report = json.loads(Path(report_file).read_text())
    assert report["frames"]["compared"] == 3
    assert report["similarity"]["bare"]["overall"]["cosine"]["corresponding"]["mean"] > 0.99
    assert Path(similarity).read_text().startswith("pair,mapping,map")
    assert len(Path(frames).read_text().splitlines()) == 4
    assert "Done" in status
    assert (alignment, metric) == ("place", "scc-mobilefacenet")
    assert {section["name"] for section in charts["sections"]} == {"maps", "mappings", "time"}
    assert face["whole"]
    assert len(json.loads(face["figures"])["identity"]) == 4
    assert crops["width"] == crops["height"]
    wait_until(lambda: not page.leftovers())


def test_the_headline_follows_mapping_and_measure(serve_page, media):
    report, _, _, _, charts, *_ = compare(serve_page(), media / "talk.mp4", media / "talk.mp4")
    similarity = json.loads(Path(report).read_text())["similarity"]
    for head, key in (("trained", "trained"), ("random", "untrained"), ("identity", "bare")):
        for measure, kinds in similarity[key]["overall"].items():
            values = [f"{kinds[kind]['mean']:.2f}" for kind in ("corresponding", "non_corresponding")]
            text = charts["headlines"][head][measure]["text"]
            assert text == f"Corresponding regions agree by {values[0]}, others by {values[1]}"


def test_one_moment(serve_page, media):
    page, talk = serve_page(), handle_file(media / "talk.mp4")
    face, crops, note = page.connect().predict(
        source=talk, generated=talk, alignment="place", at=0.7, at_generated=0.7, api_name="/moment"
    )
    assert face["about"] == "At 0.7 s of the source."
    assert not face["whole"]
    assert crops["text"] == "The two faces at 0.7 s"
    assert note == ""


def test_pairs_of_emotions(serve_page, media, tmp_path):
    for name in ("talk-neutral.mp4", "talk-sad.mp4", "talk-happy.mp4"):
        shutil.copy(media / "talk.mp4", tmp_path / name)
    files = [handle_file(path) for path in sorted(tmp_path.iterdir())]
    report, _, _, _, charts, face, *_ = (
        serve_page().connect().predict(files=files, pairing="auto", stride=10, api_name="/compare_emotions")
    )
    assert [entry["pair"] for entry in json.loads(Path(report).read_text())] == ["neutral – happy", "neutral – sad"]
    assert charts["headlines"]["trained"]["cosine"]["text"].startswith("2 pairs of emotions")
    assert face is None


@pytest.mark.parametrize(
    ("source", "generated", "settings", "expected"),
    [
        ("talk.mp4", "face.jpg", {}, "is a still and"),
        ("talk.mp4", "fake.mp4", {}, "fake.mp4"),
        ("wall.png", "face.jpg", {}, "no face"),
        ("talk.mp4", "talk.mp4", {"pairing": "sound"}, "no sound"),
    ],
)
def test_bad_input_gives_one_line(serve_page, media, source, generated, settings, expected):
    page = serve_page()
    with pytest.raises(AppError) as raised:
        compare(page, media / source, media / generated, **settings)
    message = str(raised.value)
    assert expected in message.lower()
    assert "\n" not in message
    assert str(page.cache) not in message
    wait_until(lambda: not page.leftovers())


def test_a_file_with_too_many_pixels_is_refused(serve_page, media):
    with pytest.raises(AppError, match="pixels"):
        compare(serve_page(max_pixels=150 * 150), media / "talk.mp4", media / "talk.mp4")


def wait_for_charts(person: Visitor) -> None:
    person.page.set_default_timeout(300_000)
    person.page.wait_for_selector("#charts .chart-maps .main-svg")
    person.page.wait_for_selector("#face .main-svg")


@pytest.mark.browser
def test_a_person_compares_two_files_and_explores_the_charts(serve_page, media, visit):
    person = visit(serve_page().url)
    page = person.page
    page.get_by_role("tab", name="Correlation").click()
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_input_files("#c-source input[type=file]", str(media / "fake.mp4"))
    page.wait_for_selector("#c-note [role=alert]:has-text('fake.mp4 is not a readable video')")
    page.set_input_files("#c-source input[type=file]", str(media / "talk.mp4"))
    page.set_input_files("#c-generated input[type=file]", str(media / "talk.mp4"))
    page.wait_for_selector("#c-source-card img")
    page.wait_for_selector("#c-generated-card img")
    page.click("#compare-two")
    wait_for_charts(person)
    assert "Corresponding regions agree by 1.00" in person.text("#charts")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390  # nothing is wider than the window
    headline = person.text("#charts [data-part=verdict]")
    page.get_by_role("radio", name="Untrained").check()
    page.wait_for_function(
        "old => document.querySelector('#charts [data-part=verdict]').innerText !== old", arg=headline
    )
    assert "Strangers" in person.text("#charts [data-part=scale]")
    page.get_by_role("radio", name="Pearson").check()
    page.wait_for_function("() => document.querySelector('.chart-maps').textContent.includes('Pearson')")
    before = person.text("#face [data-part=ring]")
    page.focus("#face [data-part=plot]")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("old => document.querySelector('#face [data-part=ring]').innerText !== old", arg=before)
    assert person.text("#face [data-part=ring]").count("others") == 8
    page.locator(".moment-row button").first.click()
    page.wait_for_function("() => document.querySelector('#face [data-part=about]').innerText.startsWith('At ')")
    page.get_by_role("button", name="Back to the whole video").click()
    page.wait_for_function("() => document.querySelector('#face [data-part=about]').innerText.startsWith('All ')")
    assert person.download(".chart-maps [aria-label*=PNG]").read_bytes()[:4] == b"\x89PNG"
    assert b"</svg>" in person.download(".chart-maps [aria-label*=SVG]").read_bytes()
    assert json.loads(person.download("#download-correlation").read_text())["frames"]["compared"] == 20
    assert person.errors == []


@pytest.mark.browser
def test_an_edit_goes_straight_to_its_correlation(serve_page, media, visit):
    person = visit(serve_page(FakeEditor()).url)
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#player video")
    person.page.click("#analyze-edit")
    wait_for_charts(person)
    assert "the same moments of both" in person.text("#charts")
    assert person.errors == []

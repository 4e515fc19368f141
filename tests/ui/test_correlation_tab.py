"""The Correlation tab: its endpoints as a program drives them, and what a person sees in a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fake_editor import FakeEditor
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from test_browser import Visitor
from test_endpoints import wait_until

STRIDE = 7  # three of the clip's twenty frames


def compare(page, source: Path, generated: Path, **settings):
    wanted = {"pairing": "auto", "alignment": "auto", "stride": STRIDE, **settings}
    return Client(page.url, verbose=False).predict(
        source=handle_file(source), generated=handle_file(generated), **wanted, api_name="/compare"
    )


def test_compare_gives_report_tables_and_charts(serve_page, media):
    page = serve_page()
    report, similarity, frames, status, charts, face, preview, used = compare(
        page, media / "talk.mp4", media / "talk.mp4"
    )
    told = json.loads(Path(report).read_text())
    assert told["frames"]["compared"] == 3
    assert told["similarity"]["bare"]["overall"]["cosine"]["corresponding"]["mean"] > 0.99
    assert Path(similarity).read_text().startswith("pair,mapping,map")
    assert len(Path(frames).read_text().splitlines()) == 4
    assert "Done" in status and used == "place"
    assert {s["name"] for s in charts["sections"]} == {"maps", "mappings", "time"}
    assert face["whole"] and len(face["figures"]["identity"]) == 4 and preview["width"] == preview["height"]
    wait_until(lambda: not page.leftovers())


def test_one_moment(serve_page, media):
    page, talk = serve_page(), handle_file(media / "talk.mp4")
    face, preview, note = Client(page.url, verbose=False).predict(
        source=talk, generated=talk, alignment="place", at=0.7, at_generated=0.7, api_name="/moment"
    )
    assert face["about"] == "At 0.7 s of the source." and not face["whole"] and preview and note == ""


def test_pairs_of_emotions(serve_page, media, tmp_path):
    for name in ("talk-neutral.mp4", "talk-sad.mp4", "talk-happy.mp4"):
        shutil.copy(media / "talk.mp4", tmp_path / name)
    files = [handle_file(path) for path in sorted(tmp_path.iterdir())]
    report, *_, charts, face, _, _ = Client(serve_page().url, verbose=False).predict(
        files=files, pairing="auto", stride=10, api_name="/compare_emotions"
    )
    assert [entry["pair"] for entry in json.loads(Path(report).read_text())] == ["neutral – happy", "neutral – sad"]
    assert charts["verdict"].startswith("2 pairs of emotions") and face is None


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
    assert expected in message.lower() and "\n" not in message and str(page.cache) not in message
    wait_until(lambda: not page.leftovers())


def test_what_is_too_much_is_refused(serve_page, media):
    with pytest.raises(AppError, match="pixels"):
        compare(serve_page(max_pixels=150 * 150), media / "talk.mp4", media / "talk.mp4")


@pytest.fixture
def visit(chromium):
    visitors: list[Visitor] = []

    def make(url: str, **settings) -> Visitor:
        visitors.append(Visitor(chromium, url, **settings))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
        assert visitor.outside == [] and visitor.errors == []


def drawn(person: Visitor) -> None:
    person.page.set_default_timeout(300_000)
    person.page.wait_for_selector("#charts .chart-maps .main-svg")
    person.page.wait_for_selector("#face .main-svg")


@pytest.mark.browser
def test_a_newcomer_gets_a_chart_and_looks_around(serve_page, media, visit):
    person = visit(serve_page().url, viewport={"width": 390, "height": 844})
    page = person.page
    page.get_by_role("tab", name="Correlation").click()
    page.set_input_files("#c-source input[type=file]", str(media / "talk.mp4"))
    page.set_input_files("#c-generated input[type=file]", str(media / "talk.mp4"))
    page.wait_for_selector("#c-source-card img")
    page.wait_for_selector("#c-generated-card img")
    page.click("#compare-two")
    drawn(person)
    assert "Corresponding regions agree by 1.00" in person.text("#charts")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")  # nothing hangs over
    page.get_by_role("radio", name="Pearson").check()
    page.wait_for_function("() => document.querySelector('.chart-maps').textContent.includes('Pearson')")
    before = person.text("#face [data-part=ring]")
    page.focus("#face [data-part=plot]")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("was => document.querySelector('#face [data-part=ring]').innerText !== was", arg=before)
    assert person.text("#face [data-part=ring]").count("others") == 8
    page.locator(".moment-row button").first.click()
    page.wait_for_function("() => document.querySelector('#face [data-part=about]').innerText.startsWith('At ')")
    page.get_by_role("button", name="Back to the whole video").click()
    page.wait_for_function("() => document.querySelector('#face [data-part=about]').innerText.startsWith('All ')")
    assert person.download(".chart-maps [aria-label*=PNG]").read_bytes()[:4] == b"\x89PNG"
    assert b"</svg>" in person.download(".chart-maps [aria-label*=SVG]").read_bytes()
    assert json.loads(person.download("#download-correlation").read_text())["frames"]["compared"] == 20


@pytest.mark.browser
def test_an_edit_goes_straight_to_its_correlation(serve_page, media, visit):
    person = visit(serve_page(FakeEditor()).url)
    person.upload(media / "talk.mp4")
    person.page.wait_for_selector("#compare img")
    person.render()
    person.page.wait_for_selector("#player video")
    person.page.click("#analyse-edit")
    drawn(person)
    assert "the same moments of both" in person.text("#charts")

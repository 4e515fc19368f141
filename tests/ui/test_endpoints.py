"""The named endpoints, driven as a program drives them."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from fake_editor import FakeEditor
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from asccl.video.reader import probe


def client(page) -> Client:
    return Client(page.url, verbose=False)


def test_faces_lists_what_can_be_chosen(serve_page, media):
    page = serve_page(FakeEditor(found=2))
    card, gallery, face, moment, start, end, *_ = client(page).predict(
        handle_file(media / "talk.mp4"), api_name="/faces"
    )
    assert card["name"] == "talk.mp4" and "160 × 160" in card["facts"] and "10 fps" in card["facts"]
    assert len(gallery["value"]) == 2 and gallery["value"][1]["caption"] == "Face 2, 0.5 s"
    assert face == 0
    assert (start["maximum"], end["value"]) == (2.0, 2.0) and 0 < moment["maximum"] < 2


def test_preview_gives_both_pictures(serve_page, media):
    pair, _ = client(serve_page()).predict(
        source=handle_file(media / "talk.mp4"),
        emotion="sad",
        reference=None,
        intensity=2,
        time=1.0,
        api_name="/preview",
    )
    assert (pair["width"], pair["height"]) == (160, 160)
    before, after = (decode(pair[name]) for name in ("source", "edited"))
    assert before[..., 0].mean() > 1.5 * after[..., 0].mean()  # the stand-in's sad is blue


@pytest.mark.parametrize("name", ["talk.mp4", "face.jpg"])
def test_edit_returns_the_file_and_the_report(serve_page, media, name):
    page = serve_page()
    edited, report, *_ = client(page).predict(
        source=handle_file(media / name), emotion="happy", reference=None, intensity=1.5, consent=True, api_name="/edit"
    )
    assert Path(edited).stem == f"{Path(name).stem}-edited"
    assert probe(edited).width == probe(media / name).width
    assert probe(edited).is_still == probe(media / name).is_still
    wanted = json.loads(Path(report).read_text())["request"]
    assert wanted == {"emotion": "happy", "intensity": 1.5, "badge": True}
    wait_until(lambda: not page.leftovers())


def test_a_reference_alone_or_beside_an_emotion(serve_page, media):
    page = serve_page()
    for emotion, expected in (("reference", None), ("sad", "sad")):
        client(page).predict(
            source=handle_file(media / "talk.mp4"), emotion=emotion, reference=handle_file(media / "face.jpg"),
            consent=True, api_name="/edit",
        )  # fmt: skip
        request = page.editor.seen[-1]
        assert request.emotion == expected and request.reference is not None


def test_who_directs_can_be_chosen(serve_page, media):
    page = serve_page()
    for given, expected in (({}, "warp"), ({"generator": "ned"}, "ned")):
        client(page).predict(
            source=handle_file(media / "talk.mp4"), emotion="sad", reference=None, consent=True,
            api_name="/edit", **given,
        )  # fmt: skip
        assert page.editor.seen[-1].generator == expected


def test_the_whole_clip_is_no_time_range(serve_page, media):
    page = serve_page()
    for end, expected in ((0, None), (2.0, None), (1.5, 1.5)):
        client(page).predict(
            source=handle_file(media / "talk.mp4"),
            emotion="sad",
            reference=None,
            end=end,
            consent=True,
            api_name="/edit",
        )
        assert page.editor.seen[-1].end == expected


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("fake.mp4", {}, "fake.mp4"),
        ("talk.mp4", {"consent": False}, "tick the box"),
        ("talk.mp4", {"start": 1.5, "end": 1.0}, "does not lie after start"),
        ("talk.mp4", {"emotion": "reference"}, "neither an emotion nor a reference"),
    ],
)
def test_bad_input_gives_one_line_and_the_app_goes_on(serve_page, media, name, settings, expected):
    page = serve_page()
    wanted = {"emotion": "sad", "reference": None, "consent": True, **settings}
    with pytest.raises(AppError) as raised:
        client(page).predict(source=handle_file(media / name), **wanted, api_name="/edit")
    message = str(raised.value)
    assert expected in message.lower()
    assert "\n" not in message and "Traceback" not in message and str(page.cache) not in message
    assert not page.leftovers()
    assert client(page).predict(handle_file(media / "talk.mp4"), api_name="/faces")[0]["name"] == "talk.mp4"


def test_what_is_looked_at_is_refused_in_words(serve_page, media):
    page = serve_page(max_pixels=150 * 150)
    for name, expected in (("fake.mp4", "fake.mp4"), ("wall.png", "no face"), ("talk.mp4", "pixels")):
        *_, note = client(page).predict(handle_file(media / name), api_name="/faces")
        assert expected in note.lower() and 'role="alert"' in note


def test_our_own_faults_are_not_spelled_out(serve_page, media, capfd):
    page = serve_page(FakeEditor(broken=True))
    *_, note = client(page).predict(handle_file(media / "talk.mp4"), api_name="/faces")
    assert "Something went wrong on our side" in note and "secret" not in note
    assert "secret detail" in capfd.readouterr().err


def test_a_file_of_the_server_cannot_be_asked_for(serve_page, media):
    page = serve_page()
    stolen = {"path": str(media / "talk.mp4"), "meta": {"_type": "gradio.FileData"}}
    call = f"{page.url}gradio_api/call/faces"
    event = httpx.post(call, json={"data": [stolen]}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}").text
    assert "event: error" in answer and "160" not in answer


def test_cancel_stops_the_engine_and_leaves_nothing(serve_page, media):
    page = serve_page(FakeEditor(delay=0.05))
    job = client(page).submit(
        source=handle_file(media / "talk.mp4"), emotion="sad", reference=None, consent=True, api_name="/edit"
    )
    assert page.editor.running.wait(60)
    assert page.leftovers()
    job.cancel()
    assert page.editor.stopped.wait(60)
    wait_until(lambda: not page.leftovers())
    page.editor.delay = 0.0
    edited, *_ = client(page).predict(
        source=handle_file(media / "talk.mp4"), emotion="sad", reference=None, consent=True, api_name="/edit"
    )
    assert probe(edited).frames >= 19


def test_two_at_once_get_their_own(serve_page, media):
    page = serve_page(FakeEditor(delay=0.01))
    people = [client(page), client(page)]
    wanted = [("sad", "talk.mp4", 0.5), ("angry", "face.jpg", 2.0)]
    jobs = [
        person.submit(
            source=handle_file(media / name), emotion=emotion, reference=None, intensity=intensity, consent=True,
            api_name="/edit",
        )
        for person, (emotion, name, intensity) in zip(people, wanted, strict=True)
    ]  # fmt: skip
    for job, (emotion, name, intensity) in zip(jobs, wanted, strict=True):
        edited, report, *_ = job.result(timeout=120)
        found = json.loads(Path(report).read_text())["request"]
        assert (found["emotion"], found["intensity"]) == (emotion, intensity)
        assert Path(edited).name.startswith(Path(name).stem)


def test_the_endpoints_that_people_rely_on(serve_page):
    page = serve_page()
    named = client(page).view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/faces", "/preview", "/edit", "/compare", "/compare_emotions", "/moment"}
    by_name = {fn.api_name: fn for fn in page.page.fns.values()}
    assert [by_name[name].concurrency_limit for name in ("edit", "preview", "faces")] == [1, 2, 2]
    assert page.page._queue.max_size == 32
    assert page.page.analytics_enabled is False and page.page.run_history is False


def decode(url: str) -> np.ndarray:
    """A data URL of a JPEG -> (H, W, 3) uint8 RGB."""
    head, data = url.split(",", 1)
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def wait_until(condition, seconds: float = 60.0) -> None:
    """Generous: only a hang runs into it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.05)

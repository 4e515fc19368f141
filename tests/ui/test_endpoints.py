"""The named endpoints of the Edit tab, called by a program."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_editor import FakeEditor
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from visitor import wait_until

from asccl.video.reader import probe


def edit_inputs(source: Path, **settings) -> dict[str, Any]:
    """Arguments of a call of /edit."""
    return {"source": handle_file(source), "reference": None, "consent": True, "api_name": "/edit", **settings}


def test_faces_lists_the_faces_of_a_file(serve_page, media):
    page = serve_page(FakeEditor(face_count=2))
    client = page.connect()
    card, gallery, face, time, start, end, *_ = client.predict(handle_file(media / "talk.mp4"), api_name="/faces")
    assert card["name"] == "talk.mp4"
    assert "160 × 160" in card["facts"]
    assert "10 fps" in card["facts"]
    assert len(gallery["value"]) == 2
    assert gallery["value"][1]["caption"] == "Face 2, 0.5 s"
    assert face == 0
    assert (start["maximum"], end["value"]) == (2.0, 2.0)
    assert 0 < time["maximum"] < 2


def test_preview_returns_both_images(serve_page, media):
    comparison, _ = (
        serve_page()
        .connect()
        .predict(
            source=handle_file(media / "talk.mp4"),
            emotion="sad",
            reference=None,
            intensity=2,
            time=1.0,
            api_name="/preview",
        )
    )
    assert (comparison["width"], comparison["height"]) == (160, 160)
    before, after = (decode(comparison[name]) for name in ("source", "edited"))
    assert before[..., 0].mean() > 1.5 * after[..., 0].mean()  # the fake editor tints sad faces blue


@pytest.mark.parametrize("name", ["talk.mp4", "face.jpg"])
def test_edit_returns_the_file_and_the_report(serve_page, media, name):
    page = serve_page()
    edited, report, *_ = page.connect().predict(**edit_inputs(media / name, emotion="happy", intensity=1.5))
    assert Path(edited).stem == f"{Path(name).stem}-edited"
    assert probe(edited).width == probe(media / name).width
    assert probe(edited).is_still == probe(media / name).is_still
    assert json.loads(Path(report).read_text())["request"] == {"emotion": "happy", "intensity": 1.5, "badge": True}
    wait_until(lambda: not page.leftovers())


def test_a_reference_alone_or_beside_an_emotion(serve_page, media):
    page = serve_page()
    for emotion, expected in (("reference", None), ("sad", "sad")):
        reference = handle_file(media / "face.jpg")
        page.connect().predict(**edit_inputs(media / "talk.mp4", emotion=emotion, reference=reference))
        request = page.editor.requests[-1]
        assert request.emotion == expected
        assert request.reference is not None


def test_the_generator_can_be_chosen(serve_page, media):
    page = serve_page()
    for settings, expected in (({}, "warp"), ({"generator": "ned"}, "ned"), ({"generator": "icface"}, "icface")):
        page.connect().predict(**edit_inputs(media / "talk.mp4", emotion="sad", **settings))
        assert page.editor.requests[-1].generator == expected


def test_an_end_at_or_after_the_last_frame_is_no_end(serve_page, media):
    page = serve_page()
    for end, expected in ((0, None), (2.0, None), (1.5, 1.5)):
        page.connect().predict(**edit_inputs(media / "talk.mp4", emotion="sad", end=end))
        assert page.editor.requests[-1].end == expected


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("fake.mp4", {}, "fake.mp4"),
        ("talk.mp4", {"consent": False}, "tick the box"),
        ("talk.mp4", {"start": 1.5, "end": 1.0}, "does not lie after start"),
        ("talk.mp4", {"emotion": "reference"}, "there is no clip yet"),
    ],
)
def test_bad_input_gives_one_line_and_the_app_goes_on(serve_page, media, name, settings, expected):
    page = serve_page()
    with pytest.raises(AppError) as raised:
        page.connect().predict(**edit_inputs(media / name, **{"emotion": "sad", **settings}))
    message = str(raised.value)
    assert expected in message.lower()
    assert "\n" not in message
    assert "Traceback" not in message
    assert str(page.cache) not in message
    assert not page.leftovers()
    assert page.connect().predict(handle_file(media / "talk.mp4"), api_name="/faces")[0]["name"] == "talk.mp4"


def test_a_refused_upload_is_explained(serve_page, media):
    page = serve_page(max_pixels=150 * 150)
    for name, expected in (("fake.mp4", "fake.mp4"), ("wall.png", "no face"), ("talk.mp4", "pixels")):
        *_, note = page.connect().predict(handle_file(media / name), api_name="/faces")
        assert expected in note.lower()
        assert 'role="alert"' in note


def test_details_of_a_bug_stay_on_the_server(serve_page, media, capfd):
    page = serve_page(FakeEditor(broken=True))
    *_, note = page.connect().predict(handle_file(media / "talk.mp4"), api_name="/faces")
    assert "Something went wrong on our side" in note
    assert "secret" not in note
    assert "secret detail" in capfd.readouterr().err


def test_a_file_of_the_server_cannot_be_requested(serve_page, media):
    page = serve_page()
    upload = {"path": str(media / "talk.mp4"), "meta": {"_type": "gradio.FileData"}}
    call = "gradio_api/call/faces"
    event = page.post(call, json={"data": [upload]}).json()["event_id"]
    answer = page.get(f"{call}/{event}").text
    assert "event: error" in answer
    assert "160" not in answer


def test_cancel_stops_the_engine_and_leaves_nothing(serve_page, media):
    page = serve_page()
    page.editor.edit_gate.close()
    job = page.connect().submit(**edit_inputs(media / "talk.mp4", emotion="sad"))
    assert page.editor.running.wait(60)
    assert page.leftovers()
    job.cancel()
    assert page.editor.stopped.wait(60)
    wait_until(lambda: not page.leftovers())
    page.editor.edit_gate.open()
    edited, *_ = page.connect().predict(**edit_inputs(media / "talk.mp4", emotion="sad"))
    assert probe(edited).frames >= 19


def test_two_at_once_get_their_own(serve_page, media):
    page = serve_page()
    page.editor.edit_gate.close()
    edits = [("talk.mp4", "sad", 0.5), ("face.jpg", "angry", 2.0)]
    jobs = [
        page.connect().submit(**edit_inputs(media / name, emotion=emotion, intensity=intensity))
        for name, emotion, intensity in edits
    ]
    assert page.editor.running.wait(60)
    page.editor.edit_gate.open()
    for job, (name, emotion, intensity) in zip(jobs, edits, strict=True):
        edited, report, *_ = job.result(timeout=120)
        request = json.loads(Path(report).read_text())["request"]
        assert (request["emotion"], request["intensity"]) == (emotion, intensity)
        assert Path(edited).name.startswith(Path(name).stem)


def test_the_public_endpoints(serve_page):
    page = serve_page()
    named = page.connect().view_api(return_format="dict")["named_endpoints"]
    edits = {"/faces", "/preview", "/adapted_preview", "/edit", "/batch"}
    assert set(named) == edits | {"/compare", "/compare_emotions", "/moment"}
    assert page.blocks.analytics_enabled is False
    assert page.blocks.run_history is False


def test_every_parameter_and_output_of_an_endpoint_is_described(shared_page):
    named = shared_page.connect().view_api(return_format="dict")["named_endpoints"]
    parts = [endpoint[name] for endpoint in named.values() for name in ("parameters", "returns")]
    entries = [entry for part in parts for entry in part]
    assert len(entries) > 50
    missing = [entry["label"] for entry in entries if not entry["python_type"]["description"].endswith(".")]
    assert missing == []


def test_the_reference_may_be_left_out(shared_page, media):
    shared_page.connect().predict(source=handle_file(media / "face.jpg"), emotion="sad", consent=True, api_name="/edit")
    assert shared_page.editor.requests[-1].reference is None


def decode(url: str) -> np.ndarray:
    """A data URL of a JPEG -> (H, W, 3) uint8 RGB."""
    head, data = url.split(",", 1)
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_the_preset_is_fitted_to_the_face_unless_the_box_is_cleared(serve_page, media):
    page = serve_page()
    for settings in ({}, {"adapt": False}):
        page.connect().predict(**edit_inputs(media / "face.jpg", **settings))
    assert [request.adapt for request in page.editor.requests] == [True, False]

"""The served app against clients that ask for too much, send too much, or come from elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from coroutines import run_coroutine
from gradio_client import handle_file
from served_page import TIMEOUT, ServedPage
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send
from visitor import wait_until

from asccl.ui.lifetimes import swept
from asccl.ui.listeners import Listeners
from asccl.ui.middleware import MAX_BODY_BYTES, UPLOAD_PATH, AppMiddleware
from asccl.ui.page import SESSION_JOBS
from asccl.web.bodies import MAX_DISCARDED
from asccl.web.rate_limiter import RateLimiter

MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def upload(page: ServedPage, path: Path) -> str:
    """Upload a file; return its path on the server."""
    with path.open("rb") as file:
        return page.post("gradio_api/upload", files={"files": (path.name, file)}).json()[0]


def files_below(folder: Path) -> list[Path]:
    """The files in a folder and in those below it, while others may be deleting them."""
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]


def join_edit(page, session: str, path: str, client: httpx.Client | None = None) -> httpx.Response:
    """Ask for an edit as the page does."""
    function = next(number for number, fn in page.blocks.fns.items() if fn.api_name == "edit")
    source = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = [source, "sad", None, 1.0, 0, 0, -1, 0, "warp", True, "", "", True, True]
    data += [None] * (len(page.blocks.fns[function].inputs) - len(data))
    body = {"data": data, "fn_index": function, "session_hash": session}
    return (client or httpx).post(f"{page.url}gradio_api/queue/join", json=body, timeout=TIMEOUT)


def flood(page, path: str) -> Iterator[None]:
    """Ask for edits from 127.0.0.2, which may send 60 requests, until one is refused. Yields after each other."""
    page.blocks.joins.rate, page.blocks.joins.burst = 0.0, 60
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=TIMEOUT) as hostile:
        while join_edit(page, "flood", path, hostile).status_code != 429:
            yield


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack 127.0.0.2")
def test_one_client_that_floods_the_queue_blocks_nobody(serve_page, media):
    """Edits of one page without end, and then a preview of somebody else."""
    page = serve_page()
    page.editor.edit_gate.close()
    path = upload(page, media / "talk.mp4")
    assert len(list(flood(page, path))) <= 60
    call = "gradio_api/call/preview"
    source = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = [source, "sad", None, 1.0, 0, 0, -1, 0, "warp", True, "", "", 0.5]
    event = page.post(call, json={"data": data}).json()["event_id"]
    assert "event: complete" in page.get(f"{call}/{event}").text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack 127.0.0.2")
def test_an_address_pays_for_work_that_is_refused(serve_page, media, monkeypatch):
    """Of a flood, few requests reach the queue: fewer than the address may send at once."""
    page, charges = serve_page(), []
    charge = page.blocks.joins.charge
    monkeypatch.setattr(page.blocks.joins, "charge", lambda *payment: (charge(*payment), charges.append(payment)))
    page.editor.edit_gate.close()
    path = upload(page, media / "talk.mp4")
    accepted: list[None] = []
    for answer in flood(page, path):
        accepted.append(answer)
        wait_until(lambda: len(charges) >= len(accepted) - SESSION_JOBS)  # the others of the page are refused
    assert len(accepted) < 30


def test_a_quick_preview_does_not_wait_for_the_adaptation_of_others(serve_page, media):
    page = serve_page()
    page.editor.search_gate.close()
    first, second = (page.connect() for _ in range(2))
    settings = {"source": handle_file(media / "talk.mp4"), "reference": None, "time": 0.5}
    adapted = first.submit(**settings, emotion="sad", api_name="/adapted_preview")
    wait_until(page.editor.searching.is_set)
    assert second.predict(**settings, emotion="sad", api_name="/preview")[0]["width"] == 160
    assert not adapted.done()
    first.predict(**settings, emotion="happy", api_name="/preview")  # ends the adaptation


def test_a_quick_preview_does_not_wait_for_the_first_previews_of_others(serve_page, media, tmp_path):
    page = serve_page()
    person, other = (page.connect() for _ in range(2))
    settings = {"reference": None, "time": 0.5, "emotion": "sad", "api_name": "/preview"}
    person.predict(source=handle_file(media / "talk.mp4"), **settings)
    page.editor.fit_gate.close()
    page.editor.fitting.clear()
    new_file = tmp_path / "new.mp4"
    new_file.write_bytes((media / "talk.mp4").read_bytes() + b"\0")  # Gradio keeps one file for one content
    waiting = [other.submit(source=handle_file(new_file), **settings) for _ in range(3)]
    wait_until(page.editor.fitting.is_set)
    person.predict(source=handle_file(media / "talk.mp4"), **settings)
    assert not any(job.done() for job in waiting)


def test_a_new_preview_ends_the_adaptation_of_the_one_before(serve_page, media):
    page = serve_page()
    page.editor.search_gate.close()
    person = page.connect()
    settings = {"source": handle_file(media / "talk.mp4"), "reference": None, "time": 0.5}
    person.submit(**settings, emotion="sad", api_name="/adapted_preview")
    wait_until(page.editor.searching.is_set)
    person.predict(**settings, emotion="happy", api_name="/preview")
    assert page.editor.stopped.wait(60)


def test_of_one_page_only_two_edits_are_accepted(serve_page, media):
    page = serve_page()
    path = upload(page, media / "talk.mp4")
    page.editor.edit_gate.close()
    with httpx.stream("GET", f"{page.url}gradio_api/queue/data?session_hash=flood", timeout=TIMEOUT):
        for _ in range(5):
            join_edit(page, "flood", path)
        wait_until(lambda: len(page.editor.requests) == 1)
        page.editor.edit_gate.open()
        wait_until(lambda: len(page.editor.requests) == 2)
        time.sleep(1)
    assert len(page.editor.requests) == 2


def test_work_outside_of_the_queue_is_refused(serve_page):
    page = serve_page()
    assert page.post("gradio_api/run/preview", json={"data": []}).status_code == 404


def test_a_large_body_without_files_is_refused(serve_page):
    page = serve_page()
    body = b'{"data": ["' + b"x" * (2 * MAX_BODY_BYTES) + b'"], "fn_index": 0, "session_hash": "a"}'
    headers = {"Content-Type": "application/json"}
    assert page.post("gradio_api/queue/join", content=body, headers=headers).status_code == 413


def test_a_large_body_of_unknown_length_is_refused(serve_page):
    page = serve_page()
    parts = (b"x" * 2**16 for _ in range(2 * MAX_BODY_BYTES // 2**16))
    headers = {"Content-Type": "application/json"}
    assert page.post("gradio_api/queue/join", content=parts, headers=headers).status_code == 413


def test_the_connection_of_a_refused_request_with_a_large_body_is_closed(shared_page):
    """Else the server would read the rest of the body."""
    response = shared_page.post("gradio_api/queue/join", content=bytes(2 * MAX_DISCARDED))
    assert response.headers["connection"] == "close"


def test_a_stream_of_an_unknown_session_is_refused_without_an_error(shared_page):
    response = shared_page.get("gradio_api/queue/data?session_hash=unknown")
    assert json.loads(response.text.removeprefix("data:"))["session_not_found"] is True


def test_the_files_of_one_upload_together_are_limited(serve_page):
    page = serve_page(max_bytes=100_000)
    files = [("files", (f"{number}.mp4", b"x" * 90_000)) for number in range(3)]
    assert page.post("gradio_api/upload", files=files).status_code == 413


def test_an_upload_that_breaks_off_is_deleted(serve_page):
    """The server keeps what it has received of an upload in a file, also where the connection ends."""
    page = serve_page()

    def parts() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n' + b"0" * 200_000
        wait_until(lambda: files_below(page.cache))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        page.post("gradio_api/upload", content=parts(), headers=MULTIPART)
    with swept(page.cache, max_age=0.2, interval=0.1):
        wait_until(lambda: not files_below(page.cache))


def test_an_upload_that_breaks_off_leaves_no_traceback():
    """Gradio raises this error, which the server would log."""

    async def broken_upload(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    async def disconnect() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    messages: list[Message] = []
    scope = {"type": "http", "method": "POST", "path": UPLOAD_PATH, "headers": [], "query_string": b""}
    middleware = AppMiddleware(broken_upload, ("*",), 10**6, Listeners(), RateLimiter(1, 1), lambda name: True)
    run_coroutine(middleware(scope, disconnect, send))
    assert messages[0]["status"] == 408


@pytest.mark.parametrize("path", ["", "config", "gradio_api/info"])
def test_a_name_from_elsewhere_is_refused(serve_page, path):
    """A page elsewhere that lets its own name resolve to this machine (DNS rebinding)."""
    page = serve_page()
    assert page.get(path, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(("path", "status"), [("monitoring/summary", 200), ("gradio_api/mcp/schema", 304)])
def test_the_page_of_the_endpoints_gets_no_error(serve_page, path, status):
    assert serve_page().get(path).status_code == status


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("content-security-policy", "frame-ancestors 'self'"),
        ("content-security-policy", "default-src 'self'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "SAMEORIGIN"),
    ],
)
def test_every_page_has_the_security_headers(serve_page, name, part):
    assert part in serve_page().get().headers[name]


@pytest.mark.browser
def test_uploads_and_results_are_deleted_while_the_app_runs(serve_page, visit, media):
    page = serve_page()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    person.choose_emotion("Sad")
    person.render()
    person.page.wait_for_selector("#player video")
    assert list(page.cache.rglob("*-edited.mp4")) != []
    with swept(page.cache, max_age=0.5, interval=0.2):
        wait_until(lambda: not files_below(page.cache))


@pytest.mark.browser
def test_a_file_that_was_deleted_is_explained(serve_page, visit, media):
    page = serve_page()
    person = visit(page.url)
    person.upload_and_wait(media / "talk.mp4")
    for path in page.cache.rglob("talk.mp4"):
        path.unlink()
    person.choose_emotion("Sad")
    person.page.wait_for_function("() => document.getElementById('preview-note').innerText.includes('deleted')")

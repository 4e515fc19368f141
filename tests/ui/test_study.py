"""A study in real browsers: two participants, one of whom leaves and returns, and results right to the last digit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))

from study_media import clip_folder

from asccl.__main__ import main
from asccl.study import session, stats
from asccl.study.design import BROKEN
from asccl.study.results import read_votes
from asccl.study.store import Store
from asccl.study.web.serve import pages

ROOT = Path(__file__).parents[2]
PATIENCE = 90_000  # milliseconds: only a hang runs into it
PLAN = """
title = "Two methods"
questions = ["realism", "mouth"]
repeats = 1
identical = 1
broken = 1
cannot_tell = true
"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ASCCL_STUDY_SECRET", "sesame")
    monkeypatch.delenv("ASCCL_STUDY_DB", raising=False)
    return tmp_path / "data"


@pytest.fixture
def serve_study(data: Path) -> Iterator[Callable[[], tuple[str, Callable[[], None]]]]:
    """serve_study() -> (address, stop); each call is a server of its own with a store of its own, one data folder."""
    stops: list[Callable[[], None]] = []

    def start() -> tuple[str, Callable[[], None]]:
        store = Store(data)
        server = uvicorn.Server(uvicorn.Config(under("/sub/path", pages(lambda: store)), port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        def stop() -> None:
            server.should_exit = True
            thread.join(30)
            store.close()

        stops.append(stop)
        return f"http://127.0.0.1:{port}/sub/path", stop

    yield start
    for stop in stops:
        stop()


def under(prefix: str, app):
    """As a proxy does it: the app sees addresses without the prefix, and is not told of it."""

    async def proxied(scope, receive, send) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(prefix), scope["path"]  # no page asks for anything beside it
            scope = {**scope, "path": scope["path"].removeprefix(prefix)}
        await app(scope, receive, send)

    return proxied


class Person:
    """One participant's browser."""

    def __init__(self, chromium, store: Store, link: str, **settings):
        self.store, self.link, self.answered = store, link, 0
        self.study, self.token = (parse_qs(urlsplit(link).query)[name][0] for name in "sp")
        self.context = chromium.new_context(**settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(link)

    def begin(self) -> None:
        self.page.check("[name=agree]")
        self.page.click("button.primary")
        shape, beeps = session.open_session(self.store, self.study, self.token).puzzle()
        self.page.check(f"[name=shape][value={shape}]")
        self.page.check(f'[name=beeps][value="{beeps}"]')
        self.page.click("button.primary")

    def trial(self):
        with self.store.read() as connection:
            return session._ahead(connection, self.token[:22])[0]

    def ready(self) -> bool:
        self.page.wait_for_selector("#play:not([disabled]), .code")
        return self.page.locator(".code").count() == 0

    def answer(self, choose: Callable[[object], str], by_keys: bool = False) -> None:
        trial, before = self.trial(), self.page.inner_text("#count")
        assert self.page.locator("#next:disabled").count() == self.page.locator("#choices:disabled").count() == 1
        if by_keys:
            self.page.keyboard.press("Space")
        else:
            self.page.click("#play")
        self.page.wait_for_selector("#choices:not([disabled])")
        wanted = choose(trial)
        if by_keys:
            self.page.keyboard.press({"left": "1", "right": "2", "cannot": "3"}[wanted])
            self.page.keyboard.press("Enter")
        else:
            self.page.check(f"[name=answer][value={wanted}]")
            self.page.click("#next")
        self.answered += 1
        self.page.wait_for_function(
            "old => document.querySelector('.code') || (document.getElementById('count')?.textContent || old) !== old",
            arg=before,
        )


def sensible(trial) -> str:
    """Sees broken and identical clips; else prefers ASCCL."""
    if trial.left == trial.right:
        return "cannot"
    if BROKEN in (trial.left, trial.right):
        return "left" if trial.right == BROKEN else "right"
    return "left" if trial.left == "ASCCL" else "right"


def careless(trial) -> str:
    return "left" if trial.left == BROKEN else "right" if trial.right == BROKEN else "left"


@pytest.mark.browser
def test_two_participants_and_the_results(chromium, serve_study, data, tmp_path, capsys):
    (tmp_path / "plan.toml").write_text(PLAN)
    clips = clip_folder(tmp_path / "clips")
    assert main(["study", "create", str(clips), "--plan", str(tmp_path / "plan.toml")]) == 0
    study = capsys.readouterr().out.strip()
    address, stop = serve_study()
    assert main(["study", "link", study, "--count", "2", "--url", address]) == 0
    links = capsys.readouterr().out.split()
    store = Store(data)

    first = Person(chromium, store, links[0], viewport={"width": 1280, "height": 900})
    second = Person(chromium, store, links[1], **PHONE, color_scheme="dark")
    first.begin()
    second.begin()
    for turn in range(4):
        assert first.ready() and second.ready()
        first.answer(sensible, by_keys=turn % 2 == 0)
        second.answer(careless)
    place = first.page.inner_text("#count")
    first.context.close()  # leaves; the server goes down; another one takes over; the same link goes on
    second.context.close()
    stop()
    other, _ = serve_study()
    first = Person(chromium, store, links[0].replace(address, other), viewport={"width": 1280, "height": 900})
    second = Person(chromium, store, links[1].replace(address, other), **PHONE)
    assert first.ready() and first.page.inner_text("#count") == place
    second.ready()
    second.page.check("[name=mode][value='in turn']")
    while first.ready():
        first.answer(sensible)
    while second.ready():
        second.answer(careless)
    assert first.page.locator(".code").inner_text() == store.signer.code(first.token[:22])
    assert first.errors == [] and second.errors == []

    votes = read_votes(store, study)
    assert len(votes) == 2 * (1 + 12 + 1 + 1 + 1) and len({vote["trial_id"] for vote in votes}) == len(votes)
    assert {vote["mode"] for vote in votes} == {"together", "in turn"}
    assert main(["study", "results", study, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["participant"] for one in found["excluded"]] == [second.token[:22]]
    main_votes = [vote for vote in votes if vote["kind"] == "main"]
    for row in found["all"]["comparisons"]:
        those = [v for v in main_votes if v["question"] == row["question"]]
        those = [v for v in those if row["group"] == "all" or v[row["group"]] == row["value"]]
        won, count = sum(v["chosen"] == "ASCCL" for v in those), sum(v["chosen"] != "" for v in those)
        assert (row["first"], row["first_wins"], row["count"], row["rate"]) == ("ASCCL", won, count, won / count)
        assert row["wilson"] == list(stats.wilson(won, count)) and row["p"] == stats.binomial(won, count)
    kept = [row for row in found["kept"]["comparisons"] if row["group"] == "all"]
    assert all(row["rate"] == 1 and row["count"] == 6 for row in kept)
    assert found["all"]["catches"]["broken"]["wins"] == 1 and found["all"]["catches"]["broken"]["count"] == 2
    assert found["all"]["catches"]["identical"]["wins"] == 1
    for person in (first, second):
        person.context.close()
    store.close()


@pytest.mark.browser
def test_an_answer_survives_a_server_that_is_away(chromium, serve_study, data, tmp_path, capsys):
    clips = clip_folder(tmp_path / "clips", ("sad",), 1)
    main(["study", "create", str(clips), "--title", "t"])
    study = capsys.readouterr().out.strip()
    address, _ = serve_study()
    main(["study", "link", study, "--open", "--url", address])
    store = Store(data)
    person = Person(chromium, store, capsys.readouterr().out.strip())
    person.page.click("#new")
    person.page.wait_for_selector("[name=agree]")
    person.token = parse_qs(urlsplit(person.page.url).query)["p"][0]
    person.begin()
    person.ready()
    person.page.click("#play")
    person.page.wait_for_selector("#choices:not([disabled])")
    lost: list[str] = []

    def lose(route) -> None:  # the first reaches the server, and its acknowledgement is lost; the second does not
        if len(lost) == 0:
            route.fetch()
        lost.append(route.request.post_data)
        route.abort() if len(lost) < 3 else route.continue_()

    person.page.route("**/study/answer", lose)
    person.page.check("[name=answer][value=left]")
    person.page.click("#next")
    person.page.wait_for_function("() => document.getElementById('count').textContent.startsWith('2')")
    assert len(lost) == 3 and len(set(lost)) == 1
    assert len(read_votes(store, study)) == 1
    person.page.goto(person.link)  # the open link finds the personal one again
    person.page.click("#again a")
    assert person.ready() and person.page.inner_text("#count").startswith("2")
    person.page.click("footer summary")
    person.page.click("footer button.danger")
    person.page.wait_for_selector("text=You have withdrawn")
    assert read_votes(store, study) == []
    person.context.close()
    store.close()


@pytest.mark.parametrize("arguments", [["--study-only"], []])
def test_the_app_serves_studies_alone_and_beside_its_tabs(data, tmp_path, arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    environment.pop("ASCCL_STUDY_SECRET")
    if not arguments:
        Store(data).close()
    command = [sys.executable, "app.py", "--port", str(port), *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for _ in range(900):
            status, _ = fetch(port, "study?s=x&p=y")
            if status:
                break
            assert process.poll() is None
            time.sleep(0.2)
        status, told = fetch(port, "study?s=x&p=y")
        assert status == 404 and "This link does not work" in told
        assert fetch(port, "study/admin")[0] == 401
        status, told = fetch(port, "")
        if arguments:
            assert status == 404 and fetch(port, "config")[0] == 404
        else:
            assert status == 200 and "gradio" in told and "/study" not in told
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    if arguments:
        assert output.count("shown only this once") == 1
        secret = output.split("once: ")[1].split()[0]
        store = Store(data)
        assert store.secret_hash() not in (None, secret) and secret not in (data / "studies.db").read_bytes().decode(
            "latin-1"
        )
        store.close()


def fetch(port: int, path: str) -> tuple[int, str]:
    """(status, text); status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""

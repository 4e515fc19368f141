"""A study in real browsers: two participants, one of whom leaves and returns, and results right to the last digit."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from browser import expect_moment
from media import ROOT
from study_requests import SECRET
from synthetic_study import write_items

from asccl.__main__ import main
from asccl.study import stats
from asccl.study.answering import pending_trials
from asccl.study.design import BROKEN
from asccl.study.page_texts import load_texts
from asccl.study.session import open_session
from asccl.study.store import Store
from asccl.study.study_deletion import delete_study
from asccl.study.votes import read_votes
from asccl.study.web.serve import build_app

TIMEOUT = 90_000  # milliseconds: only a hang reaches it
PLAN = """
title = "Two methods"
questions = ["realism", "mouth"]
repeats = 1
identical = 1
broken = 1
cannot_tell = true
"""
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MAX_DRIFT = 0.010  # seconds
ANSWER_KEYS = {"left": "1", "right": "2", "cannot": "3"}


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ASCCL_STUDY_SECRET", SECRET)
    monkeypatch.delenv("ASCCL_STUDY_DB", raising=False)
    return tmp_path / "data"


@pytest.fixture
def store(data_folder: Path) -> Iterator[Store]:
    store = Store(data_folder)
    yield store
    store.close()


@pytest.fixture
def serve_study(data_folder: Path) -> Iterator[Callable[[], tuple[str, Callable[[], None]]]]:
    """serve_study() -> (address, stop); each call starts a server with a store of its own on the same data folder."""
    stops: list[Callable[[], None]] = []

    def start() -> tuple[str, Callable[[], None]]:
        store = Store(data_folder)
        app = behind_proxy("/sub/path", build_app(lambda: store))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
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


def behind_proxy(prefix: str, app):
    """As a proxy does it: the app gets addresses without the prefix, and does not know the prefix."""

    async def proxied(scope, receive, send) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(prefix), scope["path"]  # no page requests anything outside the prefix
            scope = {**scope, "path": scope["path"].removeprefix(prefix)}
        await app(scope, receive, send)

    return proxied


class ParticipantBrowser:
    """One participant's browser."""

    def __init__(self, chromium, store: Store, link: str, **settings: Any):
        self.store, self.link = store, link
        self.study_id, self.token = (parse_qs(urlsplit(link).query)[name][0] for name in "sp")
        self.context = chromium.new_context(**settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.errors: list[str] = []
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(link)

    def begin(self) -> None:
        self.page.check("[name=agree]")
        self.page.click("button.primary")
        shape, beeps = open_session(self.store, self.study_id, self.token).check_solution()
        self.page.check(f"[name=shape][value={shape}]")
        self.page.check(f'[name=beeps][value="{beeps}"]')
        self.page.click("button.primary")

    def has_trial(self) -> bool:
        """Wait for a trial or the last page."""
        self.page.wait_for_selector("#play:not([disabled]), #part-begin:visible, .code")
        if self.page.locator("#part-begin:visible").count():
            self.page.click("#part-begin")
            self.page.wait_for_selector("#play:not([disabled])")
        return self.page.locator(".code").count() == 0

    def answer(self, choose: Callable[[Any], str], by_keys: bool = False) -> None:
        with self.store.read() as connection:
            trial = pending_trials(connection, self.token[:22])[0]
        count = self.page.inner_text("#count")
        assert self.page.locator("#next:disabled").count() == 1
        assert self.page.locator("#choices:disabled").count() == 1
        if by_keys:
            self.page.keyboard.press("Space")
        else:
            self.page.click("#play")
        self.page.wait_for_selector("#choices:not([disabled])")
        if by_keys:
            self.page.keyboard.press(ANSWER_KEYS[choose(trial)])
            self.page.keyboard.press("Enter")
        else:
            self.page.check(f"[name=answer][value={choose(trial)}]")
            self.page.click("#next")
        self.page.wait_for_function(
            "old => document.querySelector('.code') || (document.getElementById('count')?.textContent || old) !== old",
            arg=count,
        )


def choose_attentively(trial) -> str:
    """Recognize broken and identical clips; otherwise prefer ASCCL."""
    if trial.left == trial.right:
        return "cannot"
    if BROKEN in (trial.left, trial.right):
        return "left" if trial.right == BROKEN else "right"
    return "left" if trial.left == "ASCCL" else "right"


def choose_carelessly(trial) -> str:
    """Prefer broken clips; otherwise the left side."""
    return "right" if trial.right == BROKEN else "left"


def assert_exact_rates(results: dict[str, Any], votes: list[dict[str, Any]]) -> None:
    """Compare every row of the results with a count of the votes."""
    for row in results["all"]["comparisons"]:
        answers = [vote for vote in votes if vote["kind"] == "main" and vote["question"] == row["question"]]
        answers = [vote for vote in answers if row["group"] == "all" or vote[row["group"]] == row["value"]]
        wins, count = sum(v["chosen"] == "ASCCL" for v in answers), sum(v["chosen"] != "" for v in answers)
        assert (row["first"], row["first_wins"], row["count"], row["rate"]) == ("ASCCL", wins, count, wins / count)
        assert row["wilson"] == list(stats.wilson_interval(wins, count))
        assert row["p"] == stats.binomial_p(wins, count)


@pytest.mark.browser
def test_two_participants_and_the_results(chromium, serve_study, store, tmp_path, capsys):
    (tmp_path / "plan.toml").write_text(PLAN)
    clips = write_items(tmp_path / "clips")
    assert main(["study", "create", str(clips), "--plan", str(tmp_path / "plan.toml")]) == 0
    study_id = capsys.readouterr().out.strip()
    address, stop = serve_study()
    assert main(["study", "link", study_id, "--count", "2", "--url", address]) == 0
    links = capsys.readouterr().out.split()

    first = ParticipantBrowser(chromium, store, links[0], **DESKTOP)
    second = ParticipantBrowser(chromium, store, links[1], **PHONE, color_scheme="dark")
    first.begin()
    second.begin()
    for index in range(4):
        assert first.has_trial()
        assert second.has_trial()
        first.answer(choose_attentively, by_keys=index % 2 == 0)
        second.answer(choose_carelessly)
    count = first.page.inner_text("#count")
    first.context.close()  # both leave, the server stops, another one starts, and the same links continue
    second.context.close()
    stop()
    other_address, _ = serve_study()
    first = ParticipantBrowser(chromium, store, links[0].replace(address, other_address), **DESKTOP)
    second = ParticipantBrowser(chromium, store, links[1].replace(address, other_address), **PHONE)
    assert first.has_trial()
    assert first.page.inner_text("#count") == count
    second.has_trial()
    second.page.check("[name=mode][value='in turn']")
    while first.has_trial():
        first.answer(choose_attentively)
    while second.has_trial():
        second.answer(choose_carelessly)
    assert first.page.locator(".code").inner_text() == store.signer.completion_code(first.token[:22])
    assert first.errors + second.errors == []
    for participant in (first, second):
        participant.context.close()

    votes = read_votes(store, study_id)
    assert len({vote["trial_id"] for vote in votes}) == len(votes) == 2 * (2 + 12 + 1 + 1 + 1)
    assert {vote["mode"] for vote in votes} == {"together", "in turn"}
    assert main(["study", "results", study_id, "--format", "json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert_exact_rates(results, votes)
    assert [entry["participant"] for entry in results["excluded"]] == [second.token[:22]]
    kept = [row for row in results["kept"]["comparisons"] if row["group"] == "all"]
    assert {(row["rate"], row["count"]) for row in kept} == {(1, 6)}
    catch_trials = results["all"]["catches"]
    assert (catch_trials["broken"]["wins"], catch_trials["broken"]["count"]) == (1, 2)
    assert catch_trials["identical"]["wins"] == 1


@pytest.mark.browser
def test_an_answer_survives_a_lost_connection_and_the_open_link_finds_the_personal_one(
    chromium, serve_study, store, tmp_path, capsys
):
    clips = write_items(tmp_path / "clips", ("sad",), 1)
    main(["study", "create", str(clips), "--title", "t"])
    study_id = capsys.readouterr().out.strip()
    address, _ = serve_study()
    main(["study", "link", study_id, "--open", "--url", address])
    participant = ParticipantBrowser(chromium, store, capsys.readouterr().out.strip())
    page = participant.page
    page.click("#new")
    page.wait_for_selector("[name=agree]")
    participant.token = parse_qs(urlsplit(page.url).query)["p"][0]
    participant.begin()
    participant.has_trial()
    page.click("#play")
    page.wait_for_selector("#choices:not([disabled])")
    bodies: list[str] = []

    def lose_twice(route) -> None:
        """The first answer is stored, but not its acknowledgement; the second does not reach the server."""
        if not bodies:
            route.fetch()
        bodies.append(route.request.post_data)
        if len(bodies) < 3:
            route.abort()
        else:
            route.continue_()

    page.route("**/study/answer?*", lose_twice)
    page.check("[name=answer][value=left]")
    page.click("#next")
    page.wait_for_function("() => document.getElementById('count').textContent.startsWith('2')")
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert len(read_votes(store, study_id)) == 1
    page.goto(participant.link)
    page.click("#again a")
    assert participant.has_trial()
    assert page.inner_text("#count").startswith("2")
    page.click("footer summary")
    page.click("footer button.danger")
    page.wait_for_selector("text=You have withdrawn")
    assert read_votes(store, study_id) == []
    participant.context.close()


# Plays the clips of a trial; resolves to the drift of every follower in seconds, frame by frame, after half a second.
MEASURE_DRIFT = """async () => {
  const [leader, ...followers] = ["left", "right", "source"].map((slot) =>
    document.querySelector(`figure[data-slot=${slot}] video`));
  document.getElementById("play").click();
  const drifts = [];
  const end = performance.now() + 60000;
  while (!leader.ended && performance.now() < end) {
    await new Promise(requestAnimationFrame);
    if (leader.currentTime < 0.5 || leader.ended) continue;
    for (const video of followers) if (!video.ended) drifts.push(leader.currentTime - video.currentTime);
  }
  return { drifts, muted: [leader, ...followers].map((video) => video.muted), speed: leader.playbackRate };
}"""


@pytest.mark.browser
def test_the_videos_of_a_trial_stay_in_step_with_the_one_that_is_heard(chromium, serve_study, store, tmp_path, capsys):
    clips = write_items(tmp_path / "clips", ("sad",), 1, num_frames=90)
    (tmp_path / "plan.toml").write_text('title = "t"\nquestions = ["mouth"]\nbroken = 0\nidentical = 0')
    main(["study", "create", str(clips), "--plan", str(tmp_path / "plan.toml")])
    study_id = capsys.readouterr().out.strip()
    address, _ = serve_study()
    main(["study", "link", study_id, "--count", "1", "--url", address])
    participant = ParticipantBrowser(chromium, store, capsys.readouterr().out.strip(), **DESKTOP)
    participant.begin()
    participant.has_trial()
    playback = participant.page.evaluate(MEASURE_DRIFT)
    assert playback["muted"] == [False, True, True]
    assert playback["speed"] == 1
    assert len(playback["drifts"]) > 20
    assert statistics.median(map(abs, playback["drifts"])) < MAX_DRIFT
    participant.context.close()


@pytest.fixture
def open_link_page(chromium, serve_study, store, tmp_path):
    """open_link_page(**window) -> (page of a new study from a folder, with an open link; address of the server)."""
    contexts = []

    def create(**window):
        clips = write_items(tmp_path / "clips", ("sad",), 1)
        (tmp_path / "plan.toml").write_text('title = "From the dialog"\nquestions = ["realism"]')
        address, _ = serve_study()
        contexts.append(chromium.new_context(permissions=["clipboard-read", "clipboard-write"], **window))
        page = contexts[-1].new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(f"{address}/study/admin/list")
        page.fill("[name=secret]", SECRET)
        page.click("button.primary")
        page.click("a[href=new]")
        page.set_input_files("[name=folder]", clips)
        page.click("summary:has-text('Settings')")
        page.set_input_files("[name=plan_file]", tmp_path / "plan.toml")
        page.click("button.primary")
        page.click("a:has-text('Continue to the links')")
        page.click("button:has-text('Create an open link')")
        page.locator(".copy").first.wait_for()
        return page, address

    yield create
    for context in contexts:
        context.close()


@pytest.mark.browser
def test_a_researcher_creates_a_study_from_a_folder_and_copies_its_link(open_link_page):
    page, address = open_link_page(**DESKTOP)
    with expect_moment(page, "() => document.querySelector('.copy').textContent.includes('Copied')"):
        page.locator(".copy").first.click()
    assert page.evaluate("() => navigator.clipboard.readText()").startswith(f"{address}/study?s=")


@pytest.mark.browser
def test_the_button_that_copies_a_link_stays_on_its_card_on_a_narrow_phone(open_link_page):
    page, _ = open_link_page(viewport={"width": 360, "height": 740})
    button, row = (page.locator(selector).first.bounding_box() for selector in ("p.copied .copy", "p.copied"))
    assert button["x"] + button["width"] <= row["x"] + row["width"]


@pytest.mark.browser
@pytest.mark.parametrize("page_name", ["list", "one"])
def test_no_column_of_the_administration_is_hidden_on_a_narrow_phone(open_link_page, page_name):
    page, address = open_link_page(viewport={"width": 360, "height": 740})
    page.fill("[name=labels]", "pseudonym-of-a-participant")
    page.click("button:has-text('Create links')")
    page.wait_for_selector("td:has-text('pseudonym')")
    if page_name == "list":
        page.goto(f"{address}/study/admin/list")
    hidden = page.locator(".scroll").evaluate_all("boxes => boxes.map((box) => box.scrollWidth - box.clientWidth)")
    assert hidden[0] == 0


@pytest.mark.browser
def test_a_study_is_deleted_only_after_the_question_is_confirmed(open_link_page, store, monkeypatch):
    page, _ = open_link_page(viewport={"width": 360, "height": 740})
    monkeypatch.setenv("ASCCL_STUDY_MIRROR", "somebody/a-dataset-with-a-long-name")
    page.fill("[action=delete] [name=title]", "From the dialog")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("button:has-text('Delete this study')")
    assert len(list((store.folder / "clips").iterdir())) == 1
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("button:has-text('Delete this study')")
    page.wait_for_selector("h1:has-text('The study was deleted')")
    assert list((store.folder / "clips").iterdir()) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture
def participant_on_phone(chromium, serve_study, store, tmp_path, capsys) -> Iterator[ParticipantBrowser]:
    """A participant on a narrow phone, on the first page of a study with three videos in a trial and with a scale."""
    clips = write_items(tmp_path / "clips", ("sad",), 1)
    (tmp_path / "plan.toml").write_text('title = "t"\nquestions = ["emotion"]\nrating = 5\ndemographics = ["age"]')
    main(["study", "create", str(clips), "--plan", str(tmp_path / "plan.toml")])
    address, _ = serve_study()
    main(["study", "link", capsys.readouterr().out.strip(), "--count", "1", "--url", address])
    link = capsys.readouterr().out.strip()
    participant = ParticipantBrowser(chromium, store, link, **{**PHONE, "viewport": {"width": 360, "height": 740}})
    yield participant
    participant.context.close()


@pytest.mark.browser
def test_an_answer_after_the_deletion_of_the_study_leads_to_a_page_that_says_so(participant_on_phone, store):
    page = participant_on_phone.page
    participant_on_phone.begin()
    assert participant_on_phone.has_trial()
    page.click("#play")
    page.wait_for_selector("#choices:not([disabled])")
    delete_study(store, participant_on_phone.study_id)
    page.check("[name=answer][value=left]")
    page.check("[name=rating][value='1']")
    page.click("#next")
    page.wait_for_selector(f"h1:has-text('{load_texts('en')['deleted_title']}')")


@pytest.mark.browser
def test_the_answers_to_the_sound_check_are_in_one_row_on_a_narrow_phone(participant_on_phone):
    page = participant_on_phone.page
    page.check("[name=agree]")
    page.click("button.primary")
    boxes = [page.locator(f'label:has([name=beeps][value="{count}"])').bounding_box() for count in range(1, 6)]
    assert len({box["y"] for box in boxes}) == 1


@pytest.mark.browser
def test_the_caption_of_a_watched_video_is_beside_its_button_on_a_narrow_phone(participant_on_phone):
    participant_on_phone.begin()
    participant_on_phone.has_trial()
    page = participant_on_phone.page
    page.click("#play")
    page.wait_for_selector("figure.seen[data-slot=reference]")
    page.wait_for_selector("#choices:not([disabled])")
    caption, button = (page.locator(f"[data-slot=reference] {part}").bounding_box() for part in ("figcaption", ".one"))
    is_left = caption["x"] + caption["width"] <= button["x"]
    is_above = caption["y"] + caption["height"] <= button["y"]
    assert [is_left, is_above].count(True) > 0


@pytest.mark.browser
def test_a_trial_says_what_is_missing_after_each_choice(participant_on_phone):
    participant_on_phone.begin()
    participant_on_phone.has_trial()
    page = participant_on_phone.page
    page.click("#play")
    page.wait_for_selector("#choices:not([disabled])")
    hints = [page.inner_text("#hint")]
    for choice in ("[name=answer][value=left]", '[name=rating][value="3"]'):
        page.check(choice)
        hints.append(page.inner_text("#hint"))
    texts = load_texts("en")
    assert hints == [texts["choose_now"], texts["rate_now"], texts["go_next"]]


@pytest.fixture
def app_process(data_folder: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """app_process(*options) -> (process, port) of the app without a secret in its environment, once it responds."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], int]:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        environment.pop("ASCCL_STUDY_SECRET")
        command = [sys.executable, "app.py", "--port", str(port), *options]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append(process)
        for _ in range(900):
            if fetch(port, "study?s=x&p=y")[0]:
                return process, port
            assert process.poll() is None
            time.sleep(0.2)
        raise AssertionError("the app does not respond")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def stop_app(process: subprocess.Popen[str]) -> str:
    """Stop the app as a user does. Returns its output."""
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=300)
    return output


def test_the_app_serves_studies_alone(app_process, data_folder):
    process, port = app_process("--study-only")
    status, text = fetch(port, "study?s=x&p=y")
    assert status == 404
    assert "This link does not work" in text
    assert [fetch(port, path)[0] for path in ("study/admin", "", "config")] == [401, 404, 404]
    output = stop_app(process)
    assert "Traceback" not in output
    assert output.count("shown only this once") == 1
    secret = output.split("once: ")[1].split()[0]
    store = Store(data_folder)
    assert store.secret_hash() is not None
    store.close()
    assert secret.encode() not in (data_folder / "studies.db").read_bytes()


def test_the_app_serves_studies_beside_its_tabs_without_a_link_to_them(app_process, data_folder):
    Store(data_folder).close()
    process, port = app_process()
    assert [fetch(port, path)[0] for path in ("study?s=x&p=y", "study/admin")] == [404, 401]
    status, text = fetch(port, "")
    assert status == 200
    assert "gradio" in text
    assert "/study" not in text.replace("/study/admin/new", "")  # of a button that only administrators see
    assert "Traceback" not in stop_app(process)


def fetch(port: int, path: str) -> tuple[int, str]:
    """(status, text); status 0 where nothing responds."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""

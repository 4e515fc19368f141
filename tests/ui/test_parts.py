"""The parts that need no page: read-out, limits, runs, and the looks' one rule."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from fake_editor import report
from test_endpoints import wait_until

from asccl.errors import CancelledError, LimitError, UnreadableError
from asccl.types import EditRequest, EditResult, MediaInfo
from asccl.ui import components
from asccl.ui.limits import WEB_LIMITS, check, check_upload, clock, length
from asccl.ui.report import readout, status
from asccl.ui.run import Job, JobRegistry, overall
from asccl.ui.values import sentence


def info(duration: float = 2.0, width: int = 160, frames: int = 20, is_still: bool = False) -> MediaInfo:
    return MediaInfo(Path(__file__), width, 160, Fraction(10), Fraction(1, 10), duration, frames, is_still)


def test_readout_leaves_out_what_was_not_measured():
    found = report(EditRequest(Path("a.png"), emotion="sad"), info(is_still=True, duration=0, frames=1))
    found["emotion"] = {"target": None, "before": None, "after": None, "probabilities_before": None}
    found["identity"]["similarity"] = None
    text = readout(found)
    assert "None" not in text and "nan" not in text
    assert "Still the same person" not in text and "Lip opening over time" not in text and "Looks" not in text


def test_readout_says_in_words_what_was_passed_through():
    text = readout(report(EditRequest(Path("a.mp4"), emotion="sad"), info()))
    assert "face turned too far" in text and "0.4 s to 0.6 s" in text and "15 of 20" in text
    assert "Frames missing" not in text


def test_readout_tells_of_frames_that_could_not_be_read():
    found = report(EditRequest(Path("a.mp4"), emotion="sad"), info())
    found["frames"]["unreadable"] = 45
    assert ">45<" in readout(found) and "cut off" in readout(found)


def test_nothing_a_file_is_called_becomes_markup():
    hostile = "<img src=x onerror=alert(1)>.mp4"
    import numpy as np

    assert "<img" not in components.facts(np.zeros((4, 4, 3), np.uint8), hostile, hostile)["name"]
    assert "<img" not in status("failed", hostile)
    found = report(EditRequest(Path("a.mp4"), emotion="sad"), info())
    found["weights"][0]["name"] = found["frames"]["spans"][0]["reason"] = hostile
    assert "<img" not in readout(found)


def test_limits_of_the_web_app_are_tighter_and_told():
    check(info(), WEB_LIMITS)
    with pytest.raises(LimitError, match="longer than 5 minutes"):
        check(info(duration=301.0), WEB_LIMITS)
    with pytest.raises(LimitError, match="pixels"):
        check(info(width=100_000), WEB_LIMITS)


def test_an_upload_that_is_gone_is_asked_for_again(tmp_path):
    with pytest.raises(UnreadableError, match="send it again"):
        check_upload(str(tmp_path / "gone.mp4"), "video")


def test_length_of_a_recording_that_does_not_say(media):
    silent = replace(info(duration=0.0), path=media / "talk.mp4")
    assert length(silent) == pytest.approx(1.9)  # from the first frame to the last
    assert [clock(seconds) for seconds in (3.0, 3.24, 75.0)] == ["3 s", "3.2 s", "1:15 min"]


def test_our_own_faults_are_one_general_line():
    assert "secret" not in sentence(ValueError("secret")) and "Cancelled" in sentence(CancelledError())


def test_the_bar_never_runs_backwards():
    shares = [overall(stage, done) for stage in ("open", "track", "fit", "render") for done in (0.0, 0.5, 1.0)]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == pytest.approx(1.0)


def test_the_time_left_does_not_count_what_happens_once(tmp_path, monkeypatch):
    """Loading takes a minute, then a whole edit at one rate takes a hundred seconds."""
    now, step, go = [0.0], threading.Event(), threading.Semaphore(0)

    def work(folder: Path, progress) -> None:
        for stage, done in (("open", 0.0), ("track", 0.1), ("track", 0.5), ("render", 0.5)):
            go.acquire()
            progress(stage, done)
            step.set()
        go.acquire()

    monkeypatch.setattr("asccl.ui.run.time.monotonic", lambda: now[0])
    run = Job(work, tmp_path)

    def at(seconds: float) -> float | None:
        now[0] = seconds
        go.release()
        assert step.wait(60)
        step.clear()
        return run.standing().remaining

    assert at(0) is None and at(60) is None
    assert at(60 + 100 * 0.3 * 0.4) == pytest.approx(100 * (1 - overall("track", 0.5)))
    assert at(60 + 100 * (0.9 * 0.3 + 0.03 + 0.5 * 0.65)) == pytest.approx(100 * (1 - overall("render", 0.5)))
    go.release()
    assert run.wait(60)
    run.close()


def test_a_run_keeps_its_folder_until_closed_and_no_longer(tmp_path):
    run = Job(lambda folder, progress: EditResult(folder / "out.mp4"), tmp_path)
    assert run.wait(60) and run.result is not None and run.folder.exists()
    run.close()
    assert not run.folder.exists()


def test_a_closed_page_stops_its_own_run_only(tmp_path):
    release = threading.Event()

    def work(folder: Path, progress) -> EditResult:
        while not release.wait(0.01):
            progress("track", 0.1)
        return EditResult(folder / "out.mp4")

    runs, mine, other = JobRegistry(), Job(work, tmp_path), Job(work, tmp_path)
    runs.add("me", mine)
    runs.add("you", other)
    runs.stop("me")
    assert mine.wait(60) and isinstance(mine.error, CancelledError)
    wait_until(lambda: not mine.folder.exists())
    assert other.error is None and other.folder.exists()
    release.set()
    assert other.wait(60)
    runs.remove("you", other)
    assert list(tmp_path.iterdir()) == []


def test_the_style_sheet_has_no_list_in_brackets():
    rules = re.sub(r"/\*.*?\*/", "", (components.HERE / "theme.css").read_text(), flags=re.DOTALL)
    assert re.findall(r":(?:is|where|not|has)\([^)]*,[^)]*\)", rules) == []  # Gradio breaks them at the comma
    assert re.findall(r"https?://(?!www\.w3\.org)|@import", rules) == []

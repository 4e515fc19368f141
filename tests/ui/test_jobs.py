"""Jobs: their progress, their folder, and the pages that they belong to."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from visitor import wait_until

from asccl.errors import CancelledError
from asccl.types import EditResult, overall_progress
from asccl.ui.edit_handlers import STAGE_SHARES
from asccl.ui.jobs import Job, JobRegistry


def overall(stage: str, done: float) -> float:
    return overall_progress(stage, done, STAGE_SHARES)


def finish(folder: Path, progress) -> EditResult:
    """Work that ends at once."""
    return EditResult(folder / "out.mp4")


def test_the_progress_never_decreases():
    shares = [overall(stage, done) for stage in STAGE_SHARES for done in (0.0, 0.5, 1.0)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == pytest.approx((0.0, 1.0))


def test_the_remaining_time_does_not_count_what_happens_once(tmp_path, monkeypatch):
    """Loading takes a minute, then the whole edit would take a hundred seconds at a constant rate."""
    clock, reported, go = [0.0], threading.Event(), threading.Semaphore(0)

    def work(folder: Path, progress) -> None:
        for stage, done in (("open", 0.0), ("track", 0.1), ("track", 0.5), ("render", 0.5)):
            go.acquire()
            progress(stage, done)
            reported.set()
        go.acquire()

    monkeypatch.setattr("asccl.ui.jobs.time.monotonic", lambda: clock[0])
    job = Job(work, tmp_path, STAGE_SHARES)

    def remaining_at(seconds: float) -> float | None:
        clock[0] = seconds
        go.release()
        assert reported.wait(60)
        reported.clear()
        return job.progress().remaining

    assert remaining_at(0) is None
    assert remaining_at(60) is None
    assert remaining_at(60 + 100 * 0.3 * 0.4) == pytest.approx(100 * (1 - overall("track", 0.5)))
    assert remaining_at(60 + 100 * (0.9 * 0.3 + 0.03 + 0.5 * 0.65)) == pytest.approx(100 * (1 - overall("render", 0.5)))
    go.release()
    assert job.wait(60)
    job.close()


def test_a_job_keeps_its_folder_until_it_is_closed(tmp_path):
    job = Job(finish, tmp_path, STAGE_SHARES)
    assert job.wait(60)
    assert job.result == EditResult(job.folder / "out.mp4")
    assert job.folder.exists()
    job.close()
    assert not job.folder.exists()


def test_watching_a_job_raises_its_error(tmp_path):
    def fail(folder: Path, progress) -> None:
        raise ValueError("broken")

    job = Job(fail, tmp_path, STAGE_SHARES)
    with pytest.raises(ValueError, match="broken"):
        list(job.watch())
    job.close()


def test_a_closed_page_stops_only_its_own_jobs(tmp_path):
    release = threading.Event()

    def work(folder: Path, progress) -> EditResult:
        while not release.wait(0.01):
            progress("track", 0.1)
        return finish(folder, progress)

    registry = JobRegistry()
    with (
        registry.run("first page", work, tmp_path, STAGE_SHARES) as first,
        registry.run("second page", work, tmp_path, STAGE_SHARES) as second,
    ):
        registry.stop("first page")
        assert first.wait(60)
        assert isinstance(first.error, CancelledError)
        wait_until(lambda: not first.folder.exists())
        assert second.error is None
        assert second.folder.exists()
        release.set()
        assert second.wait(60)
    assert list(tmp_path.iterdir()) == []

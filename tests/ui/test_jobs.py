"""Jobs: their progress and their folder."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clocks import AdjustableClock
from coroutines import run_coroutine

from asccl.progress import overall_progress
from asccl.types import EditResult
from asccl.ui.edit_handlers import STAGE_SHARES
from asccl.ui.jobs import Job


def overall(stage: str, done: float) -> float:
    return overall_progress(stage, done, STAGE_SHARES)


async def collect(progress: AsyncIterator) -> list:
    return [value async for value in progress]


def finish(folder: Path, progress) -> EditResult:
    """Work that ends at once."""
    return EditResult(folder / "out.mp4")


def test_the_progress_never_decreases():
    shares = [overall(stage, done) for stage in STAGE_SHARES for done in (0.0, 0.5, 1.0)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == pytest.approx((0.0, 1.0))


def test_the_remaining_time_does_not_count_what_happens_once(tmp_path):
    """Loading takes a minute, then the whole edit would take a hundred seconds at a constant rate."""
    clock, reported, go = AdjustableClock(), threading.Event(), threading.Semaphore(0)

    def work(folder: Path, progress) -> None:
        for stage, done in (("open", 0.0), ("track", 0.1), ("track", 0.5), ("render", 0.5)):
            go.acquire()
            progress(stage, done)
            reported.set()
        go.acquire()

    job = Job(work, tmp_path, STAGE_SHARES, clock)

    def remaining_at(seconds: float) -> float | None:
        clock.advance(seconds - clock())
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
        run_coroutine(collect(job.watch()))
    job.close()

"""The runner of jobs: turns, pages that close, and jobs for which nobody waits."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from clocks import AdjustableClock
from coroutines import run_coroutine

from asccl.errors import CancelledError, SettingError
from asccl.ui.job_runner import JobRunner, ReplacedError
from asccl.ui.jobs import JobProgress
from asccl.ui.listeners import Listeners
from asccl.ui.places import MAX_SILENCE, Caller, Places

STAGES = {"track": 1.0}
FIRST, SECOND = Caller("first page", "10.0.0.1"), Caller("second page", "10.0.0.2")


def make_runner(folder: Path, listeners: Listeners | None = None, count: int = 2) -> JobRunner:
    """A runner for whose jobs time stands still, unless the listeners have another clock."""
    return JobRunner(STAGES, Places(count, 2, 8), listeners or Listeners(AdjustableClock()), folder)


def describe(progress: JobProgress) -> str:
    return progress.stage


async def outputs_of(runner: JobRunner, caller: Caller, work) -> list:
    return [output async for output in runner.run(caller, lambda: work, describe, lambda job: job.result)]


def test_the_last_output_is_that_of_the_result(tmp_path):
    outputs = run_coroutine(outputs_of(make_runner(tmp_path), FIRST, lambda folder, progress: "the result"))
    assert outputs[-1] == "the result"


def test_no_folder_is_left_after_a_job(tmp_path):
    run_coroutine(outputs_of(make_runner(tmp_path), FIRST, lambda folder, progress: None))
    assert list(tmp_path.iterdir()) == []


def test_a_job_waits_until_a_place_is_free(tmp_path):
    release = threading.Event()
    runner = make_runner(tmp_path, count=1)

    async def both() -> list:
        first = runner.run(FIRST, lambda: lambda folder, progress: release.wait(60), describe, lambda job: "done")
        await anext(first)
        second = runner.run(SECOND, lambda: lambda folder, progress: None, describe, lambda job: "done")
        waited = await anext(second)
        release.set()
        outputs = [[output async for output in job] for job in (first, second)]
        return [waited, outputs[1][-1]]

    assert run_coroutine(both()) == ["wait", "done"]


def test_a_closed_page_stops_only_its_own_jobs(tmp_path):
    release, runner = threading.Event(), make_runner(tmp_path)

    def work(folder: Path, progress) -> str:
        while not release.wait(0.01):
            progress("track", 0.1)
        return "finished"

    async def both() -> list:
        first, second = (
            runner.run(caller, lambda: work, describe, lambda job: job.result) for caller in (FIRST, SECOND)
        )
        for job in (first, second):
            await anext(job)
        runner.stop(FIRST.session)
        with pytest.raises(CancelledError):
            _ = [output async for output in first]
        release.set()
        return [output async for output in second]

    assert run_coroutine(both())[-1] == "finished"


def test_a_job_stops_when_nobody_waits_for_it(tmp_path):
    stopped = threading.Event()

    def work(folder: Path, progress) -> None:
        try:
            while True:
                progress("track", 0.1)
        finally:
            stopped.set()

    async def wait_in_vain() -> None:
        async for output in make_runner(tmp_path, Listeners(clock)).run(FIRST, lambda: work, describe, print):
            if output == "track":
                clock.advance(2 * MAX_SILENCE)

    clock = AdjustableClock()
    with pytest.raises(CancelledError):
        run_coroutine(wait_in_vain())
    assert stopped.wait(60)


@pytest.mark.parametrize("listener", [FIRST.session, FIRST.address])
def test_a_job_goes_on_while_somebody_waits_for_it(tmp_path, listener):
    clock, release = AdjustableClock(), threading.Event()
    listeners = Listeners(clock)
    runner = make_runner(tmp_path, listeners)

    async def wait_for_long() -> list[str]:
        job = runner.run(FIRST, lambda: lambda folder, progress: release.wait(60), describe, lambda job: "done")
        await anext(job)
        clock.advance(2 * MAX_SILENCE)
        await anext(job)  # the progress is sent again
        release.set()
        return [output async for output in job]

    with listeners.listening(listener):
        assert run_coroutine(wait_for_long())[-1] == "done"


def test_one_page_may_not_ask_for_a_third_job(tmp_path):
    release, runner = threading.Event(), make_runner(tmp_path, count=1)

    async def ask_three_times() -> list:
        jobs = [
            asyncio.create_task(outputs_of(runner, FIRST, lambda folder, progress: release.wait(60))) for _ in "abc"
        ]
        await asyncio.sleep(0.2)
        release.set()
        return await asyncio.gather(*jobs, return_exceptions=True)

    assert [type(result) for result in run_coroutine(ask_three_times())] == [list, list, SettingError]


def test_a_job_of_a_visit_is_followed_by_another_page(tmp_path):
    release, runner = threading.Event(), make_runner(tmp_path)

    async def reload() -> list:
        first = runner.run(
            FIRST, lambda: lambda folder, progress: release.wait(60), describe, lambda job: "done", visit="a visit"
        )
        await anext(first)
        await first.aclose()
        runner.stop(FIRST.session)
        release.set()
        return [output async for output in runner.resume(SECOND, "a visit", describe)]

    assert run_coroutine(reload())[-1] == "done"


@pytest.mark.parametrize("visit", ["", "another visit"])
def test_no_other_visit_follows_a_job(tmp_path, visit):
    release, runner = threading.Event(), make_runner(tmp_path)

    async def ask() -> list:
        first = runner.run(
            FIRST, lambda: lambda folder, progress: release.wait(60), describe, lambda job: "done", visit="a visit"
        )
        await anext(first)
        outputs = [output async for output in runner.resume(SECOND, visit, describe)]
        release.set()
        await first.aclose()
        return outputs

    assert run_coroutine(ask()) == []


@pytest.mark.parametrize("ends_by", ["silence", "cancel"])
def test_a_job_of_a_visit_ends_by_silence_or_by_the_button(tmp_path, ends_by):
    stopped, clock = threading.Event(), AdjustableClock()

    def work(folder: Path, progress) -> None:
        try:
            while True:
                progress("track", 0.1)
        finally:
            stopped.set()

    async def leave() -> None:
        runner = make_runner(tmp_path, Listeners(clock))
        first = runner.run(FIRST, lambda: work, describe, lambda job: None, visit="a visit")
        while await anext(first) == "start":
            pass
        await first.aclose()
        if ends_by == "cancel":
            runner.stop_visit("a visit")
        else:
            clock.advance(2 * MAX_SILENCE)
        while not stopped.is_set():
            await asyncio.sleep(0.05)

    run_coroutine(leave())
    assert stopped.is_set()


def test_whoever_follows_a_replaced_job_learns_why_it_ended_however_late_they_ask(tmp_path):
    def work(folder: Path, progress) -> None:
        while True:
            progress("track", 0.1)

    async def follow() -> None:
        runner = make_runner(tmp_path)
        job = runner.run(FIRST, lambda: work, describe, lambda job: None, visit="a visit")
        while await anext(job) == "start":
            pass
        runner.stop_visit("a visit", ReplacedError())
        await asyncio.sleep(1)  # meanwhile the job notices that it was stopped, and ends
        await anext(job)

    with pytest.raises(ReplacedError):
        run_coroutine(follow())

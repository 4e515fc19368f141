"""Runs the jobs of the app: a few at a time, in turns, and only while somebody waits for them.

A job of a visit, which a page names by a random key, survives a reload of its page: for a while it goes on without a
follower, and `resume` follows it again.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from asccl.errors import CancelledError
from asccl.ui.jobs import POLL_INTERVAL, Job, JobProgress, JobWork
from asccl.ui.listeners import Listeners
from asccl.ui.places import MAX_SILENCE, Caller, Places

Outputs = TypeVar("Outputs")
REPEAT_INTERVAL = 2.0  # seconds until an unchanged progress is sent again; Gradio then notices a closed page


class ReplacedError(CancelledError):
    """The user chose another file, and the work on the one before stopped."""


@dataclass(eq=False)
class Follower:
    """Somebody who follows a job.

    Attributes:
        caller: who it is.
        since: time of the listeners' clock from which on they should listen.
    """

    caller: Caller
    since: float


@dataclass(eq=False)
class Run:
    """One job from its request to the delivery of its result.

    Attributes:
        caller: who asked for it.
        visit: key of the visit whose pages may follow it; empty for none.
        present: outputs for the finished job, whose folder still exists.
        clock: of the listeners.
        progress: the latest.
        job: once it has started.
        error: what ended it without a result.
        ready: set when there is a result or an error.
        closed: whether nobody may follow it any longer.
        followers: who follows it now.
        silent_since: time of the clock since which nobody has.
    """

    caller: Caller
    visit: str
    present: Callable[[Job], Any]
    clock: Callable[[], float]
    progress: JobProgress = field(default_factory=lambda: JobProgress("start", 0.0, None))
    job: Job | None = None
    error: BaseException | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    followers: list[Follower] = field(default_factory=list)
    silent_since: float = field(init=False)

    def __post_init__(self) -> None:
        self.silent_since = self.clock()

    def leave(self, followers: Iterable[Follower]) -> None:
        """Take note that these no longer follow."""
        for follower in followers:
            if follower in self.followers:
                self.followers.remove(follower)
                self.silent_since = self.clock()

    def cancel(self, error: CancelledError) -> None:
        """Stop the work; whoever follows gets the error at once, unless the result is ready."""
        if not self.ready.is_set():
            self.error = error
            self.ready.set()
        self.close()

    def close(self) -> None:
        """Stop the work, and delete its files when it has ended."""
        self.closed = True
        if self.job is not None:
            self.job.close()


class JobRunner:
    """Runs jobs of one kind.

    Args:
        stage_shares: the stages of a job in their order, each with its share of the work.
        places: how many jobs run and wait.
        listeners: who waits for messages; their clock is that of the jobs.
        folder: where jobs create their temporary folders; None takes the system's place.
    """

    def __init__(
        self,
        stage_shares: Mapping[str, float],
        places: Places,
        listeners: Listeners,
        folder: Path | None = None,
    ):
        self._stage_shares, self._places, self._folder = stage_shares, places, folder
        self._listeners = listeners
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop itself keeps weak references only

    async def run(
        self,
        caller: Caller,
        prepare: Callable[[], JobWork],
        show: Callable[[JobProgress], Outputs],
        present: Callable[[Job], Outputs],
        visit: str = "",
    ) -> AsyncIterator[Outputs]:
        """Wait for a place, run a job and follow it. Closing this generator stops a job that belongs to no visit.

        Args:
            caller: who asked for it.
            prepare: checks the request and returns the work.
            show: outputs for a progress.
            present: outputs for the finished job, whose folder still exists.
            visit: key of the visit that may follow the job from another page.

        Yields:
            The outputs while the job waits and runs, and at last those of its result.

        Raises:
            SettingError: the caller has too many jobs.
            CancelledError: nobody waits for the job, or it was stopped.
            Exception: what `prepare`, the work or `present` raised.
        """
        run = Run(caller, visit, present, self._listeners.clock)
        task = asyncio.create_task(self._drive(run, prepare))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)  # lets the task ask for a place before the first output
        async with aclosing(self._follow(run, caller, show)) as all_outputs:
            async for outputs in all_outputs:
                yield outputs

    async def resume(
        self, caller: Caller, visit: str, show: Callable[[JobProgress], Outputs]
    ) -> AsyncIterator[Outputs]:
        """Follow the newest job of a visit, which another page began. Yields nothing if there is none.

        Args:
            caller: who asks.
            visit: key of the visit.
            show: outputs for a progress.

        Yields:
            See `run`.
        """
        runs = [run for run in self._current_runs() if visit and run.visit == visit and not run.closed]
        if runs:
            async with aclosing(self._follow(runs[-1], caller, show)) as all_outputs:
                async for outputs in all_outputs:
                    yield outputs

    def stop(self, session: str | None) -> None:
        """Stop the jobs of a closed page, except those of a visit, which another page may follow for a while."""
        for run in self._current_runs():
            followers = [follower for follower in run.followers if follower.caller.session == (session or "")]
            run.leave(followers)
            if followers and not run.visit:
                run.close()

    def stop_visit(self, visit: str, error: CancelledError | None = None) -> None:
        """Stop the jobs of a visit. Must be called in the event loop of the jobs.

        visit: its key. error: whoever follows gets it; None is a CancelledError.
        """
        for run in self._current_runs():
            if visit and run.visit == visit:
                run.cancel(error or CancelledError())

    def _current_runs(self) -> list[Run]:
        with self._lock:
            return list(self._runs)

    async def _follow(
        self, run: Run, caller: Caller, show: Callable[[JobProgress], Outputs]
    ) -> AsyncGenerator[Outputs, None]:
        follower, delivered = Follower(caller, run.clock()), False
        run.followers.append(follower)
        latest: Outputs | None = None
        sent = -math.inf
        try:
            while not run.ready.is_set():
                outputs, now = show(run.progress), run.clock()
                if outputs != latest or now - sent >= REPEAT_INTERVAL:
                    latest, sent = outputs, now
                    yield outputs
                with suppress(TimeoutError):
                    await asyncio.wait_for(run.ready.wait(), POLL_INTERVAL)
            if run.error is not None:
                raise run.error
            assert run.job is not None
            yield await run_in_threadpool(run.present, run.job)
            delivered = True
        finally:
            run.leave([follower])
            if delivered or not run.visit or run.error is not None:
                run.close()

    async def _drive(self, run: Run, prepare: Callable[[], JobWork]) -> None:
        """Carry a run from its request to the time when its result was taken, or nobody waits for it."""
        with self._lock:
            self._runs.append(run)
        try:
            with self._places.ticket(run.caller) as ticket:
                while position := ticket.position:
                    run.progress = JobProgress("wait", 0.0, None, position)
                    self._check_followers(run)
                    await asyncio.sleep(POLL_INTERVAL)
                run.progress = JobProgress("start", 0.0, None)
                work = await run_in_threadpool(prepare)
                with self._start(run, work) as job:
                    async for progress in job.watch():
                        run.progress = progress
                        self._check_followers(run)
                    run.ready.set()
            await self._keep(run)
        except asyncio.CancelledError:  # the program ends
            run.error = CancelledError()
            raise
        except Exception as error:  # whoever follows raises it, unless `cancel` gave them another
            run.error = run.error or error
        finally:
            run.ready.set()
            run.close()
            with self._lock:
                self._runs.remove(run)

    async def _keep(self, run: Run) -> None:
        """Keep the files of a finished job until they were taken, or nobody waits for them."""
        while not run.closed:
            self._check_followers(run)
            await asyncio.sleep(POLL_INTERVAL)

    @contextmanager
    def _start(self, run: Run, work: JobWork) -> Iterator[Job]:
        """Start a job, and close it if the block does not end well."""
        run.job = Job(work, self._folder, self._stage_shares, run.clock)
        try:
            yield run.job
        except BaseException:
            run.job.close()
            raise

    def _check_followers(self, run: Run) -> None:
        """Raise CancelledError if a run was stopped, or nobody has waited for it for a while."""
        silence = [run.clock() - run.silent_since]
        if run.followers:
            names = [(follower.caller.session, follower.caller.address, follower.since) for follower in run.followers]
            silence = [self._listeners.silent_seconds((session, address), since) for session, address, since in names]
        if run.closed or min(silence) > MAX_SILENCE:
            raise CancelledError

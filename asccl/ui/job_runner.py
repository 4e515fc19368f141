"""Runs the jobs of the app: a few at a time, in turns, and only while somebody waits for them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from asccl.errors import CancelledError
from asccl.ui.jobs import POLL_INTERVAL, Job, JobProgress, JobWork
from asccl.ui.listeners import Listeners
from asccl.ui.places import Caller, Places

Outputs = TypeVar("Outputs")
MAX_SILENCE = 20.0  # seconds for which a job goes on although nobody waits for its messages


class JobRunner:
    """Runs jobs of one kind.

    Args:
        stage_shares: the stages of a job in their order, each with its share of the work.
        places: how many jobs run and wait.
        listeners: who waits for messages.
        folder: where jobs create their temporary folders; None takes the system's place.
        max_silence: see `MAX_SILENCE`.
    """

    def __init__(
        self,
        stage_shares: Mapping[str, float],
        places: Places,
        listeners: Listeners,
        folder: Path | None = None,
        max_silence: float = MAX_SILENCE,
    ):
        self._stage_shares, self._places, self._folder = stage_shares, places, folder
        self._listeners, self._max_silence = listeners, max_silence
        self._lock = threading.Lock()
        self._jobs: dict[str, list[Job]] = {}

    async def run(
        self,
        caller: Caller,
        prepare: Callable[[], JobWork],
        show: Callable[[JobProgress], Outputs],
        present: Callable[[Job], Outputs],
    ) -> AsyncIterator[Outputs]:
        """Wait for a place and run a job. Closing this generator stops the job and deletes its files.

        Args:
            caller: who asked for it.
            prepare: checks the request and returns the work.
            show: outputs for a progress.
            present: outputs for the finished job, whose folder still exists.

        Yields:
            The outputs while the job waits and runs, and at last those of its result.

        Raises:
            SettingError: the caller has too many jobs.
            CancelledError: nobody waits for the job.
            Exception: what `prepare`, the work or `present` raised.
        """
        since = time.monotonic()
        with self._places.ticket(caller) as ticket:
            while position := ticket.position:
                yield show(JobProgress("wait", 0.0, None, position))
                self._check_listener(caller, since)
                await asyncio.sleep(POLL_INTERVAL)
            yield show(JobProgress("start", 0.0, None))
            work = await run_in_threadpool(prepare)
            with self._start(caller, work) as job:
                async for progress in job.watch():
                    yield show(progress)
                    self._check_listener(caller, since)
                yield await run_in_threadpool(present, job)

    def stop(self, session: str | None) -> None:
        """Close the running jobs of a page."""
        with self._lock:
            jobs = list(self._jobs.get(session or "", []))
        for job in jobs:
            job.close()

    @contextmanager
    def _start(self, caller: Caller, work: JobWork) -> Iterator[Job]:
        """Start a job, and close it at the end of the block."""
        job = Job(work, self._folder, self._stage_shares)
        with self._lock:
            self._jobs.setdefault(caller.session, []).append(job)
        try:
            yield job
        finally:
            job.close()
            with self._lock:
                self._jobs[caller.session].remove(job)
                if not self._jobs[caller.session]:
                    del self._jobs[caller.session]

    def _check_listener(self, caller: Caller, since: float) -> None:
        if self._listeners.silent_seconds((caller.session, caller.address), since) > self._max_silence:
            raise CancelledError

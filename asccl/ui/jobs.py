"""Edits and comparisons in threads of their own, so that a web request can follow their progress and stop them."""

from __future__ import annotations

import asyncio
import contextvars
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asccl.progress import Progress, overall_progress
from asccl.ui.background import lower_priority

POLL_INTERVAL = 0.4  # seconds between two progress messages of a running job
WARM_UP_SHARE = 0.02  # share of the work during which models are loaded; it says nothing about the speed
MIN_MEASURED_SHARE = 0.03  # of the work, before the remaining time is estimated
MIN_MEASURED_SECONDS = 1.0

JobWork = Callable[[Path, Progress], Any]  # (folder for its files, progress to report) -> result


@dataclass(frozen=True)
class JobProgress:
    """The progress of a job.

    Attributes:
        stage: name of the current stage, "start" before the first report, "wait" before a place is free.
        done: share of all the work in [0, 1]; never decreases.
        remaining: estimated seconds, None while unknown.
        position: how many other jobs start before, plus one; 0 once it has started.
    """

    stage: str
    done: float
    remaining: float | None
    position: int = 0


class Job:
    """Call `work(folder, progress)` in a thread, in a temporary folder that is deleted after `close`.

    Args:
        work: the function to call.
        parent: where the temporary folder is created; None takes the system's place.
        stage_shares: the stages in their order, each with its share of the work.
        clock: returns monotonic seconds.

    Attributes:
        folder: the temporary folder.
        result: what `work` returned, None before.
        error: what `work` raised, None before.
    """

    def __init__(
        self,
        work: JobWork,
        parent: Path | None,
        stage_shares: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._stage_shares, self._clock = stage_shares, clock
        self.folder = Path(tempfile.mkdtemp(prefix="asccl-run-", dir=parent))
        self.result: Any = None
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._finished = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._latest_report = ("start", 0.0)
        self._done = 0.0
        self._warmed_up: tuple[float, float] | None = None  # time and share at the first progress after the warm-up
        run = (
            contextvars.copy_context().run
        )  # the context of the request, which ZeroGPU reads for the quota of a visitor
        self._thread = threading.Thread(target=run, args=(self._run, work), name="asccl-run", daemon=True)
        self._thread.start()

    def _run(self, work: JobWork) -> None:
        lower_priority()
        try:
            self.result = work(self.folder, Progress(self._report, self._stop.is_set))
        except BaseException as error:  # the thread of the request raises it
            self.error = error
        finally:
            with self._lock:
                self._finished.set()
                if self._closed.is_set():
                    shutil.rmtree(self.folder, ignore_errors=True)

    def _report(self, stage: str, done: float) -> None:
        self._latest_report = (stage, done)

    def wait(self, seconds: float) -> bool:
        """Wait at most so long. Returns whether the work has ended, successfully or not."""
        return self._finished.wait(seconds)

    async def watch(self) -> AsyncIterator[JobProgress]:
        """Yield the progress until the work has ended. Raises the error of the work."""
        while not self._finished.is_set():
            yield self.progress()
            await asyncio.sleep(POLL_INTERVAL)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Ask the work to stop, and return at once. The folder is deleted when the work has ended."""
        with self._lock:
            self._stop.set()
            self._closed.set()
            if self._finished.is_set():
                shutil.rmtree(self.folder, ignore_errors=True)

    def progress(self) -> JobProgress:
        """Measure the current progress."""
        stage, stage_done = self._latest_report
        self._done = max(self._done, overall_progress(stage, stage_done, self._stage_shares))
        now = self._clock()
        if self._warmed_up is None and self._done > WARM_UP_SHARE:
            self._warmed_up = now, self._done
        start, start_share = self._warmed_up or (now, self._done)
        seconds, share = now - start, self._done - start_share
        is_measured = share > MIN_MEASURED_SHARE and seconds > MIN_MEASURED_SECONDS
        return JobProgress(stage, self._done, seconds * (1 - self._done) / share if is_measured else None)

"""One edit or comparison in its own thread, so that a web request can watch it and stop it."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from asccl.types import Progress

# What a whole edit spends on each stage, roughly: only the bar and the remaining time depend on it.
STAGES = {"open": 0.02, "track": 0.3, "fit": 0.03, "render": 0.65}
LOADING = 0.02  # share of the whole within which models are loaded


@dataclass(frozen=True)
class JobProgress:
    """stage: the engine's word. done: share of the whole edit in [0, 1]. remaining: seconds, None while unknown."""

    stage: str
    done: float
    remaining: float | None


class Job:
    """Calls `work(folder, progress)` in a thread; `folder` is its own and vanishes after `close`.

    stages: the share of the whole that each stage takes.
    `close` asks the work to stop and returns at once; the folder goes when the work has noticed.
    """

    def __init__(
        self,
        work: Callable[[Path, Progress], Any],
        parent: Path | None = None,
        stages: Mapping[str, float] = MappingProxyType(STAGES),
    ):
        self._stages = stages
        self.folder = Path(tempfile.mkdtemp(prefix="asccl-run-", dir=parent))
        self.result: Any = None
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._done = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._moved: tuple[float, float] | None = None  # when the first stage that counts was under way, and how far
        self._latest = ("start", 0.0)
        self._reached = 0.0
        self._thread = threading.Thread(target=self._body, args=(work,), name="asccl-run", daemon=True)
        self._thread.start()

    def _body(self, work: Callable[[Path, Progress], Any]) -> None:
        try:
            self.result = work(self.folder, Progress(self._report, self._stop.is_set))
        except BaseException as error:  # handed over to the request's own thread, which raises it
            self.error = error
        finally:
            with self._lock:
                self._done.set()
                if self._closed.is_set():
                    shutil.rmtree(self.folder, ignore_errors=True)

    def _report(self, stage: str, done: float) -> None:
        self._latest = (stage, done)

    def wait(self, seconds: float) -> bool:
        """True when the work has ended, well or badly."""
        return self._done.wait(seconds)

    def close(self) -> None:
        with self._lock:
            self._stop.set()
            self._closed.set()
            if self._done.is_set():
                shutil.rmtree(self.folder, ignore_errors=True)

    def standing(self) -> JobProgress:
        stage, done = self._latest
        self._reached = max(self._reached, overall(stage, done, self._stages))
        now = time.monotonic()
        if self._moved is None and self._reached > LOADING:  # what comes before takes its time once, on long videos too
            self._moved = now, self._reached
        begun, first = self._moved or (now, self._reached)
        gained = self._reached - first
        known = gained > 0.03 and now - begun > 1.0
        return JobProgress(stage, self._reached, (now - begun) * (1 - self._reached) / gained if known else None)


class JobRegistry:
    """Which running edit belongs to which open page: a closed page stops its own and no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[str, list[Job]] = {}

    def add(self, session: str, run: Job) -> None:
        with self._lock:
            self._of.setdefault(session, []).append(run)

    def remove(self, session: str, run: Job) -> None:
        """Closes the run, too."""
        run.close()
        with self._lock:
            left = [other for other in self._of.get(session, []) if other is not run]
            if left:
                self._of[session] = left
            else:
                self._of.pop(session, None)

    def stop(self, session: str) -> None:
        with self._lock:
            runs = list(self._of.get(session, []))
        for run in runs:
            run.close()


def overall(stage: str, done: float, stages: Mapping[str, float] = MappingProxyType(STAGES)) -> float:
    """Share of the whole work in [0, 1]; a stage that we do not know moves nothing."""
    if stage not in stages:
        return 0.0
    names = list(stages)
    return sum(stages[name] for name in names[: names.index(stage)]) + stages[stage] * done

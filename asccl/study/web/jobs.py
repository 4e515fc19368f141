"""Long work of the administrator: one job at a time in a thread, watched from a page."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from asccl.errors import AscclError

log = logging.getLogger("asccl.study")
KEPT = 20


@dataclass
class StudyJob:
    """line: what it does now. study: what it made. error: why it failed, for the administrator's eyes."""

    line: str = "Waiting"
    study: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def tell(self, line: str) -> None:
        self.line = line


class StudyJobs:
    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._of: dict[str, StudyJob] = {}

    def start(self, work: Callable[[StudyJob], tuple[str, list[str]]], after: Callable[[], None]) -> str:
        """work: returns the study and its warnings. after: cleans up, whatever happened. Returns the job's name."""
        name, job = secrets.token_urlsafe(8), StudyJob()
        self._of[name] = job
        for old in list(self._of)[:-KEPT]:
            if self._of[old].done.is_set():
                del self._of[old]

        def run() -> None:
            try:
                with self._turn:
                    job.study, job.warnings = work(job)
            except AscclError as error:
                job.error = str(error)
            except Exception:
                log.exception("a study could not be made")
                job.error = "the study could not be made: the server's log says why"
            finally:
                after()
                job.done.set()

        threading.Thread(target=run, name="asccl-study-job", daemon=True).start()
        return name

    def get(self, name: str) -> StudyJob | None:
        return self._of.get(name)

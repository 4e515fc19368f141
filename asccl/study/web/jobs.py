"""Background jobs of the administrator: one at a time in a thread, with a page that displays the progress."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from asccl.errors import AscclError

log = logging.getLogger("asccl.study")
MAX_JOBS = 20  # in memory; older ones are forgotten when they are done


@dataclass
class StudyJob:
    """The creation of one study.

    Attributes:
        progress: line that says what is being done.
        study_id: the new study; empty before the end.
        error: why the job failed; empty if it did not.
        warnings: what could reveal the methods to participants.
        done: set at the end.
    """

    progress: str = "Waiting"
    study_id: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def report(self, line: str) -> None:
        """Replace the line of progress."""
        self.progress = line


class StudyJobRegistry:
    """All jobs by name."""

    def __init__(self) -> None:
        self._running = threading.Lock()
        self._jobs: dict[str, StudyJob] = {}

    def start(self, work: Callable[[StudyJob], tuple[str, list[str]]], clean_up: Callable[[], None]) -> str:
        """Start a job and return its name.

        Args:
            work: creates the study; returns its id and warnings.
            clean_up: called at the end, also after errors.
        """
        name, job = secrets.token_urlsafe(8), StudyJob()
        self._jobs[name] = job
        for oldest in list(self._jobs)[:-MAX_JOBS]:
            if self._jobs[oldest].done.is_set():
                del self._jobs[oldest]
        arguments = (job, work, clean_up)
        threading.Thread(target=self._run, args=arguments, name="asccl-study-job", daemon=True).start()
        return name

    def _run(
        self, job: StudyJob, work: Callable[[StudyJob], tuple[str, list[str]]], clean_up: Callable[[], None]
    ) -> None:
        try:
            with self._running:
                job.study_id, job.warnings = work(job)
        except AscclError as error:
            job.error = str(error)
        except Exception:
            log.exception("a study could not be created")
            job.error = "the study could not be created: see the server's log for the reason"
        finally:
            clean_up()
            job.done.set()

    def get(self, name: str) -> StudyJob | None:
        """Return the job of this name, or None."""
        return self._jobs.get(name)

"""Run a job of an ablation with its output in a log."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from asccl.errors import AscclError


class AblationError(AscclError):
    """A training or a scoring of an ablation has failed."""


def run_logged(function: Callable[[], None], log: Path) -> float:
    """Run a job, and return its duration in seconds.

    Raises:
        AblationError: the job fails in any way; the log has the details.
    """
    start = monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        try:
            function()
        except Exception as error:
            traceback.print_exc(file=file)
            raise AblationError(f"{log.stem} failed ({error})", f"see {log}; the same command continues") from error
    return monotonic() - start

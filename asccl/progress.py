"""Progress of a long computation, and its cancellation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asccl.errors import CancelledError


class Progress:
    """Reports how far a computation is, and stops it when the user cancels.

    Args:
        report: called with the name of a stage and how much of it is done, in [0, 1].
        cancelled: returns whether the user has cancelled.
    """

    def __init__(
        self,
        report: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ):
        self._report = report
        self._cancelled = cancelled

    def __call__(self, stage: str, done: float) -> None:
        self.check()
        if self._report is not None:
            self._report(stage, min(max(done, 0.0), 1.0))

    def finish(self) -> None:
        """Report that the work is complete. It can no longer be cancelled."""
        if self._report is not None:
            self._report("done", 1.0)

    def check(self) -> None:
        """Raise CancelledError if the user has cancelled."""
        if self._cancelled is not None and self._cancelled():
            raise CancelledError


def overall_progress(stage: str, done: float, stage_shares: Mapping[str, float]) -> float:
    """Convert the progress of a stage to that of all the work.

    Args:
        stage: name of the stage; an unknown one has the progress 0.
        done: share of the stage in [0, 1].
        stage_shares: the stages in their order, each with its share of the work.

    Returns:
        Share of the work in [0, 1].
    """
    if stage not in stage_shares:
        return 0.0
    stages = list(stage_shares)
    return sum(stage_shares[name] for name in stages[: stages.index(stage)]) + stage_shares[stage] * done

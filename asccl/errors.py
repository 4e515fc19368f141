"""The errors that a user can cause or mend. Each carries its remedy and its exit status."""

from __future__ import annotations


class AscclError(Exception):
    """Base of all our errors.

    Args:
        problem: what is wrong, naming the file and, where known, the frame. No full stop at the end.
        remedy: what the user can do about it, as an order ("give a ...", "free some space ...").
    """

    exit_status = 1

    def __init__(self, problem: str, remedy: str):
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:  # to travel between processes
        return type(self), (self.problem, self.remedy)


class SettingError(AscclError):
    """A number or name outside its range; nothing was read yet."""

    exit_status = 2


class InputError(AscclError):
    """The input cannot be used."""

    exit_status = 3


class UnreadableError(InputError):
    """Not a video or picture that we can decode."""


class NoFaceError(InputError):
    """No face, or not the one that was asked for."""


class LimitError(InputError):
    """More pixels, frames or bytes than we accept."""


class OutputError(AscclError):
    """The result cannot be written."""


class StudyError(AscclError):
    """A study, its store or one of its links is not there or cannot be used."""


class WeightsError(AscclError):
    """A weight file is missing, damaged or of the wrong kind."""


class CancelledError(AscclError):
    """The user stopped the work; nothing was written."""

    def __init__(self) -> None:
        super().__init__("cancelled", "start again when you like")

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), ()

"""Errors that a user can cause or correct. Each carries its remedy and its exit status."""

from __future__ import annotations


class AscclError(Exception):
    """Base class of the errors of this package.

    Args:
        problem: what is wrong, naming the file and, where known, the frame. No full stop at the end.
        remedy: what the user can do about it, in the imperative ("give a ...", "free some space ...").
    """

    exit_status = 1

    def __init__(self, problem: str, remedy: str):
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:  # so that it can be pickled
        return type(self), (self.problem, self.remedy)


class SettingError(AscclError):
    """A setting is out of range or unknown; nothing has been read yet."""

    exit_status = 2


class InputError(AscclError):
    """The input cannot be used."""

    exit_status = 3


class UnreadableError(InputError):
    """The file is not a video or image that can be decoded."""


class NoFaceError(InputError):
    """There is no face, or not the requested one."""


class LimitError(InputError):
    """The input has more pixels, frames or bytes than are accepted."""


class OutputError(AscclError):
    """The result cannot be written."""


class StudyError(AscclError):
    """A study, its store or one of its links does not exist or cannot be used."""


class WeightsError(AscclError):
    """A weight file is missing, damaged or of the wrong kind."""


class PublishError(AscclError):
    """The Hub refuses an upload, or does not return what was uploaded."""


class ProvenanceError(AscclError):
    """A signature cannot be made or checked."""


class CancelledError(AscclError):
    """The user stopped the work; nothing was written."""

    def __init__(self) -> None:
        super().__init__("cancelled", "start again when you like")

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), ()


def first_line(error: Exception) -> str:
    """Return the first line of an error, or its type where it has no text."""
    return next(iter(str(error).splitlines()), type(error).__name__)

"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from asccl.errors import OutputError

if TYPE_CHECKING:
    from av.error import FFmpegError

NO_SPACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PERMISSION_ERRORS = (errno.EACCES, errno.EPERM, errno.EROFS)
_unfinished: set[Path] = set()  # temporary files of this process
MAX_NAME_BYTES = 255  # of a file name, on nearly all file systems
MAX_REPEATED_BYTES = 80  # of the final name that the temporary name repeats


def bundled_folder(name: str, package: Path = Path(__file__).parent) -> Path:
    """Return a folder that is delivered with the package, such as `checkpoints` or `examples`.

    It is inside an installed package and beside the package in a checkout.
    """
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def file_key(path: Path) -> tuple:
    """Identify a file in its present state: another key once it is replaced or changed."""
    try:
        stat = path.stat()
    except OSError:  # the reader of the file raises the better error
        return (str(path),)
    return (str(path.absolute()), stat.st_mtime_ns, stat.st_size)


def shorten_name(text: str, max_bytes: int) -> str:
    """Shorten the beginning of a file name to a number of bytes; no character is cut in two."""
    size = 0
    for position, character in enumerate(text):
        size += len(os.fsencode(character))
        if size > max_bytes:
            return text[:position]
    return text


def join_name(stem: str, ending: str) -> str:
    """Join the parts of a file name; the first is shortened where the name would be too long for a file system."""
    return shorten_name(stem, MAX_NAME_BYTES - len(os.fsencode(ending))) + ending


def open_temporary_file() -> IO[bytes]:
    """Open an unnamed temporary file, in memory where no folder can hold one (on Linux).

    Raises:
        OSError: there is no such folder.
    """
    try:
        return tempfile.TemporaryFile(prefix="asccl-")
    except OSError:
        if not hasattr(os, "memfd_create"):
            raise
        return os.fdopen(os.memfd_create("asccl"), "w+b")


@contextmanager
def temporary_file_errors() -> Iterator[None]:
    """Raise system errors of the block, which uses a temporary file, as OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"a temporary file cannot be written ({error.strerror})", "free some space, or set TMPDIR to another folder"
        ) from error


class AtomicFile:
    """A file that is written under a hidden temporary name and renamed when it is complete.

        with AtomicFile(path) as file:
            file.temporary_path.write_bytes(data)

    Leaving the block renames the temporary file to `path`, or removes it if the block raised an exception. System and
    FFmpeg errors of the block are raised as OutputError.

    Args:
        path: final name; an existing file is replaced.
        permissions: of the new file, before the umask.

    Attributes:
        temporary_path: an empty file in the folder of `path`; write to it.

    Raises:
        OutputError: the file cannot be created.
    """

    def __init__(self, path: Path, permissions: int = 0o666):
        self.path = path
        self.temporary_path = path.with_name(
            f".{shorten_name(path.name, MAX_REPEATED_BYTES)}.{secrets.token_hex(4)}.part"
        )
        with self.output_errors():
            if path.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            _unfinished.add(self.temporary_path)
            os.close(os.open(self.temporary_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions))

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self.output_errors():
                if isinstance(error, _write_error_types()):
                    raise error
                if error is None:
                    os.replace(self.temporary_path, self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the temporary file. It is harmless to call this again."""
        self.temporary_path.unlink(missing_ok=True)
        _unfinished.discard(self.temporary_path)

    @contextmanager
    def output_errors(self) -> Iterator[None]:
        """Raise system and FFmpeg errors of the block as OutputError."""
        try:
            yield
        except _write_error_types() as error:
            raise explain_write_error(self.path, error) from error


def discard_unfinished() -> None:
    """Remove the temporary files of all `AtomicFile`s of this process, which ends without leaving their blocks."""
    for path in list(_unfinished):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file that appears complete or not at all and survives a crash; create missing folders.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_write_error(path, error) from error
    with AtomicFile(path) as file, file.temporary_path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _write_error_types() -> tuple[Any, ...]:
    """Return the errors of writing: those of the system and, once PyAV has been imported, those of FFmpeg."""
    av = sys.modules.get("av")
    return (OSError,) if av is None else (OSError, av.error.FFmpegError)


def explain_write_error(path: Path, error: OSError | FFmpegError) -> OutputError:
    """The error of a file or folder that cannot be written, with its remedy."""
    name = path.name
    if error.errno in NO_SPACE_ERRORS:
        return OutputError(f"no space is left for {name}", "free some space or choose another disk")
    if error.errno in PERMISSION_ERRORS:
        return OutputError(f"{name} may not be written in {path.parent}", "choose another folder or name")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return OutputError(f"the folder {path.parent} does not exist", "create it, or choose another")
    if error.errno == errno.EISDIR:
        return OutputError(f"{name} is a folder", "choose another name")
    if error.errno == errno.ENAMETOOLONG:
        return OutputError(f"the name {shorten_name(name, 40)}... is too long", "give a shorter one with -o")
    return OutputError(f"{name} cannot be written ({error.strerror})", "choose another folder or disk")

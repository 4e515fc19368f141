"""Which file each edit of a call of `asccl edit` writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from asccl.errors import OutputError, SettingError
from asccl.types import EditRequest

if TYPE_CHECKING:  # the editor takes a second to import: not before the arguments have been checked
    from asccl.editing.editor import Editor

FOLDER_REMEDY = "give a folder after -o when there are several inputs"


@contextmanager
def resolve_output(output: str | None, has_several: bool) -> Iterator[tuple[Path | None, Path | None]]:
    """Create the folder that `-o` names where it is missing; remove it again if it stays empty.

    Args:
        output: value of `-o`.
        has_several: whether there are several inputs.

    Yields:
        The file, or the folder; both are None without `-o`.

    Raises:
        SettingError: several inputs would be written into one file.
        OutputError: the folder cannot be created.
    """
    if output is None:
        yield None, None
        return
    path = Path(output)
    if not (has_several or path.is_dir() or output.endswith(("/", os.sep))):
        yield path, None
        return
    if has_several and not path.exists() and _names_output_file(path):
        raise SettingError(f"{path.name} is the name of one file", FOLDER_REMEDY)
    created = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise SettingError(f"{path.name} is a file", FOLDER_REMEDY) from None
    except OSError as error:
        raise OutputError(f"the folder {path} cannot be created ({error.strerror})", "choose another") from None
    try:
        yield None, path
    finally:
        for folder in created:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _names_output_file(path: Path) -> bool:
    from asccl.video.stills import STILL_FORMATS
    from asccl.video.writer import VIDEO_FORMATS

    return path.suffix.lower() in (*VIDEO_FORMATS, *STILL_FORMATS)


def name_output(editor: Editor, request: EditRequest, folder: Path | None) -> Path:
    """Name the output of an edit: talk.mp4 -> talk-happy.mp4.

    Args:
        editor: reads the source, whose kind of file the output has.
        request: of the edit.
        folder: of the output; None for that of the source.

    Raises:
        UnreadableError, LimitError: the source cannot be read.
    """
    from asccl.video import default_output

    output = default_output(editor.probe(request.source), f"-{request.emotion or 'reference'}")
    return folder / output.name if folder else output


class OverwriteGuard:
    """Refuses outputs that would overwrite what the same call reads or writes.

    Args:
        requests: of the call.
        reports: files that it writes besides the outputs.

    Raises:
        SettingError: a report would overwrite an input.
    """

    def __init__(self, requests: list[EditRequest], reports: list[Path]):
        inputs = {path.resolve() for request in requests for path in (request.source, request.reference) if path}
        for report in reports:
            if report.resolve() in inputs:
                raise SettingError(f"{report.name} is read and cannot be the report as well", "choose another name")
        self._used = inputs | {report.resolve() for report in reports}

    def claim(self, request: EditRequest, output: Path) -> Path:
        """Return the output of an edit, from now on refused for others. Raises SettingError where it is taken."""
        path = output.resolve()
        if path in self._used and path != request.source.resolve():  # the editor itself refuses its own source
            raise SettingError(
                f"{request.source.name} would be written over {output.name}, which this call reads or writes as well",
                "choose another name or folder",
            )
        self._used.add(path)
        return output

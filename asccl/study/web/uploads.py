"""Files that an administrator uploads: stored under checked names, ZIPs unpacked so that nothing leaves the folder."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from asccl.errors import InputError, OutputError
from asccl.study.manifest import OTHER_MEDIA_SUFFIXES, STUDY_VIDEO_SUFFIXES

MANIFEST_SUFFIXES = (".csv", ".jsonl")
UNPACKED_SUFFIXES = STUDY_VIDEO_SUFFIXES | OTHER_MEDIA_SUFFIXES | {*MANIFEST_SUFFIXES, ".toml"}
MAX_ZIP_FILES = 20_000
MAX_UNPACKED_BYTES = 8 * 2**30
COPY_BYTES = 1 << 20  # read at a time


def unpack_zip(source: BinaryIO, folder: Path) -> Path:
    """Unpack a ZIP of clips. Return the manifest in it, or the folder of the items.

    Raises:
        InputError: the ZIP is damaged or too large, a path leads out of it or occurs twice, or it has two manifests.
        OutputError: a file cannot be written.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and _is_unpacked(entry.filename)]
            if len(entries) > MAX_ZIP_FILES or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
                raise InputError("the ZIP is too large", "send fewer or shorter clips")
            for entry in entries:
                _extract(archive, entry, folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):  # or a password
        raise InputError("the upload is not a readable ZIP", "make it again, without a password") from None
    return _find_items(folder)


def save_folder(files: Sequence[tuple[BinaryIO, str]], folder: Path) -> Path:
    """Save the files of a folder that a browser sent. Return the manifest in it, or the folder of the items.

    Args:
        files: content and path of each file as the browser sent it, unchecked.
        folder: where to save them; must exist.

    Raises:
        InputError: a path leads out of the folder or occurs twice, or there are several manifests.
        OutputError: a file cannot be written.
    """
    for source, path in files:
        name = path.replace("\\", "/")
        if not _is_unpacked(name):
            continue
        target = (folder / name).resolve()
        if "\0" in name or not target.is_relative_to(folder.resolve()):
            raise InputError(f"{name[:60]!r} is not a file of the folder", "choose the folder again")
        with _create_file(target, name) as output:
            shutil.copyfileobj(source, output)
    return _find_items(folder)


def save_upload(source: BinaryIO, name: str, folder: Path) -> Path:
    """Save one uploaded video under the last part of its name.

    Args:
        source: the content.
        name: file name as the browser sent it, unchecked.
        folder: where to save it; created if missing.

    Returns:
        The saved file.

    Raises:
        InputError: the name is not that of a video, or another upload has it.
        OutputError: the file cannot be written.
    """
    file_name = PurePosixPath(name.replace("\\", "/")).name
    is_video = Path(file_name).suffix.lower() in STUDY_VIDEO_SUFFIXES
    if not is_video or file_name.startswith(".") or "\0" in file_name:
        raise InputError(f"{file_name[:60]!r} is not a video", "choose videos")
    with _create_file(folder / file_name, file_name) as file:
        shutil.copyfileobj(source, file)
    return folder / file_name


def _find_items(folder: Path) -> Path:
    manifests = sorted(path for path in folder.rglob("*") if path.suffix in MANIFEST_SUFFIXES)
    if len(manifests) > 1:
        raise InputError("the upload has several manifests", "leave one .csv or .jsonl in it")
    return manifests[0] if manifests else _items_folder(folder)


def _is_unpacked(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not hidden and Path(name).suffix.lower() in UNPACKED_SUFFIXES


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    name = entry.filename.replace("\\", "/")
    target = (folder / name).resolve()
    if stat.S_ISLNK(entry.external_attr >> 16) or "\0" in name or not target.is_relative_to(folder.resolve()):
        raise InputError(f"{name[:60]!r} leads out of the ZIP", "make it again from the folder of the clips")
    remaining = entry.file_size
    with archive.open(entry) as file, _create_file(target, name) as output:
        while part := file.read(COPY_BYTES):
            remaining -= len(part)
            if remaining < 0:
                raise InputError("a file in the ZIP is longer than declared", "make the ZIP again")
            output.write(part)


@contextmanager
def _create_file(target: Path, name: str) -> Iterator[BinaryIO]:
    """Open a new file, with the folders above it, for writing; `name` is the one that the browser sent."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            yield file
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError(f"{name[:60]!r} occurs twice", "give every file its own name") from None
    except OSError as error:
        raise OutputError(f"{name[:60]!r} cannot be stored ({error.strerror})", "free space on the server") from None


def _items_folder(folder: Path) -> Path:
    """Descend as long as there is only one folder and no video beside or in it."""
    entries = [path for path in folder.iterdir() if path.suffix != ".toml"]
    only_folder = entries[0] if len(entries) == 1 and entries[0].is_dir() else None
    if only_folder is None or any(path.suffix.lower() in STUDY_VIDEO_SUFFIXES for path in only_folder.iterdir()):
        return folder
    return _items_folder(only_folder)

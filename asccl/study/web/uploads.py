"""Files that an administrator sends: written under names of ours, a ZIP unpacked so that nothing leaves its folder."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from asccl.errors import InputError
from asccl.study.manifest import VIDEOS

KINDS = VIDEOS | {".csv", ".jsonl", ".toml"}
MOST_FILES = 20_000
MOST_BYTES = 8 * 2**30  # unpacked


def unpack(source: BinaryIO, folder: Path) -> Path:
    """Unpacks a ZIP of clips. Returns the manifest in it, or the folder. Raises InputError."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and _wanted(entry)]
            if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise InputError("the ZIP holds too much", "send fewer or shorter clips")
            for entry in entries:
                _extract(archive, entry, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):  # broken, odd method, password
        raise InputError("the upload is not a ZIP that can be read", "make it again, without a password") from None
    manifests = sorted(path for path in folder.rglob("*") if path.suffix in (".csv", ".jsonl"))
    if len(manifests) > 1:
        raise InputError("the ZIP holds several manifests", "leave one .csv or .jsonl in it")
    return manifests[0] if manifests else _root(folder)


def keep(source: BinaryIO, name: str, folder: Path) -> Path:
    """One uploaded file under the last part of its own name. Raises InputError."""
    plain = PurePosixPath(name.replace("\\", "/")).name
    if not plain or plain.startswith(".") or Path(plain).suffix.lower() not in VIDEOS or "\0" in plain:
        raise InputError(f"{plain[:60]!r} is not a video", "choose videos")
    folder.mkdir(exist_ok=True)
    with (folder / plain).open("xb") as file:
        shutil.copyfileobj(source, file)
    return folder / plain


def _wanted(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not hidden and Path(entry.filename).suffix.lower() in KINDS


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    name = entry.filename.replace("\\", "/")
    target = (folder / name).resolve()
    if stat.S_ISLNK(entry.external_attr >> 16) or "\0" in name or not target.is_relative_to(folder.resolve()):
        raise InputError(f"{name[:60]!r} leads out of the ZIP", "make it again from the folder of the clips")
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as file, target.open("xb") as out:
        while part := file.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise InputError("the ZIP says less than it holds", "make it again")
            out.write(part)


def _root(folder: Path) -> Path:
    """The folder itself, or the only one in it as long as there is but one and no video beside it."""
    inside = [path for path in folder.iterdir() if path.suffix != ".toml"]
    only = inside[0] if len(inside) == 1 and inside[0].is_dir() else None
    if only is None or any(path.suffix.lower() in VIDEOS for path in only.iterdir()):
        return folder
    return _root(only)

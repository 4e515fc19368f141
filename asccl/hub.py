"""Locate files of weights: in a local folder, then in the cache of the Hugging Face Hub, then on the Hub.

Local folders are `ASCCL_CHECKPOINTS`, when set, and the bundled `checkpoints/`. `ASCCL_HUB_REPO` ("owner/name" or
"owner/name@revision") replaces every repository of the table by one that has the files by their names; the sha256 is
still checked. `HF_HUB_OFFLINE=1` prevents any use of the network. `python -m asccl publish weights` uploads the files
and names their repositories in the table.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from asccl.errors import WeightsError, first_line
from asccl.files import bundled_folder

REPOSITORY_FILE = "model.safetensors"  # default file of a repository
# owner/name, optionally @revision, optionally :file
REPOSITORY = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(:(?P<file>[^:\\]+))?")
BUNDLED_FOLDER = bundled_folder("checkpoints")


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights.

    Attributes:
        name: name in `WEIGHTS`.
        file: file name.
        sha256: of the file, in hex.
        licence: licence of the weights.
        size: bytes.
        recipe: the command that makes the file.
        repo: Hub repository, "owner/name"; None while it is not published.
        revision: pinned commit of the repository.
    """

    name: str
    file: str
    sha256: str
    licence: str
    size: int
    recipe: str
    repo: str | None = None
    revision: str | None = None


_TABLE = (
    WeightsFile(
        name="mobilefacenet-arcface",
        file="mobilefacenet-arcface.safetensors",
        sha256="fcce381ef8e2f39a41bc7864b30847b06c28be2bbf934ccb32d847c327b0715d",
        licence="MIT",
        size=4134360,
        recipe="python -m training.assets.convert_mobilefacenet",
    ),
    WeightsFile(
        name="expression-faceapi",
        file="expression-faceapi.safetensors",
        sha256="bab1d990f9aa59c5f16168d37dc9060060eb5793d305eff54a08a55dc6122167",
        licence="MIT",
        size=1299596,
        recipe="python -m training.assets.convert_expression_net",
    ),
    WeightsFile(
        name="expression-mini",
        file="expression-mini.safetensors",
        sha256="8badd4f5fa2b0e95bc331125e7c1fae0c9c733736c301a6b0466bb12e707c6e2",
        licence="MIT",
        size=822676,
        recipe="python -m training.assets.convert_mini_xception",
    ),
    WeightsFile(
        name="scc-mobilefacenet",
        file="scc-mobilefacenet.safetensors",
        sha256="f5572405b4dd9bb795d28d95bdbaf31eed772449ee81714996c6772b24789022",
        licence="MIT (backbone), Apache-2.0 (heads)",
        size=4343520,
        recipe="python -m training.train_metric --preset cpu",
    ),
    WeightsFile(
        name="head-anny",
        file="head-anny.safetensors",
        sha256="c813e186f3f286f469d192d01deb7198b7912b71b67e68bb12130c59cd0a9342",
        licence="Apache-2.0 (code), CC0-1.0 (data)",
        size=3740052,
        recipe="python -m training.assets.bake_head",
    ),
    WeightsFile(
        name="ned-manipulator",
        file="ned-manipulator.safetensors",
        sha256="bba487245a6d3cc89fc0bca159029f98ba49618236b01b26d6b412fda80194f5",
        licence="Apache-2.0",
        size=1200700,
        recipe="python -m training.train_manipulator --preset cpu",
    ),
    WeightsFile(
        name="icface-synthetic-128",
        file="icface-synthetic-128.safetensors",
        sha256="9671c3bc9baa4ecc28d3626ae015a6f18a08b68abe2fc75c981023237eb35ccb",
        licence="Apache-2.0",
        size=2179848,
        recipe="python -m training.train_icface --preset gpu",
    ),
)
WEIGHTS: Mapping[str, WeightsFile] = MappingProxyType({entry.name: entry for entry in _TABLE})


def locate(name: str) -> Path:
    """Return the path of the weights of this name after checking their sha256; download them if necessary.

    Raises WeightsError: unknown name, missing file, another file of that name, or Hub unreachable.
    """
    if name not in WEIGHTS:
        raise WeightsError(f"there are no weights {name!r}", f"choose one of {', '.join(WEIGHTS)}")
    entry = WEIGHTS[name]
    for folder in local_folders():
        path = folder / entry.file
        if path.is_file():
            _check(entry, path, f"restore it, or make it again with `{entry.recipe}`")
            return path
    path = _from_hub(entry)
    _check(entry, path, "delete it and try again; if that does not help, the repository has another version")
    return path


def resolve(source: str | Path, *, sha256: str | None = None, download: Mapping[str, Any] | None = None) -> Path:
    """Return the path of weights that a user names.

    A file from the Hub is checked against the sha256 that the Hub states.

    Args:
        source: a name of `WEIGHTS` ("scc-mobilefacenet"), an existing path ("folder/mine.safetensors"), or a Hub
            repository: "owner/name", "owner/name:file" or "owner/name@revision:file". A revision is a commit (best), a
            tag or a branch; the default file is `REPOSITORY_FILE`.
        sha256: expected sha256 of the file, in hex.
        download: further arguments of `huggingface_hub.hf_hub_download`, for a Hub repository.

    Returns:
        The path, after a download if necessary.

    Raises:
        WeightsError: no such file, another sha256, or Hub unreachable.
    """
    path = Path(source).expanduser()
    if isinstance(source, str) and source in WEIGHTS:
        path = locate(source)
    elif not path.exists():
        path = _from_repository(source, download or {})
    if not path.is_file():
        raise WeightsError(f"{path} is a folder", "give the file in it")
    if sha256 is not None:
        _compare(path, sha256, "the requested file", "give the file with this sha256")
    return path


def _from_repository(source: str | Path, options: Mapping[str, Any]) -> Path:
    """Return a file of the Hub repository that `source` names. Raises WeightsError, also where it names none."""
    match = _parse_repository(source) if isinstance(source, str) else None
    if match is None:
        path = Path(source)
        if isinstance(source, Path) or path.suffix or path.name != source:
            raise WeightsError(f"there is no file {source}", "correct the path, or give a name or a Hub repository")
        raise WeightsError(f"there are no weights {source!r}", f"choose one of {', '.join(WEIGHTS)}, or give a file")
    repo, file = match["repo"], match["file"] or REPOSITORY_FILE
    remedy = "correct the repository's name, or name its file: owner/name:file"
    path = _download(repo, match["revision"], file, remedy, options)
    stated = path.resolve().name  # the cache names a large file after the sha256 that the Hub states
    if re.fullmatch("[0-9a-f]{64}", stated):
        _compare(path, stated, f"{file} of {repo}", "delete it and try again")
    return path


def is_repository(source: str) -> bool:
    """Whether a text has the form of a Hub repository, and not that of a path."""
    return _parse_repository(source) is not None


def _parse_repository(source: str) -> re.Match[str] | None:
    match = REPOSITORY.fullmatch(source)
    if match is None or source.startswith("."):
        return None
    is_path = match["file"] is None and source.endswith((".safetensors", ".pth", ".pt", ".onnx"))
    return None if is_path else match


def local_folders() -> list[Path]:
    """Return the folders that `locate` searches before the Hub, in this order."""
    user_folder = os.environ.get("ASCCL_CHECKPOINTS")
    return [Path(user_folder).expanduser(), BUNDLED_FOLDER] if user_folder else [BUNDLED_FOLDER]


def sha256(path: Path) -> str:
    """Return the sha256 of a file, in hex; an unchanged file is read once in a process."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _sha256(path: Path, _modified: int, _size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _check(entry: WeightsFile, path: Path, remedy: str) -> None:
    size = path.stat().st_size
    if size != entry.size:
        raise WeightsError(f"{path} has {size} bytes, but {entry.name} has {entry.size}", remedy)
    _compare(path, entry.sha256, entry.name, remedy)


def _compare(path: Path, expected: str, what: str, remedy: str) -> None:
    actual = sha256(path)
    if actual != expected.lower():
        raise WeightsError(f"{path} has sha256 {actual[:16]}..., but {what} has {expected[:16]}...", remedy)


def _from_hub(entry: WeightsFile) -> Path:
    repo, _, revision = os.environ.get("ASCCL_HUB_REPO", "").partition("@")
    if not repo:
        if entry.repo is None:
            folders = " and ".join(map(str, local_folders()))
            raise WeightsError(
                f"{entry.file} is not in {folders}, and it is not published on the Hub yet",
                f"take it from the project's checkpoints folder, or make it with `{entry.recipe}`",
            )
        return _download(entry.repo, entry.revision, REPOSITORY_FILE, "update this program")
    return _download(repo, revision or None, entry.file, "correct ASCCL_HUB_REPO or unset it")


def _download(
    repo: str, revision: str | None, file: str, remedy: str, options: Mapping[str, Any] = MappingProxyType({})
) -> Path:
    """Return a file in the cache of the Hub, after a download with a progress bar if necessary. Raises WeightsError."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError, LocalEntryNotFoundError

    file_name = f"{file} of {repo}" + (f" at {revision}" if revision else "")
    try:
        return Path(hf_hub_download(repo, file, **{"revision": revision, **options}))
    except LocalEntryNotFoundError as error:  # not in the cache, and offline
        raise WeightsError(
            f"{file_name} is not on this machine and the Hub cannot be reached",
            f"connect, unset HF_HUB_OFFLINE, or put the file into {local_folders()[0]}",
        ) from error
    except EntryNotFoundError as error:
        raise WeightsError(f"there is no {file_name}", remedy) from error
    except HfHubHTTPError as error:  # no such repository or revision, no permission, server trouble
        raise WeightsError(
            f"the Hub refuses {file_name} ({first_line(error)})", f"{remedy}, log in, or try later"
        ) from error
    except (HTTPError, OSError, ValueError) as error:  # interrupted, disk full, or not the name of a repository
        raise WeightsError(f"{file_name} could not be downloaded ({first_line(error)})", "try again") from error

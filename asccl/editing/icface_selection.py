"""Select the file of ICface's networks, which fits any person.

It is the requested one, else one from the folders of renderers, else the small bundled one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from asccl import hub, tensor_files, zoo
from asccl.editing.renderer_selection import RENDERERS_FOLDER, renderer_files
from asccl.errors import InputError, WeightsError
from asccl.nets.icface_settings import ICFACE_KIND
from asccl.renderers.icface.checkpoint import check_icface_file

if TYPE_CHECKING:
    from asccl.nets.icface import Icface

BUNDLED = "icface-synthetic-128"  # of `hub.WEIGHTS`
BUNDLED_REASON = (
    f"the folder {RENDERERS_FOLDER} has none; these small networks were trained on synthetic speakers at 128 pixels, "
    "they are not those of the paper"
)
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
        requested: the file; None takes the first in the folders of renderers, in the order of their names, or the
            bundled file where they have none.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    if requested is not None:
        check_icface(requested)
        return _selection(requested, "it was requested")
    files = [path for path in renderer_files() if _kind(path) == ICFACE_KIND]
    if not files:
        return _selection(_locate_bundled(), BUNDLED_REASON)
    check_icface(files[0])
    reason = "it is the only one" if len(files) == 1 else f"it is the first of {len(files)} by name"
    return _selection(files[0], f"{reason} in the folder {RENDERERS_FOLDER}")


def check_icface(file: Path) -> None:
    """Raise InputError unless this is a file of ICface's networks whose metadata fit its tensors."""
    if not file.is_file():
        raise InputError(f"there is no file {file}", REMEDY)
    try:
        check_icface_file(file)
    except WeightsError as error:
        raise InputError(error.problem, REMEDY) from error


def load_selected(file: Path, device: str) -> Icface:
    """Load the selected networks. Raises InputError where their tensors cannot be used, SettingError for the device."""
    try:
        return zoo.load_icface(file, device)
    except WeightsError as error:
        raise InputError(error.problem, REMEDY) from error


def _locate_bundled() -> Path:
    try:
        return hub.locate(BUNDLED)
    except WeightsError as error:
        raise InputError(
            f"the generator icface needs its networks, and the folder {RENDERERS_FOLDER} beside the weights has none",
            f"{REMEDY} by --renderer, or put it there",
        ) from error


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
        return tensor_files.read_metadata(path).get("kind")
    except WeightsError:  # it cannot be a file of these networks
        return None

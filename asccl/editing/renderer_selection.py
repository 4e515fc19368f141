"""Select the neural renderer trained on the person in a clip, if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asccl import hub, tensor_files
from asccl.editing.strength import FaceSample
from asccl.errors import InputError, WeightsError
from asccl.face.crop import arcface_crop
from asccl.face.tracker import EmbedFunction
from asccl.nets import icface_settings
from asccl.renderers.neural.checkpoint import CONDITIONS_VERSION, DISCRIMINATOR_KIND, RENDERER_KIND, RendererMetadata

MIN_PERSON_COSINE = 0.5  # of the embeddings of two clips from which they show one person (checkpoints/README.md)
RENDERERS_FOLDER = "renderers"  # in each folder of weights
# kinds of files that may lie in it beside the renderers of people
OTHER_KINDS = (DISCRIMINATOR_KIND, icface_settings.ICFACE_KIND, icface_settings.DISCRIMINATOR_KIND)
REMEDY = "give a file of training/train_renderer.py"


class RendererSelection(NamedTuple):
    """Which renderer renders a clip.

    Attributes:
        renderer: file of the neural renderer; None where frames are warped.
        report: the choice and its reason, JSON-able.
    """

    renderer: Path | None
    report: dict[str, Any]


def read_renderer_metadata(path: Path) -> RendererMetadata:
    """Read and check the metadata of a renderer's file. Raises InputError where it cannot be used."""
    if not path.is_file():
        raise InputError(f"there is no renderer {path}", REMEDY)
    try:
        metadata = tensor_files.read_metadata(path)
    except WeightsError as error:
        raise InputError(error.problem, REMEDY) from error
    kind, conditions = metadata.get("kind"), metadata.get("conditions")
    if kind != RENDERER_KIND:
        raise InputError(f"{path} is not a renderer but {kind or 'of unknown kind'}", REMEDY)
    if conditions == "flame":
        raise InputError(
            f"{path} needs condition images of FLAME's head, which is not part of this project",
            "train one on the open head with training/train_renderer.py (docs/ned.md)",
        )
    if conditions != CONDITIONS_VERSION:
        raise InputError(f"{path} needs condition images {conditions}, not {CONDITIONS_VERSION}", "train it again")
    try:
        return RendererMetadata.from_metadata(metadata)
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} does not describe its person and sizes ({error})", "train it again") from error


def select_renderer(embedding: np.ndarray | None, requested: Path | None = None) -> RendererSelection:
    """Select the renderer for a person: the requested one, else the most similar of those in the folders of weights.

    Args:
        embedding: of the person, see `mean_embedding`; None where no frame shows the person clearly.
        requested: file of a renderer.

    Returns:
        The selection; without a renderer where none was trained on this person.

    Raises:
        InputError: the requested file cannot be used, or was trained on another person.
    """
    if requested is not None:
        return _check_requested(embedding, requested)
    if embedding is None:
        return RendererSelection(None, _warp("no frame shows the face clearly enough to identify the person"))
    files = [path for path in renderer_files() if not _is_another_kind(path)]
    if not files:
        reason = f"there is no renderer in the folder {RENDERERS_FOLDER} beside the weights"
        return RendererSelection(None, _warp(reason))
    cosines, skipped = {}, []
    for path in files:
        try:
            cosines[path] = read_renderer_metadata(path).identity_cosine(embedding)
        except InputError as error:
            skipped.append(str(error).replace(str(path), path.name))  # reports must not contain local folders
    best = max(cosines, key=cosines.__getitem__, default=None)
    cosine = None if best is None else cosines[best]
    if best is not None and cosine is not None and cosine >= MIN_PERSON_COSINE:
        report = _report("neural", best, cosine, "it was trained on this person")
    else:
        best, report = None, _warp(f"none of {len(files)} renderers was trained on this person", cosine)
    return RendererSelection(best, {**report, "skipped": skipped, "passed_over": skipped})


def renderer_files() -> list[Path]:
    """All files in the folders of renderers."""
    folders = [folder / RENDERERS_FOLDER for folder in hub.local_folders()]
    return [path for folder in folders for path in sorted(folder.glob("*.safetensors"))]


def mean_embedding(samples: Sequence[FaceSample], embed: EmbedFunction) -> np.ndarray | None:
    """Mean face embedding of some frames, (192,); None without frames."""
    if not samples:
        return None
    return embed(np.stack([arcface_crop(s.image, s.landmarks) for s in samples])).mean(0)


def _warp(reason: str, cosine: float | None = None) -> dict[str, Any]:
    return _report("warp", None, cosine, reason)


def _report(name: str, file: Path | None, cosine: float | None, reason: str, searched: bool = True) -> dict[str, Any]:
    """The block `renderer` of a report; `sought` and `why` are the old names of `searched` and `reason`."""
    return {
        "name": name,
        "searched": searched,
        "file": None if file is None else file.name,
        "sha256": None if file is None else hub.sha256(file),
        "similarity": None if cosine is None else round(cosine, 4),
        "reason": reason,
        "sought": searched,
        "why": reason,
    }


WARP_SELECTION = RendererSelection(None, _report("warp", None, None, "the generator has no other", searched=False))


def _check_requested(embedding: np.ndarray | None, file: Path) -> RendererSelection:
    metadata = read_renderer_metadata(file)
    if embedding is None:
        raise InputError(
            f"no frame shows clearly whether {file.name} was trained on this person",
            "give a video that shows the face clearly, or leave the renderer out",
        )
    cosine = metadata.identity_cosine(embedding)
    if cosine < MIN_PERSON_COSINE:
        raise InputError(
            f"{file.name} was trained on another person "
            f"(identity cosine {cosine:.2f}, at least {MIN_PERSON_COSINE} is required)",
            "give the renderer of this person, or leave it out",
        )
    return RendererSelection(file, _report("neural", file, cosine, "it was requested, and was trained on this person"))


def _is_another_kind(path: Path) -> bool:
    try:
        return tensor_files.read_metadata(path).get("kind") in OTHER_KINDS
    except WeightsError:  # `read_renderer_metadata` raises the better error
        return False

"""Who plays whom: the neural renderer that was taught the person of a clip, where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asccl import hub
from asccl.editing.strength import FaceSample
from asccl.errors import InputError, WeightsError
from asccl.face.crop import arcface_crop
from asccl.face.tracker import EmbedFunction
from asccl.renderers.neural.checkpoint import CONDITIONS_VERSION, DISCRIMINATOR_KIND, RENDERER_KIND, RendererMetadata

MIN_IDENTITY_COSINE = 0.5  # cosine of the embeddings from which on two clips show one person (checkpoints/README.md)
FOLDER = "renderers"  # in the folders where weights are looked for
REMEDY = "give a file of training/train_renderer.py"


WARP_SELECTION: dict[str, Any] = {
    "name": "warp", "sought": False, "file": None, "sha256": None, "similarity": None,
    "why": "the generator has no other",
}  # fmt: skip


class RendererSelection(NamedTuple):
    """renderer: the file that serves, None where the frame is warped. report: JSON-able, which renderer and why."""

    renderer: Path | None
    report: dict[str, Any]


def read_metadata(path: Path) -> RendererMetadata:
    """What a renderer's file says about itself. Raises InputError: missing, no safetensors file, of another kind."""
    if not path.is_file():
        raise InputError(f"there is no renderer {path}", REMEDY)
    try:
        told = hub.read_metadata(path)
    except WeightsError as error:
        raise InputError(error.problem, REMEDY) from error
    if told.get("kind") != RENDERER_KIND:
        raise InputError(f"{path} is no renderer but {told.get('kind') or 'of no kind'}", REMEDY)
    if told.get("conditions") == "flame":
        raise InputError(
            f"{path} draws from images of FLAME's head, which is not part of this project",
            "train one on the open head with training/train_renderer.py (docs/ned.md)",
        )
    if told.get("conditions") != CONDITIONS_VERSION:
        raise InputError(
            f"{path} draws from conditions {told.get('conditions')}, not {CONDITIONS_VERSION}", "train it anew"
        )
    try:
        return RendererMetadata.from_metadata(told)
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} does not say whom it draws and how large ({error})", "train it anew") from error


def select_renderer(person: np.ndarray | None, given: Path | None = None) -> RendererSelection:
    """The renderer for a person, an embedding as `mean_embedding` gives it: the given file, else the likest that fits of
    those in the folders. None: no frame shows the person plainly.

    Raises InputError where the given file cannot be used or was taught somebody else.
    """
    if given is not None:
        return _given(person, given)
    if person is None:
        return RendererSelection(None, _warped("no frame shows the face plainly enough to tell who it is"))
    files = [path for path in renderer_files() if not _is_critic(path)]
    if not files:
        return RendererSelection(None, _warped(f"there is no renderer in the folder {FOLDER} beside the weights"))
    likest: tuple[float, Path | None] = (-1.0, None)
    passed = []
    for path in files:
        try:
            likest = max(likest, (read_metadata(path).identity_cosine(person), path), key=lambda pair: pair[0])
        except InputError as error:
            passed.append(str(error).replace(str(path), path.name))  # a report goes out into the world
    similarity, found = likest
    if found is not None and similarity >= MIN_IDENTITY_COSINE:
        return RendererSelection(
            found, {**_served(found, similarity, "it was taught this person"), "passed_over": passed}
        )
    why = f"of {len(files)} renderers none was taught this person"
    told = _warped(why, None if found is None else similarity)
    return RendererSelection(None, {**told, "passed_over": passed})


def renderer_files() -> list[Path]:
    """The files in the folders that may be renderers."""
    return [path for folder in _folders() for path in sorted(folder.glob("*.safetensors"))]


def mean_embedding(samples: Sequence[FaceSample], embed: EmbedFunction) -> np.ndarray | None:
    """(192,) mean embedding of some frames; None where there are none."""
    if not samples:
        return None
    return embed(np.stack([arcface_crop(s.image, s.landmarks) for s in samples])).mean(0)


def _given(person: np.ndarray | None, given: Path) -> RendererSelection:
    card = read_metadata(given)
    if person is None:
        raise InputError(
            f"no frame shows plainly whether {given.name} was taught this person",
            "give a video that shows the face plainly, or leave the renderer out",
        )
    similarity = card.identity_cosine(person)
    if similarity < MIN_IDENTITY_COSINE:
        raise InputError(
            f"{given.name} was taught another person (likeness {similarity:.2f}, {MIN_IDENTITY_COSINE} is asked for)",
            "give the renderer of this person, or leave it out",
        )
    return RendererSelection(given, _served(given, similarity, "it was given, and was taught this person"))


def _served(path: Path, similarity: float, why: str) -> dict[str, Any]:
    return {
        "name": "neural", "sought": True, "file": path.name, "sha256": hub.sha256(path),
        "similarity": round(similarity, 4), "why": why,
    }  # fmt: skip


def _warped(why: str, similarity: float | None = None) -> dict[str, Any]:
    return {
        **WARP_SELECTION,
        "sought": True,
        "similarity": None if similarity is None else round(similarity, 4),
        "why": why,
    }


def _is_critic(path: Path) -> bool:
    try:
        return hub.read_metadata(path).get("kind") == DISCRIMINATOR_KIND
    except WeightsError:  # `read_metadata` says it better
        return False


def _folders() -> list[Path]:
    return [folder / FOLDER for folder in hub.local_folders()]

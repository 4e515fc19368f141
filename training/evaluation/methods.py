"""The methods that `training.tables` edits with, and the edit of one clip."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from asccl.editing.editor import Editor
from asccl.editing.threads import limit_threads
from asccl.errors import AscclError, WeightsError
from asccl.evaluation.face_stream import FaceStream, FaceStreams, parse_stream_name
from asccl.evaluation.manifest import EvaluationRow
from asccl.types import EditRequest, Frame, MediaInfo
from asccl.video import EncodeSettings, Writer

PANEL_CRF = 8.0  # of a panel that is cut out of a file; visually lossless


@dataclass(frozen=True)
class EditMethod:
    """A way to edit the clips of a manifest.

    Attributes:
        name: in the tables.
        generator: of the `EditRequest`.
        target: whether the reference of a clip or the name of its emotion directs the edit.
        files: field of the `EditRequest` -> file below the folder of weights; {speaker} is the person in the source.
    """

    name: str
    generator: str
    target: Literal["reference", "emotion"] = "reference"
    files: Mapping[str, str] = field(default_factory=dict)


NED_RENDERER = {"renderer": "ned/{speaker}.safetensors"}
ASCCL_NETWORKS = {"manipulator": "ned+asccl/manipulator.safetensors", "renderer": "ned+asccl/{speaker}.safetensors"}
_TABLE = (
    EditMethod("warp", "warp"),
    EditMethod("warp-preset", "warp", "emotion"),
    EditMethod("ned-warp", "ned"),
    EditMethod("ned", "ned", files=NED_RENDERER),
    EditMethod("ned+asccl", "ned", files=ASCCL_NETWORKS),
    EditMethod("icface", "icface", files={"renderer": "icface/icface.safetensors"}),
    EditMethod("icface+asccl", "icface", files={"renderer": "icface+asccl/icface.safetensors"}),
)
METHODS: Mapping[str, EditMethod] = MappingProxyType({method.name: method for method in _TABLE})


class EditJob(NamedTuple):
    """One edit.

    Attributes:
        row: clip of a manifest.
        method: a key of `METHODS`.
        output: the file to write.
        weights: folder of the files that methods need.
        device: that a neural renderer runs on.
    """

    row: EvaluationRow
    method: str
    output: Path
    weights: Path
    device: str


def method_files(method: EditMethod, weights: Path, speaker: str) -> dict[str, Any]:
    """Return the files of a method for a speaker.

    Args:
        method: that needs them.
        weights: folder of files.
        speaker: person in the source.

    Raises:
        WeightsError: a file is missing.
    """
    files = {name: weights / file.format(speaker=speaker) for name, file in method.files.items()}
    missing = [path for path in files.values() if not path.is_file()]
    if missing:
        raise WeightsError(f"{method.name} lacks {missing[0]}", "train it (docs/training.md), or leave the method out")
    return files


def edit_clip(job: EditJob) -> Path:
    """Edit one clip, unless it has been edited before.

    Returns:
        The edited video.

    Raises:
        WeightsError: files of the method are missing.
        InputError: the clip cannot be edited.
        OutputError: the result cannot be written.
    """
    if job.output.exists():
        return job.output
    method = METHODS[job.method]
    files = method_files(method, job.weights, job.row.speaker)
    reference = job.row.reference if method.target == "reference" else None
    if method.target == "reference" and reference is None:
        raise AscclError(f"{job.row.id} has no reference", "give one, or a method that is directed by emotions")
    job.output.parent.mkdir(parents=True, exist_ok=True)
    panels = job.output.parent / "panels"
    request = EditRequest(
        source=as_file(job.row.source, panels / f"{job.output.stem}-source.mp4"),
        output=job.output,
        emotion=None if reference else job.row.emotion,
        reference=as_file(reference, panels / f"{job.output.stem}-reference.mp4") if reference else None,
        generator=method.generator,
        **files,
    )
    return _editor(job.device).edit(request).output


def as_file(name: str, target: Path) -> Path:
    """Return the file of a video; the panel of a file is written to `target` first."""
    path, panel = parse_stream_name(name)
    if panel is None:
        return path
    if not target.exists():
        with FaceStreams() as streams:
            _write_panel(streams.open(name), target)
    return target


def _write_panel(stream: FaceStream, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(stream.images()) as images:
        first = next(images)
        info = MediaInfo(
            path=stream.path,
            width=first.shape[1],
            height=first.shape[0],
            frame_rate=stream.frame_rate,
            time_base=1 / stream.frame_rate,
            duration=stream.info.duration,
            frames=stream.info.frames,
            is_still=False,
        )
        sound = stream.path if stream.info.audio_tracks else None
        with Writer(target, info, sound, settings=EncodeSettings(PANEL_CRF)) as writer:
            writer.write(Frame(first, 0, 0))
            for index, image in enumerate(images, 1):
                writer.write(Frame(image, index, index))


@cache
def _editor(device: str) -> Editor:
    limit_threads()
    return Editor(device=device)

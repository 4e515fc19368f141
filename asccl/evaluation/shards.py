"""Results of single clips on disk, so that an evaluation resumes after a stop and machines can share it.

A shard is a safetensors file with the float64 states of one clip, or of one real video. Its name is a digest of what it
was computed from: the videos with size and time of change, the offset, and the weights. A measure that a shard lacks is
added to it. Merging shards is adding states: any split of the clips over machines gives the same sums.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asccl.errors import InputError
from asccl.evaluation.baselines import COPY, SHUFFLED, ShuffledStream, estimate_offset
from asccl.evaluation.evaluate import evaluate_clip, evaluate_pool
from asccl.evaluation.face_stream import FaceStream, FaceStreams, parse_stream_name
from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.measure import ClipPair, Measure, State
from asccl.evaluation.moment import capture_moment
from asccl.files import write_atomic

FORMAT_VERSION = 1  # grows when the meaning of a shard changes
SEPARATOR = "\n"  # between the measure and the name in a tensor's name


@dataclass(frozen=True)
class Shard:
    """Result of one clip or of one real video.

    Attributes:
        states: measure -> state.
        left_out: measure -> reason why it has no state.
        frames: pairs of frames, 0 for a real video.
        faces: of them, with a face on both sides.
        offset: generated frame t belongs to source frame t + offset.
        picture: JPEG of source, reference and generated frame side by side; empty for a real video.
        unpaired: number of frames by which source and generated clip end apart.
    """

    states: Mapping[str, State]
    left_out: Mapping[str, str]
    frames: int = 0
    faces: int = 0
    offset: int = 0
    picture: bytes = b""
    unpaired: int = 0

    def missing(self, measures: Sequence[Measure]) -> list[Measure]:
        """Return the measures that this shard lacks, without those that are undefined for its clip."""
        return [measure for measure in measures if measure.name not in {*self.states, *self.left_out}]

    def extended(self, other: Shard) -> Shard:
        """Return this shard with the measures of another one of the same clip."""
        states, left_out = {**self.states, **other.states}, {**self.left_out, **other.left_out}
        return replace(self, states=states, left_out=left_out)


class ShardStore:
    """A folder of shards.

    Args:
        folder: is made with the first shard.
        weights: files of weights with their sha256, or other descriptions of what measures; others make other shards.
    """

    def __init__(self, folder: Path, weights: Sequence[Mapping[str, Any]]):
        self.folder = folder
        self._recipe = [FORMAT_VERSION, [entry.get("sha256") or dict(entry) for entry in weights]]

    def clip_path(self, row: EvaluationRow) -> Path:
        """Return the file of a clip."""
        videos = [_fingerprint(name) for name in (row.source, row.generated, row.reference)]
        return self._path("clip", [row.id, row.method, row.emotion, row.offset, *videos])

    def pool_path(self, video: str) -> Path:
        """Return the file of a real video."""
        return self._path("real", [_fingerprint(video)])

    def _path(self, kind: str, content: Sequence[Any]) -> Path:
        text = json.dumps([self._recipe, kind, content])
        return self.folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"


def read_shard(path: Path) -> Shard | None:
    """Read a shard; None where there is no complete one."""
    try:
        with safe_open(path, framework="np") as file:
            fields = json.loads((file.metadata() or {})["shard"])
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    picture = tensors.pop("picture").tobytes()
    states: dict[str, dict[str, np.ndarray]] = {name: {} for name in fields.pop("measures")}
    for key, value in tensors.items():
        measure, name = key.split(SEPARATOR)
        states[measure][name] = value
    return Shard(states=states, picture=picture, **fields)


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard; it appears complete or not at all. Raises OutputError."""
    tensors = {
        f"{measure}{SEPARATOR}{name}": np.array(value, np.float64, ndmin=0)
        for measure, state in shard.states.items()
        for name, value in state.items()
    }
    tensors["picture"] = np.frombuffer(shard.picture, np.uint8)
    fields = {
        "measures": list(shard.states),
        "left_out": dict(shard.left_out),
        "frames": shard.frames,
        "faces": shard.faces,
        "offset": shard.offset,
        "unpaired": shard.unpaired,
    }
    write_atomic(path, save(tensors, {"shard": json.dumps(fields)}))


def compute_clip(row: EvaluationRow, measures: Sequence[Measure], streams: FaceStreams) -> Shard:
    """Measure one clip.

    Args:
        row: with a generated video, or of a baseline.
        measures: to compute.
        streams: open videos.

    Raises:
        InputError: a video cannot be used.
    """
    clip = open_clip(row, streams)
    result = evaluate_clip(clip, measures)
    return Shard(
        states=result.states,
        left_out=result.left_out,
        frames=result.frames,
        faces=result.faces,
        offset=clip.offset,
        picture=capture_moment(clip),
        unpaired=abs(clip.source.info.frames - clip.offset - clip.generated.info.frames),
    )


def compute_pool(video: str, measures: Sequence[Measure], streams: FaceStreams) -> Shard:
    """Measure one real video.

    Args:
        video: its path, or `path#k`.
        measures: to compute; others than those that use a pool are ignored.
        streams: open videos.

    Raises:
        InputError: the video cannot be used.
    """
    return Shard(evaluate_pool(streams.open(video), measures), {})


def open_clip(row: EvaluationRow, streams: FaceStreams) -> ClipPair:
    """Open the videos of a row; for a baseline the generated one is made of the source.

    Raises:
        InputError: a video cannot be used, or the row has no generated video.
    """
    source = streams.open(row.source)
    generated = _open_generated(row, source, streams)
    offset = row.offset if row.offset is not None else estimate_offset(source, generated)
    return ClipPair(
        source=source,
        generated=generated,
        reference=streams.open(row.reference) if row.reference else None,
        emotion=row.emotion,
        method=row.method,
        offset=offset,
    )


def _open_generated(row: EvaluationRow, source: FaceStream, streams: FaceStreams) -> FaceStream:
    if row.method == COPY:
        return source
    if row.method == SHUFFLED:
        return ShuffledStream(source)
    if row.generated is None:
        raise InputError(f"{row.id} has no generated video", "edit it first: python -m training.tables")
    return streams.open(row.generated)


def _fingerprint(name: str | None) -> list[Any]:
    """Return what identifies the content of a video without reading it."""
    if name is None:
        return []
    path, panel = parse_stream_name(name)
    status = path.stat()
    return [str(path.absolute()), panel, status.st_size, status.st_mtime_ns]

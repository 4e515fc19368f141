"""Run measures over one clip: every frame is decoded once, whatever the number of measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from asccl.errors import AscclError, NoFaceError
from asccl.evaluation.face_chunk import CHUNK_SIZE, FaceChunk
from asccl.evaluation.face_stream import FaceStream
from asccl.evaluation.measure import (
    ClipAccumulator,
    ClipPair,
    Measure,
    MeasureSkippedError,
    PairChunk,
    State,
    StreamAccumulator,
)


@dataclass(frozen=True)
class ClipResult:
    """States of one clip.

    Attributes:
        states: measure -> state.
        left_out: measure -> reason why this clip has no state.
        frames: pairs of frames.
        faces: pairs of frames with a face on both sides.
    """

    states: Mapping[str, State]
    left_out: Mapping[str, str]
    frames: int
    faces: int


def evaluate_clip(clip: ClipPair, measures: Sequence[Measure]) -> ClipResult:
    """Compute the states of all measures for one clip.

    Args:
        clip: the streams and labels.
        measures: see `asccl.evaluation.registry.build_measures`.

    Returns:
        The states; a measure that is undefined for this clip is listed with the reason.

    Raises:
        InputError: a video cannot be read, the frame rates differ, or there is no frame with two faces.
    """
    clip.check()
    left_out: dict[str, str] = {}
    references = _reference_states(clip, measures, left_out)
    accumulators: dict[str, ClipAccumulator] = {}
    for measure in measures:
        if measure.name not in left_out:
            try:
                accumulators[measure.name] = measure.begin(clip, references.get(measure.name))
            except MeasureSkippedError as reason:
                left_out[measure.name] = str(reason)
    frames = faces = 0
    for chunk in pair_chunks(clip):
        frames, faces = frames + len(chunk), faces + int(chunk.valid.sum())
        _add(accumulators, chunk, left_out)
    if not faces:
        raise NoFaceError(f"{clip.generated.name} and its source have no frame with a face in both", "leave it out")
    return ClipResult(_finish(accumulators, left_out), left_out, frames, faces)


def evaluate_pool(stream: FaceStream, measures: Sequence[Measure]) -> Mapping[str, State]:
    """Compute the states of a stream of real frames for all measures that use a pool.

    Args:
        stream: real frames of a speaker. Each stream counts once in a pool.
        measures: others than those that use a pool are ignored.

    Returns:
        Measure -> state, to be merged with the states of the clips.

    Raises:
        InputError: the video cannot be read, or has no face.
    """
    return _stream_states(stream, [measure for measure in measures if measure.uses_pool], {})


def pair_chunks(clip: ClipPair, size: int = CHUNK_SIZE) -> Iterator[PairChunk]:
    """Iterate over the frames of the generated clip and the source frames that belong to them."""
    with closing(clip.source.frames()) as source, closing(clip.generated.frames()) as generated:
        skipped = max(-clip.offset, 0)  # generated frames before the first source frame
        pairs = zip(islice(source, max(clip.offset, 0), None), islice(generated, skipped, None), strict=False)
        start = skipped
        while rows := list(islice(pairs, size)):
            source_rows, generated_rows = zip(*rows, strict=True)
            yield PairChunk(
                clip.source.chunk(start + clip.offset, list(source_rows)),
                clip.generated.chunk(start, list(generated_rows)),
            )
            start += len(rows)


def _reference_states(clip: ClipPair, measures: Sequence[Measure], left_out: dict[str, str]) -> Mapping[str, State]:
    """Return the states of the reference, which are computed for the first clip that uses it."""
    users = [measure for measure in measures if measure.uses_reference]
    if clip.reference is None or not users:
        return {}
    states = clip.reference.states
    try:
        states.update(_stream_states(clip.reference, [user for user in users if user.name not in states], left_out))
    except AscclError as error:  # the measures without a reference go on
        left_out.update({measure.name: str(error) for measure in users})
        return {}
    return states


def _stream_states(stream: FaceStream, measures: Sequence[Measure], left_out: dict[str, str]) -> Mapping[str, State]:
    accumulators: dict[str, StreamAccumulator] = {measure.name: measure.begin_stream() for measure in measures}
    faces = 0
    for chunk in stream.chunks() if measures else ():
        faces += int(chunk.valid.sum())
        _add(accumulators, chunk, left_out)
    if measures and not faces:
        raise NoFaceError(f"{stream.name} has no frame with a face", "leave it out, or give another video")
    return _finish(accumulators, left_out)


def _add(accumulators: dict[str, Any], chunk: PairChunk | FaceChunk, left_out: dict[str, str]) -> None:
    """Add a chunk to every accumulator; one that is skipped is dropped with its reason."""
    for name in list(accumulators):
        try:
            accumulators[name].add(chunk)
        except MeasureSkippedError as reason:
            left_out[name] = str(reason)
            del accumulators[name]


def _finish(
    accumulators: Mapping[str, ClipAccumulator] | Mapping[str, StreamAccumulator], left_out: dict[str, str]
) -> dict[str, State]:
    states = {}
    for name, accumulator in accumulators.items():
        try:
            states[name] = accumulator.finish()
        except MeasureSkippedError as reason:
            left_out[name] = str(reason)
    return states

"""What a measure is: sums over the frames of a clip, which can be merged exactly, and a score computed from sums.

    measures, missing = build_measures(None, networks)         # asccl.evaluation.registry
    result = evaluate_clip(clip, measures)                     # asccl.evaluation.evaluate; one pass over the frames
    pool = evaluate_pool(stream, measures)                     # each stream of real frames once
    score = measure.compute(merge_states(result.states[measure.name], pool[measure.name]))

A state holds float64 sums only. The state of several clips, shards or machines is the sum of their states, never a mean
of means; the score of one clip is `compute` of its own state, and a bootstrap over clips merges the states it drew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from asccl.errors import InputError
from asccl.evaluation.face_chunk import FaceChunk
from asccl.evaluation.face_stream import FaceStream
from asccl.evaluation.sound import Sound
from asccl.types import DEFAULT_FRAME_RATE

T = TypeVar("T")
State: TypeAlias = Mapping[str, np.ndarray]  # name -> float64 sums

RATE_TOLERANCE = 0.01  # relative difference of two frame rates that count as one


@dataclass(frozen=True)
class ClipPair:
    """One generated clip and what it is compared with.

    Attributes:
        source: the clip that was edited.
        generated: the result.
        reference: shows the target emotion; None without one.
        emotion: target emotion, one of `EMOTIONS`; None if it is unknown.
        method: what generated the result.
        offset: frame t of `generated` shows the words of frame t + offset of `source`.
    """

    source: FaceStream
    generated: FaceStream
    reference: FaceStream | None = None
    emotion: str | None = None
    method: str = ""
    offset: int = 0
    _shared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def share(self, name: str, create: Callable[[], T]) -> T:
        """Return what `create` makes, created once for all measures of this clip that ask for the same name."""
        if name not in self._shared:
            self._shared[name] = create()
        return self._shared[name]

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second of the generated clip, exact; 0 for a still."""
        return self.generated.frame_rate

    @property
    def frames_per_second(self) -> float:
        """Frame rate of the generated clip, `DEFAULT_FRAME_RATE` for a still."""
        return float(self.frame_rate or DEFAULT_FRAME_RATE)

    @cached_property
    def sound(self) -> Sound | None:
        """The words of the generated clip from its first frame on: its own sound, else that of the source."""
        return self.source_sound if self.generated.sound is None else self.generated.sound

    @cached_property
    def source_sound(self) -> Sound | None:
        """The sound of the source from the frame on that belongs to the first generated frame."""
        sound = self.source.sound
        return None if sound is None else sound.shifted(float(self.offset / (self.source.frame_rate or 1)))

    def check(self) -> None:
        """Raise InputError unless the frames of source and generated clip can be paired."""
        source, generated = self.source.frame_rate, self.generated.frame_rate
        if source and generated and abs(float(generated / source) - 1) > RATE_TOLERANCE:
            raise InputError(
                f"{self.generated.name} has {float(generated):g} frames per second, its source {float(source):g}",
                "convert one of them to the frame rate of the other",
            )


@dataclass(frozen=True)
class PairChunk:
    """Frames of a generated clip beside the source frames with the same words.

    Attributes:
        source: n frames.
        generated: n frames.
    """

    source: FaceChunk
    generated: FaceChunk

    def __len__(self) -> int:
        return len(self.generated)

    @cached_property
    def valid(self) -> np.ndarray:
        """(n,) bool: frames with a face on both sides."""
        return self.source.valid & self.generated.valid


@dataclass(frozen=True)
class Score:
    """A computed measure.

    Attributes:
        value: the number of the table.
        count: number of frames behind it.
        extras: further numbers by name, such as "ceiling" (the real clip), "floor" (other words, or real against real)
            and "corrected" (for the bias of a finite sample).
    """

    value: float
    count: int
    extras: Mapping[str, float] = field(default_factory=dict)


class MeasureSkippedError(Exception):
    """A measure cannot be computed for this clip. The text is the reason, for the report."""


class ClipAccumulator(Protocol):
    """Sums of one clip for one measure."""

    def add(self, chunk: PairChunk) -> None:
        """Add consecutive frames."""

    def finish(self) -> State:
        """Return the state of the clip. Raises MeasureSkippedError."""


class StreamAccumulator(Protocol):
    """Sums of one stream of real frames or of a reference for one measure."""

    def add(self, chunk: FaceChunk) -> None:
        """Add consecutive frames."""

    def finish(self) -> State:
        """Return the state of the stream. Raises MeasureSkippedError."""


class Measure(Protocol):
    """A measure. It keeps nothing of a clip.

    Attributes:
        name: with its protocol, such as "lse-d-group".
        higher_is_better: None where neither direction is better.
        uses_reference: whether it reads the reference of a clip.
        uses_pool: whether its score needs the state of the real frames.
    """

    @property
    def name(self) -> str: ...

    @property
    def higher_is_better(self) -> bool | None: ...

    @property
    def uses_reference(self) -> bool: ...

    @property
    def uses_pool(self) -> bool: ...

    def begin(self, clip: ClipPair, reference: State | None) -> ClipAccumulator:
        """Begin a clip with the state of its reference, None without one. Raises MeasureSkippedError."""

    def begin_stream(self) -> StreamAccumulator:
        """Begin a stream of real frames, or of a reference."""

    def compute(self, state: State) -> Score:
        """Compute the score of one or several clips from their merged state. Raises MeasureSkippedError."""


def merge_states(*states: State) -> State:
    """Add states; a name that a state lacks counts as zero."""
    total: dict[str, np.ndarray] = {}
    for state in states:
        for name, value in state.items():
            total[name] = total[name] + value if name in total else np.asarray(value, np.float64)
    return total


@dataclass(frozen=True)
class ClipMean:
    """Base class of measures whose score of several clips is the mean of the scores of the clips.

    Attributes:
        name: see `Measure`.
        higher_is_better: see `Measure`.
        uses_reference: see `Measure`.
        uses_pool: see `Measure`.
    """

    name: str
    higher_is_better: bool | None
    uses_reference: bool = field(default=False, kw_only=True)
    uses_pool: bool = field(default=False, kw_only=True)

    def begin_stream(self) -> StreamAccumulator:
        """Begin a reference; a measure that uses one overrides this."""
        raise MeasureSkippedError("it reads no other stream")

    def compute(self, state: State) -> Score:
        """Compute the means of `clip_state`."""
        if not state or not state["clips"] > 0:
            raise MeasureSkippedError("no clip has a value")
        means = {}
        for name in state:
            if name.startswith("value/") and state[name][1] > 0:
                means[name.removeprefix("value/")] = float(state[name][0] / state[name][1])
        return Score(means.pop("score"), int(state["frames"]), means)


def clip_state(score: float, frames: int, **extras: float) -> State:
    """Build the state of one clip for a `ClipMean`.

    Args:
        score: of the clip.
        frames: number of frames behind it.
        extras: further numbers; those that are not finite are left out.

    Returns:
        The state.

    Raises:
        MeasureSkippedError: the score is not finite.
    """
    if not np.isfinite(score):
        raise MeasureSkippedError("it is undefined for this clip")
    values: dict[str, Any] = {"score": score, **extras}
    pairs = {f"value/{name}": np.array([value, 1.0]) for name, value in values.items() if np.isfinite(value)}
    return {"clips": np.array(1.0), "frames": np.array(float(frames)), **pairs}

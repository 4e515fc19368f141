"""Measure from landmarks how well the lips keep the words of the source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from asccl.errors import AscclError
from asccl.evaluation.edit_metrics import MAX_CLOSED_LIP_GAP, MIN_CLOSED_FRAMES, lip_distance
from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks
from asccl.evaluation.sound import Sound
from asccl.evaluation.speech import Segment, bilabial_segments, frames_in, require_pocketsphinx, speech_segments
from asccl.face import mesh

MIN_FRAMES = 3  # for a correlation
MIN_PHONES = 3
# share of the phones in which the real lips touch; below it the recognized phones are not those of the lips
MIN_REAL_CLOSURES = 0.5
PHONE_MARGIN = 0.04  # seconds before and after a phone
MIN_DEVIATION = 1e-9  # of a curve below which its correlation is undefined


@dataclass(frozen=True)
class CurveMeasure(ClipMean):
    """A measure of one curve of the source and the same curve of the generated clip.

    The extra "speech" is the same over the frames with speech, where there is sound and silero-vad is installed.

    Attributes:
        curve: landmarks (n, 478, 3) -> values (n,).
        compare: values of source and generated frames, (T,) each, finite -> score.
    """

    curve: Callable[[np.ndarray], np.ndarray]
    compare: Callable[[np.ndarray, np.ndarray], float]

    def begin(self, clip: ClipPair, reference: State | None) -> _Curves:
        """See `Measure`."""
        return _Curves(clip, self.curve, self.compare)


class _Curves:
    """The curve of the source and that of the generated clip; nothing else of a clip is kept."""

    def __init__(
        self,
        clip: ClipPair,
        curve: Callable[[np.ndarray], np.ndarray],
        compare: Callable[[np.ndarray, np.ndarray], float],
    ):
        self._clip, self._curve, self._compare = clip, curve, compare
        self._values: list[np.ndarray] = []

    def add(self, chunk: PairChunk) -> None:
        sides = (self._curve(side.landmarks) for side in (chunk.source, chunk.generated))
        self._values.append(np.where(chunk.valid[:, None], np.stack(list(sides), 1), np.nan))

    def finish(self) -> State:
        values = np.concatenate(self._values or [np.zeros((0, 2))])
        score = self._score(values, np.ones(len(values), bool))
        speech = clip_speech(self._clip, len(values))
        extras = {}
        if speech is not None:
            with suppress(MeasureSkippedError):
                extras["speech"] = self._score(values, speech)
        return clip_state(score, int(np.isfinite(values).all(1).sum()), **extras)

    def _score(self, values: np.ndarray, counted: np.ndarray) -> float:
        source, generated = values[counted & np.isfinite(values).all(1)].T
        return self._compare(source, generated)


@dataclass(frozen=True)
class LipDistance(ClipMean):
    """Mean distance of the lip landmarks in percent of the eye distance, after aligning eyes and nose."""

    def begin(self, clip: ClipPair, reference: State | None) -> _LipDistances:
        """See `Measure`."""
        return _LipDistances()


class _LipDistances:
    def __init__(self) -> None:
        self._total, self._frames = 0.0, 0

    def add(self, chunk: PairChunk) -> None:
        for i in np.flatnonzero(chunk.valid):
            distance = lip_distance(chunk.source.landmarks[i], chunk.generated.landmarks[i])
            if np.isfinite(distance):
                self._total, self._frames = self._total + distance, self._frames + 1

    def finish(self) -> State:
        return clip_state(self._total / self._frames if self._frames else np.nan, self._frames)


@dataclass(frozen=True)
class PhoneClosures(ClipMean):
    """Share of the phones /p b m/ of the sound during which the generated lips touch; the words must be English.

    The extra "ceiling" is the share on the real clip. Where it is below `MIN_REAL_CLOSURES`, the phones are not those
    of the lips, as in another language, and the clip is left out.
    """

    def begin(self, clip: ClipPair, reference: State | None) -> _PhoneGaps:
        """See `Measure`."""
        if clip.sound is None:
            raise MeasureSkippedError("neither the clip nor its source has sound")
        return _PhoneGaps(clip)


class _PhoneGaps:
    def __init__(self, clip: ClipPair):
        self._clip, self._gaps = clip, list[np.ndarray]()

    def add(self, chunk: PairChunk) -> None:
        sides = [mesh.lip_gap(side.landmarks) for side in (chunk.generated, chunk.source)]
        self._gaps.append(np.stack(sides, 1))

    def finish(self) -> State:
        gaps, rate = np.concatenate(self._gaps), self._clip.frames_per_second
        closed = []
        for phone in clip_bilabials(self._clip):
            first, last = round((phone.start - PHONE_MARGIN) * rate), round((phone.stop + PHONE_MARGIN) * rate)
            part = gaps[max(first, 0) : max(last, 0)]
            if len(part) and np.isfinite(part).all():
                closed.append(part.min(0) < MAX_CLOSED_LIP_GAP)
        if len(closed) < MIN_PHONES:
            raise MeasureSkippedError(f"the sound has {len(closed)} of the phones /p b m/ only")
        generated, real = np.mean(closed, 0)
        if real < MIN_REAL_CLOSURES:
            raise MeasureSkippedError(f"the real lips touch in {real:.0%} of the phones /p b m/: it may not be English")
        return clip_state(float(generated), len(closed), ceiling=float(real))


def clip_speech(clip: ClipPair, frames: int) -> np.ndarray | None:
    """Frames (T,) bool of a clip with speech; None without sound or silero-vad."""

    def compute() -> np.ndarray | None:
        try:
            segments = _sound_segments(clip, "speech", speech_segments)
        except AscclError:  # silero-vad is not installed
            return None
        return None if segments is None else frames_in(segments, frames, clip.frames_per_second)

    return clip.share("speech", compute)


def clip_bilabials(clip: ClipPair) -> list[Segment]:
    """The phones /p b m/ of the sound of a clip."""
    return clip.share("bilabials", lambda: _sound_segments(clip, "bilabials", bilabial_segments) or [])


def _sound_segments(clip: ClipPair, name: str, find: Callable[[Sound], list[Segment]]) -> list[Segment] | None:
    """Find segments in the sound of a clip, once for all edits of its source with the same sound; None without one."""
    sound = clip.sound
    if sound is None:
        return None
    stored = clip.source.features.compute(
        f"{name} of {sound.digest}", lambda: np.array(find(sound), np.float64).reshape(-1, 2)
    )
    return [Segment(float(start), float(stop)) for start, stop in stored]


def correlation(source: np.ndarray, generated: np.ndarray) -> float:
    """Pearson correlation of two curves (T,); 0 where the generated one is constant while the source moves.

    Raises MeasureSkippedError: fewer than `MIN_FRAMES` frames, or the source is constant.
    """
    if len(source) < MIN_FRAMES or source.std() < MIN_DEVIATION:
        raise MeasureSkippedError("the lips of the source do not move, or there are too few frames")
    return float(np.corrcoef(source, generated)[0, 1]) if generated.std() >= MIN_DEVIATION else 0.0


def closures_kept(source: np.ndarray, generated: np.ndarray) -> float:
    """Share of the frames with closed source lips in which the generated lips are closed, too, of lip gaps (T,).

    Raises MeasureSkippedError: there are fewer than `MIN_CLOSED_FRAMES` such frames.
    """
    closed = source < MAX_CLOSED_LIP_GAP
    if closed.sum() < MIN_CLOSED_FRAMES:
        raise MeasureSkippedError(f"the lips of the source are closed in {int(closed.sum())} frames only")
    return float((generated[closed] < MAX_CLOSED_LIP_GAP).mean())


def mouth_width(landmarks: np.ndarray) -> np.ndarray:
    """Distance (n,) of the outer corners of the mouth over the eye distance, of landmarks (n, 478, 3)."""
    right, left = mesh.OUTER_LIP_CORNERS
    width = np.linalg.norm(landmarks[:, right, :2] - landmarks[:, left, :2], axis=-1)
    return width / mesh.eye_distance(landmarks)


def build_lip_correlation(name: str, networks: Networks) -> CurveMeasure:
    """Build "lip-correlation": of the lip gaps."""
    return CurveMeasure(name, True, mesh.lip_gap, correlation)


def build_mouth_width(name: str, networks: Networks) -> CurveMeasure:
    """Build "mouth-width": correlation of the widths of the mouth."""
    return CurveMeasure(name, True, mouth_width, correlation)


def build_closures_kept(name: str, networks: Networks) -> CurveMeasure:
    """Build "closures-kept"."""
    return CurveMeasure(name, True, mesh.lip_gap, closures_kept)


def build_phone_closures(name: str, networks: Networks) -> PhoneClosures:
    """Build "phone-closures". Raises AscclError without pocketsphinx."""
    require_pocketsphinx()
    return PhoneClosures(name, True)


def build_lip_distance(name: str, networks: Networks) -> LipDistance:
    """Build "lip-distance"."""
    return LipDistance(name, False)

"""Pairs of pictures and of sequences whose true answer is known: one made-up person, the same words, two emotions.

Item i of a set depends on its seed and on i alone: the same on every machine, in every worker, in every order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from asccl.face.crop import CROP_SIZE
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.synthetic.camera import Camera
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import apply_emotion, blink_track, gaze_track, idle_track, sample_style, speech_track
from asccl.types import EMOTIONS, Image

FRAME_SIDE = 256  # pixels of the picture that a pair's camera takes, before the crop


class SyntheticPair(NamedTuple):
    """Both pictures of a pair, (S, S, 3) uint8 RGB, aligned as `arcface_crop` aligns them by the true landmarks.

    source_emotion, target_emotion: index into `EMOTIONS`. person, frame: which speaker, and which frame of their words;
    the frame's words (52,) are `speech`, with an emotion (52,) `source_coefficients` and `target_coefficients`.
    source_landmarks, target_landmarks: (468, 2) float32 pixels of the pictures, true.
    """

    source: Image
    target: Image
    source_emotion: int
    target_emotion: int
    person: int
    frame: int
    speech: np.ndarray
    source_coefficients: np.ndarray
    target_coefficients: np.ndarray
    source_landmarks: np.ndarray
    target_landmarks: np.ndarray


class CoefficientSequence(NamedTuple):
    """The same words with two emotions: speech, source and target (T, 52) float32; emotions index `EMOTIONS`,
    intensities are strengths of the presets."""

    speech: np.ndarray
    source: np.ndarray
    target: np.ndarray
    source_emotion: int
    target_emotion: int
    source_intensity: float
    target_intensity: float


def talking_track(rng: np.random.Generator, frames: int, head: AnnyHead) -> np.ndarray:
    """(frames, 52) float32: speech, blinks, gaze and what goes with them, without emotion."""
    parts = [make(rng, frames, head) for make in (speech_track, blink_track, gaze_track, idle_track)]
    return np.clip(np.sum(parts, 0), 0, 1).astype(np.float32)


def sample_emotion_pair(rng: np.random.Generator) -> tuple[int, int]:
    """Two different ones, all equally likely."""
    first, second = rng.choice(len(EMOTIONS), 2, replace=False)
    return int(first), int(second)


class SyntheticPairs:
    """A map-style data set of `SyntheticPair`; numpy within, so that a DataLoader's default collation makes tensors of it.

    seed: which people. size: side of the crops, 112 or 224. count: items. frames_per_person: how many items in a row
    show one speaker, each another frame and other emotions. clean: without the faults of a camera.
    """

    def __init__(
        self,
        seed: int = 0,
        size: int = CROP_SIZE,
        count: int = 10_000,
        frames_per_person: int = 8,
        clean: bool = False,
        head: AnnyHead | None = None,
    ):
        self.seed, self.size, self.count, self.clean = seed, size, count, clean
        self.frames_per_person = frames_per_person
        self.head = head or load_anny_head()
        self._sittings: OrderedDict[int, tuple[HeadRenderer, np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> SyntheticPair:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        person, frame = divmod(index, self.frames_per_person)
        sitting, track = self._speaker(person)
        rng = np.random.default_rng((self.seed, person, frame, 1))
        emotions, camera, capture = (
            sample_emotion_pair(rng),
            Camera.sample(rng, FRAME_SIDE),
            CameraDegradation.sample(rng),
        )
        shown = [apply_emotion(track[frame : frame + 1], sample_style(rng, EMOTIONS[e], self.head), self.head)[0]
                 for e in emotions]  # fmt: skip
        crops, landmarks = [], []
        for coefficients in shown:
            view = camera.arcface_view(sitting.landmarks(coefficients, camera), self.size)
            crop = sitting.render(coefficients, view)
            crops.append(crop if self.clean else capture(crop, rng))
            landmarks.append(sitting.landmarks(coefficients, view).astype(np.float32))
        return SyntheticPair(
            crops[0], crops[1], emotions[0], emotions[1], person, frame, track[frame], shown[0], shown[1],
            landmarks[0], landmarks[1],
        )  # fmt: skip

    def person(self, number: int) -> SyntheticPerson:
        """Who the speaker of that number is."""
        return SyntheticPerson.sample(np.random.default_rng((self.seed, number, 0, 0)), self.head)

    def _speaker(self, number: int) -> tuple[HeadRenderer, np.ndarray]:
        """The person made ready, and the frames of their words, far apart; the last few are kept."""
        if number not in self._sittings:
            rng = np.random.default_rng((self.seed, number, 0, 2))
            track = talking_track(rng, 5 * self.frames_per_person, self.head)[::5]
            self._sittings[number] = (HeadRenderer(self.person(number), self.head, self.size / 20), track)
            if len(self._sittings) > 32:
                self._sittings.popitem(last=False)
        return self._sittings[number]


class SyntheticSequences:
    """A map-style data set of `CoefficientSequence`: words drawn apart from emotion, so that the true answer is known.

    frames: T of every item, or the least and the most T. rate: frames a second. emotions: those to draw from.
    """

    def __init__(
        self,
        seed: int = 0,
        count: int = 10_000,
        frames: int | tuple[int, int] = (10, 200),
        rate: float = 25.0,
        head: AnnyHead | None = None,
    ):
        self.seed, self.count, self.rate = seed, count, rate
        self.frames = (frames, frames) if isinstance(frames, int) else frames
        self.head = head or load_anny_head()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> CoefficientSequence:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        rng = np.random.default_rng((self.seed, index, 3))
        track = talking_track(rng, int(rng.integers(self.frames[0], self.frames[1] + 1)), self.head)
        emotions = sample_emotion_pair(rng)
        manners = [sample_style(rng, EMOTIONS[e], self.head) for e in emotions]
        shown = [apply_emotion(track, manner, self.head) for manner in manners]
        first, second = manners
        return CoefficientSequence(track, shown[0], shown[1], *emotions, first.intensity, second.intensity)


def render_frame(
    person: SyntheticPerson, coefficients: np.ndarray, camera: Camera, head: AnnyHead | None = None
) -> tuple[Image, np.ndarray]:
    """(52,) -> picture (H, W, 3) uint8 RGB and its true landmarks (468, 2) pixels."""
    sitting = HeadRenderer(person, head or load_anny_head(), camera.pixels_per_cm)
    return sitting.render(coefficients, camera), sitting.landmarks(coefficients, camera)


def render_clip(
    person: SyntheticPerson, coefficients: np.ndarray, cameras: Iterable[Camera], head: AnnyHead | None = None
) -> Iterator[tuple[Image, np.ndarray]]:
    """(T, 52) and T cameras -> T pictures with true landmarks, one by one; as `render_frame`, the person made once."""
    sitting = None
    for w, camera in zip(coefficients, cameras, strict=True):
        sitting = sitting or HeadRenderer(person, head or load_anny_head(), camera.pixels_per_cm)
        yield sitting.render(w, camera), sitting.landmarks(w, camera)

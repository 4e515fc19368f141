"""Data sets with known truth: image pairs and coefficient sequences of one speaker, one text and two emotions.

Item i of a data set depends on its seed and on i only: it is the same on every machine, in every worker and order.
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
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS, Image

FRAME_SIDE = 256  # pixels of the frame in which a camera is sampled, before the crop
ARCFACE_SIDE_CM = 20  # approximate side of an ArcFace crop
FRAME_SPACING = 5  # frames of the words between two frames of a speaker
MAX_CACHED_SPEAKERS = 32


class SyntheticPair(NamedTuple):
    """Two images of one speaker, the same words and two emotions.

    Attributes:
        source: (S, S, 3) uint8 RGB, aligned by the true landmarks as `arcface_crop` does.
        target: like `source`, with another emotion.
        source_emotion: index into `EMOTIONS`.
        target_emotion: index into `EMOTIONS`.
        person: index of the speaker.
        frame: index of the frame of the speaker's words.
        speech: coefficients of the words without emotion, (52,).
        source_coefficients: with the emotion of the source, (52,).
        target_coefficients: with the emotion of the target, (52,).
        source_landmarks: true landmarks, (468, 2) float32 pixels.
        target_landmarks: true landmarks, (468, 2) float32 pixels.
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
    """The same words with two emotions.

    Attributes:
        speech: coefficients without emotion, (T, 52) float32.
        source: with the emotion of the source, (T, 52) float32.
        target: with the emotion of the target, (T, 52) float32.
        source_emotion: index into `EMOTIONS`.
        target_emotion: index into `EMOTIONS`.
        source_intensity: strength of the emotion.
        target_intensity: strength of the emotion.
    """

    speech: np.ndarray
    source: np.ndarray
    target: np.ndarray
    source_emotion: int
    target_emotion: int
    source_intensity: float
    target_intensity: float


def sample_emotion_pair(rng: np.random.Generator) -> tuple[int, int]:
    """Sample two different emotions with equal probabilities, as indices into `EMOTIONS`."""
    first, second = rng.choice(len(EMOTIONS), 2, replace=False)
    return int(first), int(second)


class SyntheticPairs:
    """Map-style data set of `SyntheticPair`. Items hold numpy arrays, which a DataLoader collates to tensors.

    Args:
        seed: selects the speakers.
        size: side of the crops in pixels, 112 or 224.
        count: number of items.
        frames_per_person: number of consecutive items with one speaker; frame and emotions differ.
        clean: without camera degradation.
        head: head model, the bundled one by default.
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
        self._speakers: OrderedDict[int, tuple[HeadRenderer, np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> SyntheticPair:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        person, frame = divmod(index, self.frames_per_person)
        renderer, speech = self._speaker(person)
        rng = np.random.default_rng((self.seed, person, frame, 1))
        emotions, camera = sample_emotion_pair(rng), Camera.sample(rng, FRAME_SIDE)
        degrade = CameraDegradation.sample(rng)
        styles = [sample_style(rng, EMOTIONS[emotion], self.head) for emotion in emotions]
        coefficients = [apply_emotion(speech[frame : frame + 1], style, self.head)[0] for style in styles]
        images, landmarks = [], []
        for w in coefficients:
            view = camera.arcface_view(renderer.landmarks(w, camera), self.size)
            image = renderer.render(w, view)
            images.append(image if self.clean else degrade(image, rng))
            landmarks.append(renderer.landmarks(w, view).astype(np.float32))
        return SyntheticPair(
            source=images[0],
            target=images[1],
            source_emotion=emotions[0],
            target_emotion=emotions[1],
            person=person,
            frame=frame,
            speech=speech[frame],
            source_coefficients=coefficients[0],
            target_coefficients=coefficients[1],
            source_landmarks=landmarks[0],
            target_landmarks=landmarks[1],
        )

    def person(self, number: int) -> SyntheticPerson:
        """Return speaker `number`."""
        return SyntheticPerson.sample(np.random.default_rng((self.seed, number, 0, 0)), self.head)

    def _speaker(self, number: int) -> tuple[HeadRenderer, np.ndarray]:
        """Return renderer and words (frames_per_person, 52) of a speaker, cached for the last few speakers."""
        if number not in self._speakers:
            rng = np.random.default_rng((self.seed, number, 0, 2))
            speech = talking_track(rng, FRAME_SPACING * self.frames_per_person, self.head)[::FRAME_SPACING]
            renderer = HeadRenderer(self.person(number), self.head, self.size / ARCFACE_SIDE_CM)
            self._speakers[number] = (renderer, speech)
            if len(self._speakers) > MAX_CACHED_SPEAKERS:
                self._speakers.popitem(last=False)
        return self._speakers[number]


class SyntheticSequences:
    """Map-style data set of `CoefficientSequence`; words and emotions are independent, so the truth is known.

    Args:
        seed: selects the items.
        count: number of items.
        frames: T of every item, or the smallest and the largest T.
        head: head model, the bundled one by default.
    """

    def __init__(
        self,
        seed: int = 0,
        count: int = 10_000,
        frames: int | tuple[int, int] = (10, 200),
        head: AnnyHead | None = None,
    ):
        self.seed, self.count = seed, count
        self.frames = (frames, frames) if isinstance(frames, int) else frames
        self.head = head or load_anny_head()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> CoefficientSequence:
        if not 0 <= index < self.count:
            raise IndexError(f"item {index} of {self.count}")
        rng = np.random.default_rng((self.seed, index, 3))
        speech = talking_track(rng, int(rng.integers(self.frames[0], self.frames[1] + 1)), self.head)
        emotions = sample_emotion_pair(rng)
        source, target = (sample_style(rng, EMOTIONS[emotion], self.head) for emotion in emotions)
        return CoefficientSequence(
            speech=speech,
            source=apply_emotion(speech, source, self.head),
            target=apply_emotion(speech, target, self.head),
            source_emotion=emotions[0],
            target_emotion=emotions[1],
            source_intensity=source.intensity,
            target_intensity=target.intensity,
        )


def render_frame(
    person: SyntheticPerson, coefficients: np.ndarray, camera: Camera, head: AnnyHead | None = None
) -> tuple[Image, np.ndarray]:
    """Render one frame.

    Args:
        person: who is rendered.
        coefficients: (52,).
        camera: of the frame.
        head: head model, the bundled one by default.

    Returns:
        Image (H, W, 3) uint8 RGB and true landmarks (468, 2) pixels.
    """
    renderer = HeadRenderer(person, head or load_anny_head(), camera.pixels_per_cm)
    return renderer.render(coefficients, camera), renderer.landmarks(coefficients, camera)


def render_clip(
    person: SyntheticPerson, coefficients: np.ndarray, cameras: Iterable[Camera], head: AnnyHead | None = None
) -> Iterator[tuple[Image, np.ndarray]]:
    """Render T frames one by one, with the same renderer for all of them.

    Args:
        person: who is rendered.
        coefficients: (T, 52).
        cameras: T cameras.
        head: head model, the bundled one by default.

    Yields:
        Image (H, W, 3) uint8 RGB and true landmarks (468, 2) pixels of each frame.
    """
    renderer = None
    for w, camera in zip(coefficients, cameras, strict=True):
        renderer = renderer or HeadRenderer(person, head or load_anny_head(), camera.pixels_per_cm)
        yield renderer.render(w, camera), renderer.landmarks(w, camera)

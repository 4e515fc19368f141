"""Whom an ablation is judged on: a made-up speaker who says the same words with two emotions, before one camera.

The speaker is the one whom the renderers of the same seed were taught, with words that no training heard. What the edit
should look like is therefore known, frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.data.camera import Camera
from asccl.data.person import SyntheticPerson
from asccl.data.studio import Sitting
from asccl.data.synthetic import FRAME_SIDE, words
from asccl.data.talk import draw_manner, with_emotion
from asccl.morphable.anny_head import AnnyHead
from asccl.renderers.conditions import FaceSurface, Scene
from asccl.renderers.framing import view_scale
from asccl.types import EMOTIONS

INTRA, CROSS = "intra-ID", "cross-ID"  # whom the reference shows: the speaker with other words, or somebody else
SETTINGS = (INTRA, CROSS)
HEARD = 80  # frames of a reference
SHOWN = 8  # of them, those of which pictures are made


@dataclass(frozen=True)
class Case:
    """source, truth: (T, 52), the same words with the emotion that is and the one that is wanted, an index into
    `EMOTIONS`. references: (HEARD, 52) each, other words with the wanted emotion, by setting."""

    source: np.ndarray
    truth: np.ndarray
    emotion: int
    references: dict[str, np.ndarray]


class Sight:
    """A person in the square that a renderer paints. rng: draws person and camera."""

    def __init__(self, rng: np.random.Generator, surface: FaceSurface, size: int):
        self.person = SyntheticPerson.draw(rng, surface.head)
        far = Camera.draw(rng, FRAME_SIDE)
        self.scene = Scene.made_up(surface, self.person.identity, [far], size)
        crop = self.scene.crops[0]
        matrix = np.column_stack([crop[:, :2] @ far.matrix[:, :2], crop[:, :2] @ far.matrix[:, 2] + crop[:, 2]])
        self._camera = Camera(far.rotation, far.distance, matrix, (size, size))
        self._sitting = Sitting(self.person, surface.head, view_scale(far, crop))

    def pictures(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, 52) -> (n, S, S, 3) uint8 RGB."""
        return np.stack([self._sitting.picture(w, self._camera) for w in coefficients])

    def landmarks(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, 52) -> (n, 468, 2) pixels, true."""
        return np.stack([self._sitting.landmarks(w, self._camera) for w in coefficients])

    def conditions(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, 52) -> (n, 10, S, S) float32 in [0, 1], what the renderer paints from."""
        return np.stack([self.scene.draw(w, 0) for w in coefficients])


class Speaker:
    """The person of the renderers' trainings with this seed. frames: T of each case. each: cases of every emotion."""

    def __init__(self, seed: int, frames: int, each: int, size: int, surface: FaceSurface):
        self.seed, self.head = seed, surface.head
        self.seen = Sight(np.random.default_rng((seed, 0, 6)), surface, size)  # as `synthetic_portrait` draws them
        self.other = Sight(np.random.default_rng((seed, 0, 10)), surface, size)
        self.cases = [_case(seed, emotion, n, frames, self.head) for emotion in range(len(EMOTIONS)) for n in range(each)]

    def reference(self, case: Case, setting: str) -> tuple[Sight, np.ndarray]:
        """Who it is, and the coefficients (SHOWN, 52) of some of its frames."""
        return self.seen if setting == INTRA else self.other, case.references[setting][:: HEARD // SHOWN]


def _case(seed: int, emotion: int, number: int, frames: int, head: AnnyHead) -> Case:
    rng = np.random.default_rng((seed, emotion, number, 9))
    before = int(rng.choice([e for e in range(len(EMOTIONS)) if e != emotion]))
    said, more, theirs = (words(rng, n, head) for n in (frames, HEARD, HEARD))
    first, second, somebody = (draw_manner(rng, EMOTIONS[e], head) for e in (before, emotion, emotion))
    references = {INTRA: with_emotion(more, second, head), CROSS: with_emotion(theirs, somebody, head)}
    return Case(with_emotion(said, first, head), with_emotion(said, second, head), emotion, references)

"""An edit goes as far as the person is not lost, within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.editing.strength import MAX_STRENGTH, MIN_MEAN_COSINE, MIN_STRENGTH, FaceSample, identity_preserving_strength
from asccl.types import Motion


class Brighten:
    """A director and a renderer whose edit is plain to compute: the picture gets brighter by 200 x intensity."""

    def __call__(self, motion: Motion, target: Target) -> Motion:
        self.intensity = target.intensity
        return motion

    def observe(self, image, landmarks) -> None: ...

    def plan(self, motion: Motion, new: Motion) -> None: ...

    def render(self, image, landmarks, t):
        return np.full_like(image, 200 * self.intensity)


def embed_with(loss: float):
    """A cosine of 1 - loss x brightness / 200 to a black picture."""

    def embed(crops: np.ndarray) -> np.ndarray:
        cosine = 1 - loss * crops.mean((1, 2, 3)) / 200
        return np.stack([cosine, np.sqrt(np.clip(1 - cosine**2, 0, 1))], 1)

    return embed


def strength(loss: float, intensity: float = 1.0, samples: int = 3) -> float:
    ones = np.ones(3, np.float32)
    motion = Motion(np.zeros((3, 52)), ones, np.zeros((3, 3, 3)), np.zeros((3, 3)), np.zeros((468, 3)), ones)
    landmarks = np.random.default_rng(0).uniform(20, 80, (478, 3)).astype(np.float32)
    few = [FaceSample(t, np.zeros((100, 100, 3), np.uint8), landmarks) for t in range(samples)]
    both = Brighten()
    return identity_preserving_strength(motion, both, Target("happy", intensity=intensity), both, few, embed_with(loss))


def test_an_edit_within_the_budget_keeps_its_strength():
    assert strength(1 - MIN_MEAN_COSINE) == pytest.approx(1.0, abs=0.03)


def test_a_harmless_one_becomes_stronger_but_not_without_end():
    assert strength((1 - MIN_MEAN_COSINE) / 1.2) == pytest.approx(1.2, abs=0.06)
    assert strength(0.1 * (1 - MIN_MEAN_COSINE)) == MAX_STRENGTH


def test_a_harmful_one_is_held_to_the_budget():
    assert strength(1.5 * (1 - MIN_MEAN_COSINE)) == pytest.approx(1 / 1.5, abs=0.09)


def test_but_never_below_the_weakest():
    assert strength(1.0) == MIN_STRENGTH


def test_the_users_intensity_does_not_matter():
    assert strength(1.5 * (1 - MIN_MEAN_COSINE), intensity=2.0) == strength(1.5 * (1 - MIN_MEAN_COSINE), intensity=0.3)


def test_without_samples_the_strength_stays():
    assert strength(1.0, samples=0) == 1.0

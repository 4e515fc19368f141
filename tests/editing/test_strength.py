"""The edit strength is the largest that preserves identity, within bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.editing.strength import MAX_STRENGTH, MIN_MEAN_COSINE, MIN_STRENGTH, FaceSample, identity_preserving_strength
from asccl.types import Motion

SAMPLES = 3


def direct(motion: Motion, target: Target) -> Motion:
    """A director that sets every coefficient to the intensity."""
    return replace(motion, coefficients=np.full_like(motion.coefficients, target.intensity))


class BrighteningRenderer:
    """A renderer whose plan is a brightness: 200 x the intensity."""

    def plan(self, motion: Motion, edited: Motion) -> float:
        return 200 * float(edited.coefficients[0, 0])

    def start(self, plan: float) -> BrighteningSession:
        return BrighteningSession(plan)


class BrighteningSession:
    def __init__(self, brightness: float):
        self.brightness = brightness

    def render(self, image, landmarks, t):
        return np.full_like(image, self.brightness)


def embed_with(loss: float):
    """Embeddings with a cosine of 1 - loss x brightness / 200 to a black image."""

    def embed(crops: np.ndarray) -> np.ndarray:
        cosine = 1 - loss * crops.mean((1, 2, 3)) / 200
        return np.stack([cosine, np.sqrt(np.clip(1 - cosine**2, 0, 1))], 1)

    return embed


def synthetic_clip(samples: int = SAMPLES) -> tuple[Motion, list[FaceSample]]:
    ones = np.ones(SAMPLES, np.float32)
    zeros = np.zeros((SAMPLES, 3))
    motion = Motion(np.zeros((SAMPLES, 52)), ones, np.zeros((SAMPLES, 3, 3)), zeros, np.zeros((468, 3)), ones)
    landmarks = np.random.default_rng(0).uniform(20, 80, (478, 3)).astype(np.float32)
    return motion, [FaceSample(t, np.zeros((100, 100, 3), np.uint8), landmarks) for t in range(samples)]


def strength(loss: float, intensity: float = 1.0, samples: int = SAMPLES) -> float:
    motion, faces = synthetic_clip(samples)
    target = Target("happy", intensity=intensity)
    return identity_preserving_strength(motion, direct, target, BrighteningRenderer(), faces, embed_with(loss))


def test_an_edit_within_the_budget_keeps_its_strength():
    assert strength(1 - MIN_MEAN_COSINE) == pytest.approx(1.0, abs=0.03)


def test_a_harmless_edit_becomes_stronger():
    assert strength((1 - MIN_MEAN_COSINE) / 1.2) == pytest.approx(1.2, abs=0.06)


def test_no_edit_exceeds_the_largest_strength():
    assert strength(0.1 * (1 - MIN_MEAN_COSINE)) == MAX_STRENGTH


def test_a_harmful_edit_is_held_to_the_budget():
    assert strength(1.5 * (1 - MIN_MEAN_COSINE)) == pytest.approx(1 / 1.5, abs=0.09)


def test_no_edit_falls_below_the_smallest_strength():
    assert strength(1.0) == MIN_STRENGTH


def test_the_users_intensity_does_not_matter():
    assert strength(1.5 * (1 - MIN_MEAN_COSINE), intensity=2.0) == strength(1.5 * (1 - MIN_MEAN_COSINE), intensity=0.3)


def test_what_is_removed_does_not_count():
    """A removal that costs more than the budget leaves the strength of what is added as it is."""

    def direct_with_removal(motion: Motion, target: Target) -> Motion:
        coefficients = np.full_like(motion.coefficients, 0.5 * target.removed_share)
        coefficients[:, 1:] = target.intensity
        return replace(motion, coefficients=coefficients)

    class Renderer(BrighteningRenderer):
        def plan(self, motion: Motion, edited: Motion) -> float:
            return 100 * float(edited.coefficients[0, 0] + edited.coefficients[0, 1])

    def embed(crops: np.ndarray) -> np.ndarray:
        angle = np.arccos(MIN_MEAN_COSINE) * crops.mean((1, 2, 3)) / 100  # the budget for an intensity of 1
        return np.stack([np.cos(angle), np.sin(angle)], 1)

    motion, faces = synthetic_clip()
    chosen = identity_preserving_strength(motion, direct_with_removal, Target("sad"), Renderer(), faces, embed)
    assert chosen == pytest.approx(1.0, abs=0.05)


def test_without_samples_the_strength_is_1():
    assert strength(1.0, samples=0) == 1.0

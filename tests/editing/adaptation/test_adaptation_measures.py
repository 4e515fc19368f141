"""Measures of an edit are those of the networks alone, from one pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from media import astronaut

from asccl import zoo
from asccl.editing.adaptation.measures import compare_frames, expression_views, load_adaptation_networks, read_networks
from asccl.editing.models import load_models
from asccl.face.crop import arcface_crop, expression_crop

NO_LIPS = np.zeros((1, 40, 2))


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    points = load_models().landmarker.detect(astronaut())
    assert points is not None
    return points


@pytest.fixture(scope="module")
def frames(landmarks):
    """Measures of the portrait, and of its darker, blurred likeness."""
    networks, image = load_adaptation_networks(), astronaut()
    return tuple(networks.measure(x, landmarks, 0) for x in (image, (0.7 * image).astype(np.uint8)))


def test_an_unchanged_frame_costs_nothing(frames):
    measures = compare_frames(frames[:1], frames[:1], NO_LIPS)
    assert {measures.cost(name) for name in measures.costs} == {0.0}


def test_the_identity_cost_is_1_minus_the_cosine_of_the_embedder(frames, landmarks):
    crops = np.stack([arcface_crop(x, landmarks) for x in (astronaut(), (0.7 * astronaut()).astype(np.uint8))])
    a, b = zoo.load_embedder().embed(crops)
    assert compare_frames(frames[:1], frames[1:], NO_LIPS).cost("identity") == pytest.approx(1 - float(a @ b), abs=1e-5)


def test_the_scc_cost_is_1_minus_the_score_of_the_metric(frames, landmarks):
    crops = np.stack([arcface_crop(x, landmarks) for x in (astronaut(), (0.7 * astronaut()).astype(np.uint8))])
    x = torch.tensor(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        score = float(zoo.load_metric()(x[:1], x[1:], samples=196))
    assert compare_frames(frames[:1], frames[1:], NO_LIPS).cost("scc") == pytest.approx(1 - score, abs=1e-5)


def test_the_lip_cost_is_the_mean_squared_distance(frames):
    shifts = np.zeros((1, 40, 2))
    shifts[..., 0] = 3.0
    assert compare_frames(frames[:1], frames[:1], shifts).cost("lips") == pytest.approx(9.0)


@pytest.mark.parametrize("view", range(4))
def test_every_second_view_differs_from_the_crop(view, landmarks):
    crop = expression_crop(astronaut(), landmarks)
    plain, altered = expression_views(crop, view)
    assert (plain == crop).all()
    assert np.abs(altered.astype(int) - crop).mean() > 1


def test_a_reference_is_read_by_both_networks(landmarks):
    features, probabilities = read_networks(expression_crop(astronaut(), landmarks)[None])
    assert [f.shape for f in features] == [(256,), (256,)]
    assert [p.sum() for p in probabilities] == pytest.approx([1, 1], abs=1e-5)

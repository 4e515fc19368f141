"""One plan decides a preview and an edit: who directs, how strongly, and in which frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asccl import EditRequest
from asccl.directors.manipulator import ManipulatorDirector
from asccl.directors.preset import PresetDirector
from asccl.directors.reference import ReferenceDirector
from asccl.editing.adaptation.measures import read_networks
from asccl.editing.cache import KeyedCache
from asccl.editing.frames import MIN_SAMPLES, EditFrames, FrameSampler, observe_clip
from asccl.editing.models import Models, load_models
from asccl.editing.plan import FADE_SECONDS, EditPlan, plan_edit, select_director, time_range_weight
from asccl.editing.preview import PreviewSession
from asccl.errors import SettingError, WeightsError
from asccl.progress import Progress
from asccl.types import DetectedFace
from asccl.video import Limits

RANGE = {"start": 0.35, "end": 0.95}
SOFT_TIMES = (0.4, 0.5, 0.6, 0.8, 0.9)  # seconds, within `FADE_SECONDS` of an end of the range


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def session(short_clip: Path, models: Models, editor) -> PreviewSession:
    (face,) = editor.faces(short_clip)
    assert isinstance(face, DetectedFace)
    return PreviewSession.open(short_clip, face, models, Limits())


def plan_at(session: PreviewSession, request: EditRequest, models: Models, time: float) -> EditPlan:
    """The plan of a preview whose last frame lies at a time; the sampled frames give context."""
    times = np.full(len(session.frames.motion), np.nan)
    times[-1] = time
    return plan_edit(request, EditFrames(session.face, session.frames.motion, times), models)


def change(plan: EditPlan) -> np.ndarray:
    """Change of the coefficients in the last frame, (52,)."""
    return plan.edited.coefficients[-1] - plan.motion.coefficients[-1]


@pytest.mark.parametrize("generator", ["warp", "ned"])
@pytest.mark.parametrize("time", SOFT_TIMES)
def test_a_soft_end_scales_the_change_of_a_preview_by_the_weight_of_the_edit(session, models, generator, time):
    request = EditRequest(session.path, emotion="happy", intensity=0.5, generator=generator)
    unlimited = plan_at(session, request, models, time)
    soft = plan_at(session, replace(request, **RANGE), models, time)
    weight = time_range_weight(np.array([time]), replace(request, **RANGE))[0]
    assert change(soft) == pytest.approx(weight * change(unlimited), abs=1e-5)


def test_planning_one_emotion_does_not_change_the_plan_of_another(session, models):
    happy, sad = (EditRequest(session.path, emotion=emotion) for emotion in ("happy", "sad"))
    first = plan_at(session, happy, models, 0.5)
    plan_at(session, sad, models, 0.5)
    image, landmarks = session.frames.images[0], session.frames.landmarks[0]
    before = first.start().render(image, landmarks, 0)
    np.testing.assert_array_equal(before, plan_at(session, happy, models, 0.5).start().render(image, landmarks, 0))


def test_a_plan_does_not_depend_on_the_strength_search_before_it(session, models):
    request = EditRequest(session.path, emotion="angry")
    fresh = replace(session.face, plan_steps=KeyedCache(8))
    frames = EditFrames(fresh, session.frames.motion, np.zeros(len(session.frames.motion)))
    first, second = plan_edit(request, frames, models), plan_edit(request, frames, models)
    np.testing.assert_array_equal(first.edited.coefficients, second.edited.coefficients)


def test_expression_networks_read_the_samples_of_a_file_once(short_clip, models, monkeypatch):
    batches: list[np.ndarray] = []
    monkeypatch.setattr(
        "asccl.editing.frames.read_networks", lambda crops: batches.append(crops) or read_networks(crops)
    )
    models = replace(models, expression=None)  # which would read them again
    request = EditRequest(short_clip, emotion="happy", adapt=False)
    clip, face = observe_clip(request, models, Limits(), Progress())
    with clip:
        plan_edit(request, EditFrames(face, clip.motion, clip.times), models)
    assert [len(crops) for crops in batches] == [len(face.samples)]


def test_context_frames_keep_their_weight_outside_of_the_range(short_clip):
    request = EditRequest(short_clip, emotion="happy", start=10.0)
    assert time_range_weight(np.array([np.nan, 0.0]), request).tolist() == [1, 0]


def test_the_weight_of_a_range_rises_and_falls_within_its_ends(short_clip):
    request = EditRequest(short_clip, emotion="happy", start=1.0, end=3.0)
    times = np.array([0.9, 1.0, 1.0 + FADE_SECONDS / 2, 1.0 + FADE_SECONDS, 3.0 - FADE_SECONDS, 3.0])
    assert time_range_weight(times, request) == pytest.approx([0, 0, 0.5, 1, 1, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"emotion": "happy"}, PresetDirector),
        ({"reference": "clip.mp4"}, ReferenceDirector),
        ({"emotion": "happy", "reference": "clip.mp4"}, ReferenceDirector),
        ({"emotion": "happy", "generator": "ned"}, ManipulatorDirector),
    ],
)
def test_the_request_selects_the_director(options, kind, models):
    assert isinstance(select_director(EditRequest("talk.mp4", **options), models.head), kind)


@pytest.mark.parametrize("frames", [1, 4, 7, 8, 24, 100, 1000])
def test_a_sampler_keeps_few_frames_evenly_spread(frames):
    sampler, image = FrameSampler(), np.zeros((1, 1, 3), np.uint8)
    for index in range(frames):
        sampler.offer(index, image)
    indices = [index for index, _ in sampler.frames]
    assert min(frames, MIN_SAMPLES) <= len(indices) < 2 * MIN_SAMPLES
    assert len(set(np.diff(indices))) <= 1


def test_an_observed_clip_has_samples_with_landmarks(short_clip, models):
    clip, face = observe_clip(EditRequest(short_clip, emotion="happy"), models, Limits(), Progress())
    with clip:
        assert MIN_SAMPLES <= len(face.samples) < 2 * MIN_SAMPLES
        assert all(np.isfinite(s.landmarks).all() for s in face.samples)


def test_another_manipulator_is_taken_from_its_file(models: Models, tmp_path: Path) -> None:
    request = EditRequest("a.mp4", emotion="sad", generator="ned", manipulator=tmp_path / "mine.safetensors")
    with pytest.raises(WeightsError, match=r"mine\.safetensors"):
        select_director(request, models.head)


def test_a_manipulator_needs_its_generator(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="takes no manipulator"):
        EditRequest("a.mp4", emotion="sad", manipulator=tmp_path / "mine.safetensors")

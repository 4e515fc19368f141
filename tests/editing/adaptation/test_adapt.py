"""An edit is adapted to one face, unless the request says otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asccl import Editor, EditRequest
from asccl.editing.adaptation.adapt import SAMPLE_COUNT, adaptation_goal
from asccl.editing.adaptation.outcome import emotion_outcome
from asccl.editing.cache import KeyedCache
from asccl.editing.frames import EditFrames
from asccl.editing.models import load_models
from asccl.editing.plan import EditPlan, plan_edit
from asccl.editing.preview import PreviewSession
from asccl.errors import CancelledError
from asccl.morphable.speech import speech_unit_mask
from asccl.progress import Progress
from asccl.video import Limits
from benchmarks.adapt import build_evaluator


@pytest.fixture(scope="module")
def session(still: Path, editor) -> PreviewSession:
    (face,) = editor.faces(still)
    return PreviewSession.open(still, face, load_models(), Limits())


def plan(session: PreviewSession, **options) -> EditPlan:
    request = EditRequest(session.path, **{"emotion": "fear", **options})
    frames = EditFrames(session.face, session.frames.motion, np.zeros(len(session.frames.motion)))
    return plan_edit(request, frames, load_models())


@pytest.mark.parametrize("emotion", ["disgusted", "sad"])
def test_an_adapted_edit_reads_better_than_a_plain_preset_of_the_same_raw_shift(session, emotion):
    adaptation = plan(session, emotion=emotion).adaptation
    adapted_cost = adaptation["costs"]["raw shift"]["adapted"]
    evaluate = build_evaluator(session, emotion, SAMPLE_COUNT)
    with evaluate.workers():
        strengths = np.linspace(0.5, 1.0, 6) * adaptation["plain_strength"]
        edits = [evaluate(strength, np.zeros(len(evaluate.head.names))) for strength in strengths]
    readings = [adaptation_goal(evaluate.target).readability(e.logits, e.features) for e in edits]
    reading = np.interp(adapted_cost, [e.cost("raw shift") for e in edits], readings)
    assert adaptation["readability"]["adapted"] > reading


def test_an_adapted_edit_shifts_the_embedding_less_than_the_plain_preset(session):
    cost = plan(session, emotion="angry").adaptation["costs"]["raw shift"]
    assert cost["adapted"] < 0.9 * cost["plain"]


def test_an_adapted_edit_keeps_the_bound_of_the_identity(session):
    cost = plan(session).adaptation["costs"]["identity"]
    assert cost["adapted"] <= 1.05 * cost["bound"]


def test_offsets_leave_the_units_of_speech(session):
    assert (plan(session).target.offsets[speech_unit_mask(load_models().head.names)] == 0).all()


def test_the_same_file_gives_the_same_offsets(session):
    fresh = replace(session, face=replace(session.face, plan_steps=KeyedCache(8)))
    np.testing.assert_array_equal(plan(fresh).target.offsets, plan(session).target.offsets)


@pytest.mark.parametrize("options", [{"adapt": False}, {"generator": "ned"}, {"intensity": 0.0}])
def test_other_edits_follow_the_plain_preset(session, options):
    unadapted = plan(session, **options)
    assert unadapted.target.offsets == 0.0
    assert unadapted.adaptation == {}


def test_an_edit_that_costs_nothing_can_be_planned(session):
    """A neutral edit of a face at rest takes nothing away, so its costs are 0."""
    assert plan(session, emotion="neutral").adaptation["costs"]["scc"]["plain"] == pytest.approx(0, abs=0.05)


def measured(after: float | None) -> dict:
    return {"after": after}


def searched(probability: float, *limits: str) -> dict:
    return {"probability": {"plain": 0.1, "adapted": probability}, "held_back_by": list(limits)}


def test_a_weak_edit_says_what_held_it_back():
    outcome = emotion_outcome(measured(0.1), searched(0.2, "identity", "units"))
    assert outcome["weak"] is True
    assert outcome["reason"] == (
        "More would make the person look like somebody else;"
        " at this intensity, the movements of the face are at their limit."
    )


def test_a_readable_edit_needs_no_reason():
    assert emotion_outcome(measured(0.9), searched(0.6, "identity"))["reason"] is None


def test_a_plain_edit_is_weak_by_what_was_measured():
    assert emotion_outcome(measured(0.05), {})["weak"] is True


def test_an_edit_that_was_not_measured_is_neither_weak_nor_strong():
    assert emotion_outcome(measured(None), {})["weak"] is None


def test_the_first_quick_preview_of_an_emotion_shows_the_plain_preset(still: Path):
    editor, request = Editor(), EditRequest(still, emotion="fear")
    plain = editor.preview(replace(request, adapt=False), 0.0).edited
    first = editor.quick_preview(request, 0.0)
    assert not first.is_final
    np.testing.assert_array_equal(first.edited, plain)
    adapted = editor.preview(request, 0.0)
    assert (adapted.edited != plain).any()
    again = editor.quick_preview(request, 0.0)
    assert again.is_final
    np.testing.assert_array_equal(again.edited, adapted.edited)


def test_an_adaptation_can_be_cancelled(still: Path):
    editor, request = Editor(), EditRequest(still, emotion="fear")
    with pytest.raises(CancelledError):
        editor.preview(request, 0.0, progress=Progress(cancelled=lambda: True))

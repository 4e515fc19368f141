from __future__ import annotations

import numpy as np
import pytest

from asccl.face.mesh import FACE_OVAL
from asccl.face.presence import Evidence, compute_presence, share_outside

VISIBLE = Evidence(score=1.0, yaw=0.0, pitch=0.0, roll=0.0, x=9.0, y=9.0, size=9.0, outside=0.0, covered=0.0)
ABSENT = Evidence()


def test_visible_frames_are_present_without_a_reason():
    result = compute_presence([VISIBLE] * 10, 30.0)
    assert result.presence.tolist() == [1.0] * 10
    assert result.presence.dtype == np.float32
    assert result.shot.dtype == np.int32
    assert result.reasons == ()


def test_no_frames():
    assert len(compute_presence([], 30.0).presence) == 0


def test_a_missing_span_has_ramps_in_the_good_frames():
    presence = compute_presence([VISIBLE] * 20 + [ABSENT] * 6 + [VISIBLE] * 20, 30.0).presence
    assert (presence[20:26] == 0).all()
    assert presence[0] == presence[-1] == 1
    assert 0 < presence[19] < presence[18] < presence[17] < 1
    assert presence[14] == 1
    assert np.allclose(presence, presence[::-1])


def test_short_gaps_are_bridged_and_longer_ones_not():
    assert (compute_presence([VISIBLE] * 9 + [ABSENT] * 2 + [VISIBLE] * 9, 30.0).presence == 1).all()
    assert compute_presence([VISIBLE] * 9 + [ABSENT] * 3 + [VISIBLE] * 9, 30.0).reasons == ((9, 11, "missing"),)


def test_no_ramp_across_a_cut():
    result = compute_presence(
        [ABSENT] * 9
        + [VISIBLE._replace(change=0.9, two_frame_change=0.9), VISIBLE._replace(two_frame_change=0.9)]
        + [VISIBLE] * 8,
        30.0,
    )
    assert result.shot.tolist() == [0] * 9 + [1] * 10
    assert (result.presence[9:] == 1).all()


@pytest.mark.parametrize(("yaw", "pitch", "full"), [(35, 0, True), (-35, 25, True), (0, -25, True), (70, 0, False)])
def test_turns(yaw, pitch, full):
    result = compute_presence([VISIBLE._replace(yaw=float(yaw), pitch=float(pitch))] * 9, 30.0)
    assert (result.presence == (1 if full else 0)).all()
    assert result.reasons == (() if full else ((0, 8, "turned"),))


def test_turning_fades():
    presence = compute_presence([VISIBLE._replace(yaw=float(y)) for y in np.linspace(0, 80, 80)], 30.0).presence
    assert (np.diff(presence) <= 1e-6).all()
    assert ((presence > 0) & (presence < 1)).sum() >= 5


def test_a_short_visible_span_between_two_missing_ones_is_not_edited():
    result = compute_presence([VISIBLE] * 20 + [ABSENT] * 9 + [VISIBLE] * 5 + [ABSENT] * 9 + [VISIBLE] * 20, 30.0)
    assert result.reasons == ((20, 42, "missing"),)


def test_another_persons_face_counts_back_to_the_last_recognition():
    frames = [VISIBLE] * 30 + [VISIBLE._replace(was_wrong_person=True, reacquired=True)] + [VISIBLE] * 20
    frames[10] = VISIBLE._replace(identity_cosine=0.8)
    result = compute_presence(frames, 30.0)
    assert result.reasons == ((11, 29, "missing"),)


def test_a_face_is_hidden_only_for_three_frames_or_more():
    covered = VISIBLE._replace(covered=0.5)
    assert compute_presence([VISIBLE] * 9 + [covered] * 2 + [VISIBLE] * 9, 30.0).reasons == ()
    assert compute_presence([VISIBLE] * 9 + [covered] * 6 + [VISIBLE] * 9, 30.0).reasons == ((9, 14, "hidden"),)


def test_a_fast_pan_is_no_cut_but_a_cut_in_motion_is():
    pan = [VISIBLE._replace(change=0.5, two_frame_change=0.8)] * 8
    assert compute_presence([VISIBLE] * 5 + pan + [VISIBLE] * 5, 30.0).shot.max() == 0
    moving = [VISIBLE._replace(change=0.1, two_frame_change=0.15)] * 8
    cut = [VISIBLE._replace(change=0.6, two_frame_change=0.6), VISIBLE._replace(change=0.1, two_frame_change=0.6)]
    assert compute_presence([*moving, *cut, *moving], 30.0).shot.max() == 1


def test_share_outside_of_a_square_frame():
    points = np.zeros((478, 2))
    angle = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL)] = np.stack([50 + 20 * np.cos(angle), 50 + 20 * np.sin(angle)], 1)
    assert share_outside(points, 100, 100) == 0
    assert share_outside(points - (50.5, 0), 100, 100) == pytest.approx(0.5, abs=0.01)
    assert share_outside(points + 500, 100, 100) == 1


@pytest.mark.parametrize("rate", [0.0, 5.0, 25.0, 240.0])
def test_any_frame_rate(rate):
    presence = compute_presence([VISIBLE] * 100 + [ABSENT] * 9 + [VISIBLE] * 100, rate).presence
    assert presence[0] == presence[-1] == 1
    assert (presence[100:109] == 0).all()

from __future__ import annotations

import numpy as np
import pytest

from asccl.face.mesh import FACE_OVAL
from asccl.face.presence import Evidence, compute_presence, share_outside

GOOD = Evidence(score=1.0, yaw=0.0, pitch=0.0, roll=0.0, x=9.0, y=9.0, size=9.0, outside=0.0, covered=0.0)
GONE = Evidence()


def test_plain_frames_are_present_and_nothing_else_is_said():
    judged = compute_presence([GOOD] * 10, 30.0)
    assert judged.presence.tolist() == [1.0] * 10
    assert judged.presence.dtype == np.float32
    assert judged.shot.dtype == np.int32
    assert judged.reasons == ()


def test_no_frames():
    assert len(compute_presence([], 30.0).presence) == 0


def test_a_missing_span_has_ramps_in_the_good_frames():
    presence = compute_presence([GOOD] * 20 + [GONE] * 6 + [GOOD] * 20, 30.0).presence
    assert (presence[20:26] == 0).all()
    assert presence[0] == presence[-1] == 1
    assert 0 < presence[19] < presence[18] < presence[17] < 1
    assert presence[14] == 1
    assert np.allclose(presence, presence[::-1])


def test_short_gaps_are_bridged_and_longer_ones_not():
    assert (compute_presence([GOOD] * 9 + [GONE] * 2 + [GOOD] * 9, 30.0).presence == 1).all()
    assert compute_presence([GOOD] * 9 + [GONE] * 3 + [GOOD] * 9, 30.0).reasons == ((9, 11, "missing"),)


def test_no_ramp_across_a_cut():
    judged = compute_presence(
        [GONE] * 9 + [GOOD._replace(change=0.9, back=0.9), GOOD._replace(back=0.9)] + [GOOD] * 8, 30.0
    )
    assert judged.shot.tolist() == [0] * 9 + [1] * 10
    assert (judged.presence[9:] == 1).all()


@pytest.mark.parametrize(("yaw", "pitch", "full"), [(35, 0, True), (-35, 25, True), (0, -25, True), (70, 0, False)])
def test_turns(yaw, pitch, full):
    judged = compute_presence([GOOD._replace(yaw=float(yaw), pitch=float(pitch))] * 9, 30.0)
    assert (judged.presence == (1 if full else 0)).all()
    assert judged.reasons == (() if full else ((0, 8, "turned"),))


def test_turning_fades():
    presence = compute_presence([GOOD._replace(yaw=float(y)) for y in np.linspace(0, 80, 80)], 30.0).presence
    assert (np.diff(presence) <= 1e-6).all()
    assert ((presence > 0) & (presence < 1)).sum() >= 5


def test_a_glimpse_between_two_bad_spans_is_not_edited():
    judged = compute_presence([GOOD] * 20 + [GONE] * 9 + [GOOD] * 5 + [GONE] * 9 + [GOOD] * 20, 30.0)
    assert judged.reasons == ((20, 42, "missing"),)


def test_a_stranger_counts_back_to_the_last_recognition():
    frames = [GOOD] * 30 + [GOOD._replace(stranger=True, jumped=True)] + [GOOD] * 20
    frames[10] = GOOD._replace(likeness=0.8)
    judged = compute_presence(frames, 30.0)
    assert judged.reasons == ((11, 29, "missing"),)


def test_hidden_needs_more_than_a_moment():
    covered = GOOD._replace(covered=0.5)
    assert compute_presence([GOOD] * 9 + [covered] * 2 + [GOOD] * 9, 30.0).reasons == ()
    assert compute_presence([GOOD] * 9 + [covered] * 6 + [GOOD] * 9, 30.0).reasons == ((9, 14, "hidden"),)


def test_a_fast_pan_is_no_cut_but_a_cut_in_motion_is():
    pan = [GOOD._replace(change=0.5, back=0.8)] * 8
    assert compute_presence([GOOD] * 5 + pan + [GOOD] * 5, 30.0).shot.max() == 0
    moving = [GOOD._replace(change=0.1, back=0.15)] * 8
    cut = [GOOD._replace(change=0.6, back=0.6), GOOD._replace(change=0.1, back=0.6)]
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
    presence = compute_presence([GOOD] * 100 + [GONE] * 9 + [GOOD] * 100, rate).presence
    assert presence[0] == presence[-1] == 1
    assert (presence[100:109] == 0).all()

"""Where the warp renderer moves the landmarks of brows, lips and lids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asccl.face import mesh
from asccl.renderers.warp.displacement import (
    MAX_LID_CLOSING,
    MAX_LID_OPENING,
    MIN_EYE_ASPECT,
    NARROW_LID_OPENING,
    Displacement,
)
from asccl.renderers.warp.field import face_size
from asccl.renderers.warp.lips import MIN_SCALED_LIP_GAP


def moved(head, face, **units: float) -> np.ndarray:
    """Displacement (468, 3) of the face under a change of units."""
    _, landmarks, motion = face
    w = motion.coefficients.copy()
    for name, change in units.items():
        w[0, head.index[name]] += change
    return Displacement(head)(motion, replace(motion, coefficients=w), 0, landmarks)


def test_lips_keep_their_gap_times_the_gain(head, face):
    _, landmarks, motion = face
    w = motion.coefficients.copy()
    w[0, [head.index[n] for n in ("mouthSmileLeft", "mouthUpperUpRight", "mouthFrownLeft")]] += 0.5
    upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    axis = motion.rotation[0, :2, 1] / np.linalg.norm(motion.rotation[0, :2, 1])
    gap = (landmarks[lower, :2] - landmarks[upper, :2]) @ axis
    for gain in (1.0, 1.3):
        d = Displacement(head)(motion, replace(motion, coefficients=w, lip_gain=np.array([gain])), 0, landmarks)
        new = gap + (d[lower, :2] - d[upper, :2]) @ axis
        expected = gap + (gain - 1) * np.clip(gap - MIN_SCALED_LIP_GAP * face_size(landmarks), 0, None)
        assert new == pytest.approx(expected, abs=0.02 * face_size(landmarks))


@pytest.mark.parametrize(("closing", "share"), [(0.5, 0.5), (3.0, 1.0)])
def test_lips_close_at_least_by_as_much_as_asked_and_never_pass_each_other(head, face, closing, share):
    _, landmarks, motion = face
    upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    axis = motion.rotation[0, :2, 1] / np.linalg.norm(motion.rotation[0, :2, 1])
    gap = (landmarks[lower, :2] - landmarks[upper, :2]) @ axis
    middle_cm = gap[3:6].mean() / motion.scale[0]
    edited = replace(motion, lip_closing=np.array([closing * middle_cm]))
    d = Displacement(head)(motion, edited, 0, landmarks)
    new, tolerance = gap + (d[lower, :2] - d[upper, :2]) @ axis, 0.02 * gap.max()
    assert (new <= (1 - share) * gap + tolerance).all()
    assert (new >= -tolerance).all()


@pytest.mark.parametrize(("share", "rest"), [(0.3, 0.7), (0.8, 0.12)])
def test_lips_that_close_nearly_meet(head, face, share, rest):
    """A narrow gap that is left of a wide one would show as a dark bar."""
    _, landmarks, motion = face
    gap = 0.15 * face_size(landmarks)
    open_face = landmarks.copy()
    open_face[list(mesh.LOWER_INNER_LIP), 1] += gap - (open_face[14, 1] - open_face[13, 1])
    closing = np.array([share * gap / motion.scale[0]])
    d = Displacement(head)(motion, replace(motion, lip_closing=closing), 0, open_face)
    assert gap + d[14, 1] - d[13, 1] == pytest.approx(rest * gap, abs=0.05 * gap)


def test_stretched_lips_get_wider_more_than_their_corners_go_down(head, face):
    d = moved(head, face, mouthStretchLeft=1.0, mouthStretchRight=1.0)
    right, left = d[list(mesh.OUTER_LIP_CORNERS)]
    assert left[0] - right[0] > 5 * max(left[1], right[1])


def test_a_raised_upper_lip_does_not_spread_over_its_corners(head, face):
    names, row = ("mouthUpperUpLeft", "mouthUpperUpRight"), list(mesh.UPPER_OUTER_LIP)
    unit = head.expression[[head.index[name] for name in names]].sum(0)
    spread = face[2].scale[0] * np.ptp(unit[row, 0])
    assert np.ptp(moved(head, face, **dict.fromkeys(names, 1.0))[row, 0]) < 0.6 * spread


def test_brows_keep_their_thickness(head, face):
    d = moved(head, face, browDownLeft=1.0, browDownRight=1.0)
    top, low = d[list(mesh.LEFT_BROW_TOP), 1], d[list(mesh.LEFT_BROW_LOW), 1]
    assert top.mean() > 1
    assert np.abs(top - low).max() < 0.35 * np.abs(top).max()


def test_a_smile_lifts_the_corners_and_leaves_the_middle_of_the_lips(head, face):
    d = moved(head, face, mouthSmileLeft=0.5, mouthSmileRight=0.5)
    corners, middle = d[list(mesh.OUTER_LIP_CORNERS), 1], d[[13, 14], 1]
    assert (corners < -3).all()
    assert np.abs(middle).max() < 0.15 * np.abs(corners).min()


def test_the_line_of_the_lips_smiles_as_an_arc_without_a_point_in_its_middle(head, face):
    units = {"mouthSmile": 0.5, "mouthFrown": -0.4, "mouthDimple": 0.35}
    change = {name + side: value for name, value in units.items() for side in ("Left", "Right")}
    d = moved(head, face, mouthShrugLower=-0.4, **change)
    line = 0.5 * (d[list(mesh.UPPER_INNER_LIP), 1] + d[list(mesh.LOWER_INNER_LIP), 1])
    slopes = np.diff(line) / np.diff(head.neutral[list(mesh.UPPER_INNER_LIP), 0])
    bends = -np.diff(slopes)[:7]
    assert np.ptp(line) > 3
    assert bends.min() > 0
    assert bends[[2, 3, 4]].max() < 0.9 * bends[[0, 6]].min()  # flatter in the middle than beside the corners


def test_lips_next_to_a_corner_of_the_mouth_move_with_it(head):
    """Or they slide past it, and the corner stands out as a line in the cheek."""
    units = [head.index["mouthSmileLeft"], head.index["mouthSmileRight"]]
    raw, held = head.expression[units].sum(0), Displacement(head).expression[units].sum(0)
    outer, inner = list(mesh.OUTER_LIP_CORNERS), list(mesh.INNER_LIP_CORNERS)
    assert held[outer, 1] == pytest.approx(raw[outer, 1], rel=0.03)
    assert held[inner, 1] == pytest.approx(raw[inner, 1], rel=0.001)
    middle = [mesh.UPPER_OUTER_LIP[4], mesh.LOWER_OUTER_LIP[4]]
    for row, sign in (
        (mesh.UPPER_OUTER_LIP, 1),
        (mesh.LOWER_OUTER_LIP, -1),
    ):  # the ends of both rows keep their side of it
        ends = head.neutral[[row[0], row[-1]], 1] + 0.5 * held[[row[0], row[-1]], 1]
        assert (sign * (head.neutral[inner, 1] + 0.5 * held[inner, 1] - ends) > 0).all()
    assert (np.abs(held[middle, 1]) < 0.75 * np.abs(raw[middle, 1])).all()  # while the middle of the lips is held


def test_lids_open_no_further_than_an_eye_has_to_show(head, face):
    _, landmarks, _ = face
    d = moved(head, face, eyeWideLeft=2.0)
    upper, lower = list(mesh.LEFT_EYE[9:16]), list(mesh.LEFT_EYE[7:0:-1])
    before = np.linalg.norm(landmarks[lower, :2] - landmarks[upper, :2], axis=1).mean()
    opened = np.linalg.norm((landmarks[:468] + d)[lower, :2] - (landmarks[:468] + d)[upper, :2], axis=1).mean()
    assert 1.1 < opened / before < 1.12 + MAX_LID_OPENING


def test_eyes_that_are_wide_already_open_little_more(head, face):
    _, landmarks, motion = face
    wide = landmarks.copy()
    upper, lower = list(mesh.LEFT_EYE[9:16]), list(mesh.LEFT_EYE[7:0:-1])
    length = np.linalg.norm(landmarks[263] - landmarks[362])
    wide[upper, 1] -= 0.36 * length - (landmarks[lower, 1] - landmarks[upper, 1]).mean()
    w = motion.coefficients.copy()
    w[0, head.index["eyeWideLeft"]] += 2
    d = Displacement(head)(motion, replace(motion, coefficients=w), 0, wide)
    assert (d[lower, 1] - d[upper, 1]).mean() < 0.06 * length


def test_lids_never_squint_an_eye_shut(head, face):
    _, landmarks, _ = face
    d = moved(head, face, eyeSquintLeft=2.0, eyeBlinkLeft=0.5)
    upper, lower = list(mesh.LEFT_EYE[9:16]), list(mesh.LEFT_EYE[7:0:-1])
    before = (landmarks[lower, 1] - landmarks[upper, 1]).mean()
    after = ((landmarks[:468] + d)[lower, 1] - (landmarks[:468] + d)[upper, 1]).mean()
    assert 0.9 - MAX_LID_CLOSING < after / before < 0.8


@pytest.mark.parametrize("eye", [mesh.RIGHT_EYE, mesh.LEFT_EYE])
def test_a_lid_that_comes_down_closes_an_eye_evenly_along_its_line(head, face, eye):
    """Or the line of the lid gets wavy: one column would close much further than its neighbour."""
    _, landmarks, _ = face
    d = moved(head, face, eyeBlinkLeft=0.5, eyeBlinkRight=0.5)
    upper, lower = list(eye[9:16]), list(eye[7:0:-1])
    columns = (landmarks[lower, :2] - landmarks[upper, :2])[1:-1]
    openings = np.linalg.norm(columns, axis=1)
    closing = -((d[lower, :2] - d[upper, :2])[1:-1] * columns).sum(1) / openings**2
    assert closing.min() > 0.2
    assert np.abs(np.diff(closing)).max() < 0.12


@pytest.mark.parametrize("eye", [mesh.RIGHT_EYE, mesh.LEFT_EYE])
def test_a_lid_that_goes_up_opens_an_eye_evenly_along_its_line(head, face, eye):
    """Or the eye opens as a triangle, most at its outer corner."""
    _, landmarks, _ = face
    d = moved(head, face, eyeWideLeft=1.5, eyeWideRight=1.5)
    upper, lower = list(eye[9:16]), list(eye[7:0:-1])
    columns = (landmarks[lower, :2] - landmarks[upper, :2])[1:-1]
    opening = ((d[lower, :2] - d[upper, :2])[1:-1] * columns).sum(1) / (columns**2).sum(1)
    assert opening.min() > 0.15
    assert np.abs(np.diff(opening)).max() < 0.12


@pytest.mark.parametrize("unit", ["eyeWide", "eyeBlink"])
def test_the_corners_of_an_eye_stay_where_its_lids_move(head, face, unit):
    d = moved(head, face, **{unit + "Left": 1.0, unit + "Right": 1.0})
    upper = np.abs(d[list(mesh.LEFT_EYE[9:16] + mesh.RIGHT_EYE[9:16]), 1]).max()
    corners = [mesh.LEFT_EYE[0], mesh.LEFT_EYE[8], mesh.RIGHT_EYE[0], mesh.RIGHT_EYE[8]]
    assert np.abs(d[corners, 1]).max() < 0.1 * upper


def test_a_slit_whose_lids_are_tracked_aslant_hardly_opens(head, face):
    """Nothing is known of what lies behind it: it would become a dark hole."""
    _, landmarks, motion = face
    upper, lower = list(mesh.LEFT_EYE[9:16]), list(mesh.LEFT_EYE[7:0:-1])
    length = np.linalg.norm(landmarks[263] - landmarks[362])
    slit = landmarks.copy()
    slit[upper, :2] = slit[lower, :2] + (0.1 * length, -0.08 * length)
    d = moved(head, (None, slit, motion), eyeWideLeft=2.0)
    assert (d[lower, 1] - d[upper, 1]).mean() < 1.2 * NARROW_LID_OPENING * 0.08 * length


def edited_aspect(head, face, aspect: float, unit: str) -> float:
    """Opening over length of a left eye that has this aspect in the source, under a strong change of a unit."""
    _, landmarks, motion = face
    upper, lower = list(mesh.LEFT_EYE[9:16]), list(mesh.LEFT_EYE[7:0:-1])
    length = np.linalg.norm(landmarks[263] - landmarks[362])
    narrow = landmarks.copy()
    narrow[upper, :2] = narrow[lower, :2] - (0, aspect * length)
    d = moved(head, (None, narrow, motion), **{unit: 2.0})
    return aspect + (d[lower, 1] - d[upper, 1]).mean() / length


@pytest.mark.parametrize("aspect", [0.13, 0.16, 0.2])
def test_narrow_eyes_do_not_become_slits(head, face, aspect):
    assert edited_aspect(head, face, aspect, "eyeSquintLeft") > min(0.95 * MIN_EYE_ASPECT, 0.75 * aspect)


@pytest.mark.parametrize(("aspect", "largest"), [(0.11, 1.25), (0.13, 1.25), (0.2, 1.75)])
def test_narrow_eyes_reveal_little_that_was_never_seen(head, face, aspect, largest):
    assert edited_aspect(head, face, aspect, "eyeWideLeft") < largest * aspect

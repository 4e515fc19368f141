"""ICface's control values of a face, and what an edit may change of them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from asccl.morphable.anny_head import load_anny_head
from asccl.nets.icface_settings import ACTION_UNITS
from asccl.renderers.icface import controls
from asccl.types import Motion

HEAD = load_anny_head()
FRAMES = 12


def motion_with(rotation: np.ndarray | None = None, **units: float) -> Motion:
    """A face with these units at constant levels."""
    coefficients = np.zeros((FRAMES, 52), np.float32)
    for name, level in units.items():
        coefficients[:, HEAD.index[name]] = level
    return Motion(
        coefficients,
        np.full(FRAMES, 10.0),
        np.tile(np.eye(3) if rotation is None else rotation, (FRAMES, 1, 1)),
        np.zeros((FRAMES, 3)),
        HEAD.neutral,
        np.ones(FRAMES, np.float32),
    )


def column(values: np.ndarray, action_unit: int) -> np.ndarray:
    return values[:, controls.control_index((action_unit,))[0]]


def test_a_face_at_rest_looks_straight_ahead_and_shows_no_action_unit():
    values = controls.motion_controls(motion_with(), HEAD.names, 0.0, 0.7)
    assert values.shape == (FRAMES, 20)
    assert (values[:, :3] == 0.5).all()
    assert (values[:, 3:] == 0).all()


@pytest.mark.parametrize(
    ("action_unit", "units", "level"),
    [
        (1, {"browInnerUp": 0.6}, 0.6),
        (12, {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.4}, 0.6),
        (17, {"mouthShrugLower": 0.2, "mouthShrugUpper": 0.5}, 0.5),
        (23, {"mouthPressLeft": 0.4, "mouthPressRight": 0.4}, 0.4),
        (23, {"mouthRollLower": 0.7}, 0.7),
        (26, {"jawOpen": 1.4}, 1.0),
        (12, {"mouthFrownLeft": -0.5, "mouthFrownRight": -0.5}, 0.5),
        (12, {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3, "mouthFrownLeft": -0.4, "mouthFrownRight": -0.4}, 0.7),
        (15, {"mouthSmileLeft": -0.2, "mouthSmileRight": -0.2}, 0.2),
        (4, {"browDownLeft": -0.5, "browDownRight": -0.5}, 0.0),
    ],
)
def test_units_of_the_head_model_become_action_units(action_unit, units, level):
    values = controls.motion_controls(motion_with(**units), HEAD.names, 0.0, 0.7)
    assert column(values, action_unit) == pytest.approx(level)
    others = [number for number in ACTION_UNITS if number != action_unit]
    assert values[:, controls.control_index(tuple(others))].max() == 0


def test_every_action_unit_has_units_of_the_head_model_except_parted_lips():
    assert {*controls.UNITS_OF_ACTION_UNIT, controls.LIPS_PART} == set(ACTION_UNITS)
    levels = controls.action_units(np.ones(52), HEAD.names)
    assert [number for number, level in zip(ACTION_UNITS, levels, strict=True) if level == 0] == [controls.LIPS_PART]


def test_the_gap_of_the_lips_parts_them():
    gaps = np.linspace(0, 4, FRAMES)
    values = column(controls.motion_controls(motion_with(), HEAD.names, gaps, 0.7), 25)
    assert values == pytest.approx(np.clip(gaps / 3, 0, 1))


def test_closed_lips_have_no_gap_and_open_ones_that_of_their_landmarks():
    landmarks = np.zeros((2, 478, 3))
    for frame, jaw in enumerate((0.0, 0.8)):
        face = motion_with(jawOpen=jaw)
        landmarks[frame, :468] = 10 * HEAD.landmarks(face.coefficients[0])
    motion = motion_with().select(np.arange(2))
    closed, opened = controls.lip_gaps(landmarks, motion)
    assert closed == 0
    assert 0.5 < opened < 4
    assert controls.lip_gaps(np.full((2, 478, 3), np.nan), motion).tolist() == [0, 0]


@pytest.mark.parametrize(("axis", "angle"), [(0, 0.3), (1, -0.4), (2, 0.2)])
def test_pose_values_are_the_angles_of_openface(axis, angle):
    rotation = Rotation.from_euler("xyz"[axis], angle).as_matrix()
    values = controls.motion_controls(motion_with(rotation), HEAD.names, 0.0, 0.7)[0, :3]
    expected = np.full(3, 0.5)
    expected[axis] += angle / 1.4
    assert values == pytest.approx(expected, abs=1e-6)


def test_three_rotations_are_taken_apart_in_the_order_of_openface():
    angles = np.array([0.2, -0.3, 0.1])
    rotation = Rotation.from_euler("XYZ", angles).as_matrix()
    assert controls.rotation_angles(rotation) == pytest.approx(angles)
    looks_down = Rotation.from_euler("x", 0.3).as_matrix() @ [0, 0, -1]  # direction of the nose, y down
    assert looks_down[1] > 0


def test_what_a_face_always_shows_is_its_shape_up_to_a_bound():
    values = np.full((FRAMES, 20), 0.1, np.float32)
    values[:, controls.control_index((12,))] = 0.9
    offsets = controls.person_offsets(values, np.ones(FRAMES))
    assert offsets[controls.control_index((4,))] == pytest.approx(0.1)
    assert offsets[controls.control_index((12,))] == pytest.approx(controls.MAX_OFFSET)
    assert offsets[[0, 1, 2, *controls.control_index((25, 26))]].tolist() == [0] * 5
    assert controls.person_offsets(values[:2], np.ones(2)).tolist() == [0] * 20


def test_an_edit_changes_the_upper_face_and_the_mean_of_the_mouth_corners_alone():
    change, weight = np.full((60, 20), 0.3), np.ones(60)
    change[::2] += 0.1  # a movement with the speech
    kept = controls.speech_preserving_change(change, weight)
    upper_face, corners = (controls.control_index(units) for units in (controls.UPPER_FACE, controls.MOUTH_CORNERS))
    assert kept[:, upper_face] == pytest.approx(change[:, upper_face])
    assert kept[:, corners] == pytest.approx(0.35, abs=0.02)
    speech = [i for i in range(20) if i not in upper_face + corners]
    assert (kept[:, speech] == 0).all()


def test_frames_that_are_not_edited_do_not_dilute_the_mouth_corners():
    weight = np.r_[np.zeros(FRAMES // 2), np.ones(FRAMES // 2)]
    change = weight[:, None] * np.full((FRAMES, 20), 0.4)
    kept = column(controls.speech_preserving_change(change, weight), 12)
    assert kept == pytest.approx(0.4 * weight)


def test_an_intensity_that_rises_over_a_clip_moves_the_mouth_corners_along():
    intensity = np.linspace(0, 1, 200)
    change = np.tile(intensity[:, None], (1, 20))
    kept = column(controls.speech_preserving_change(change, np.ones(200)), 12)
    assert kept[40:160] == pytest.approx(intensity[40:160], abs=0.01)

"""ICface's 20 control values of a face: the rotation of its head and 17 facial action units, as OpenFace measures them.

A value is 0 to 1: of an action unit its intensity from 0 to 5, divided by 5; of a rotation 0.5 for a head that looks
straight ahead, and 0 or 1 at the limit that the networks were trained with.

The action units are computed from the 52 units of the head model by the published table of blendshapes (py-feat,
after FACS and ARKit's documentation). It names no unit for AU 23 and AU 25: AU 23 (lips tightened) is read from pressed
and rolled lips, AU 25 (lips part) from the gap of the lips. The landmarks show AU 6 (cheeks) and AU 9 (nose) poorly.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter1d

from asccl.morphable.emotions import unit_indices
from asccl.nets.icface_settings import ACTION_UNITS, CONTROLS, POSE_CONTROLS
from asccl.renderers.icface.crop import upright_rotations
from asccl.renderers.neural.lip_closure import lip_gap_cm
from asccl.types import Motion

# action unit -> units of the head model without Left / Right; the strongest counts. AU 25 is measured by `lip_gaps`.
UNITS_OF_ACTION_UNIT = MappingProxyType(
    {
        1: ("browInnerUp",),
        2: ("browOuterUp",),
        4: ("browDown",),
        5: ("eyeWide",),
        6: ("cheekSquint",),
        7: ("eyeSquint",),
        9: ("noseSneer",),
        10: ("mouthUpperUp",),
        12: ("mouthSmile",),
        14: ("mouthDimple",),
        15: ("mouthFrown",),
        17: ("mouthShrugLower", "mouthShrugUpper"),
        20: ("mouthStretch",),
        23: ("mouthPress", "mouthRollLower", "mouthRollUpper"),
        26: ("jawOpen",),
        45: ("eyeBlink",),
    }
)
# action unit -> unit that moves the corners of the mouth the other way: its negative values, which edits have, count
OPPOSITE_UNITS = MappingProxyType({12: "mouthFrown", 15: "mouthSmile"})
LIPS_PART, JAW_DROP = 25, 26
FULL_LIP_GAP = 3.0  # cm between the lips at which AU 25 is at its full
UPPER_FACE = (1, 2, 4, 5, 6, 7, 9)  # action units that an emotion directs in every frame
MOUTH_CORNERS = (10, 12, 14, 15)  # action units of which an emotion moves the mean alone
MEAN_SIGMA = 15.0  # frames, Gaussian: over which that mean is taken
OFFSET_QUANTILE = 0.1  # of a person's action units over a clip, which is taken for the shape of the face
MAX_OFFSET = 0.15  # of an action unit: a face that shows more than this has an expression
MIN_OFFSET_FRAMES = 8  # a face in fewer frames gets no offset


@dataclass(frozen=True)
class MeasuredControls:
    """Control values of the source that another program measured.

    Attributes:
        values: of each frame, (T, 20) in [0, 1].
        offsets: what the person's face always has of an action unit, (20,).
    """

    values: np.ndarray
    offsets: np.ndarray


def control_index(action_units: tuple[int, ...]) -> list[int]:
    """Return the positions of action units among the control values."""
    return [POSE_CONTROLS + ACTION_UNITS.index(unit) for unit in action_units]


def motion_controls(
    motion: Motion, names: tuple[str, ...], lip_gaps_cm: np.ndarray | float, pose_limit: float
) -> np.ndarray:
    """Compute the control values of a face.

    Args:
        motion: of the face, T frames.
        names: of the 52 units.
        lip_gaps_cm: of the lips, (T,) or one number for all frames; see `lip_gaps`.
        pose_limit: of the networks, radians.

    Returns:
        (T, 20) float32 in [0, 1].
    """
    controls = np.empty((len(motion), CONTROLS), np.float32)
    controls[:, :POSE_CONTROLS] = scale_pose(rotation_angles(upright_rotations(motion)), pose_limit)
    controls[:, POSE_CONTROLS:] = action_units(motion.coefficients, names)
    controls[:, control_index((LIPS_PART,))] = lips_part(np.atleast_1d(lip_gaps_cm))[:, None]
    return controls


def action_units(coefficients: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Compute the action units of coefficients.

    Args:
        coefficients: of the head model, (..., 52).
        names: of the 52 units.

    Returns:
        (..., 17) in [0, 1], in the order of `ACTION_UNITS`; 0 for AU 25.
    """
    out = np.zeros((*coefficients.shape[:-1], len(ACTION_UNITS)), coefficients.dtype)
    for number, units in UNITS_OF_ACTION_UNIT.items():
        levels = [coefficients[..., unit_indices(unit, names)].mean(-1) for unit in units]
        level = np.max(levels, axis=0).clip(0)
        if number in OPPOSITE_UNITS:
            level -= coefficients[..., unit_indices(OPPOSITE_UNITS[number], names)].mean(-1).clip(max=0)
        out[..., ACTION_UNITS.index(number)] = level.clip(max=1)
    return out


def rotation_angles(rotation: np.ndarray) -> np.ndarray:
    """Compute OpenFace's angles of rotations R = Rx Ry Rz.

    x is positive where the head looks down, y where it turns to the left of the image, z where it rolls clockwise.

    Args:
        rotation: (..., 3, 3), of axes x right, y down and z away from the camera.

    Returns:
        (..., 3) radians about x, y and z.
    """
    x = np.arctan2(-rotation[..., 1, 2], rotation[..., 2, 2])
    y = np.arcsin(np.clip(rotation[..., 0, 2], -1, 1))
    z = np.arctan2(-rotation[..., 0, 1], rotation[..., 0, 0])
    return np.stack([x, y, z], -1)


def scale_pose(angles: np.ndarray, pose_limit: float) -> np.ndarray:
    """Convert angles (..., 3) in radians to control values in [0, 1]; `pose_limit` has the value 1."""
    return np.clip((angles + pose_limit) / (2 * pose_limit), 0, 1)


def lips_part(lip_gaps_cm: np.ndarray) -> np.ndarray:
    """Convert gaps of the lips (...) in cm to the control value of AU 25 in [0, 1]."""
    return np.clip(lip_gaps_cm / FULL_LIP_GAP, 0, 1)


def middle_lip_gap(landmarks: np.ndarray, scale: float, rotation: np.ndarray) -> float:
    """Measure the gap of the middle of the lips beyond that of closed lips, in cm.

    Args:
        landmarks: (478, 3) pixels.
        scale: pixels per cm.
        rotation: of the head, (3, 3).
    """
    return float(lip_gap_cm(landmarks, scale, rotation)[3:6].mean())


def lip_gaps(landmarks: np.ndarray, motion: Motion) -> np.ndarray:
    """Measure the gap of the lips in every frame, (T,) cm; 0 where there is no face.

    landmarks: (T, 478, 3) pixels, NaN where there is no face. motion: fitted to them, T frames.
    """
    frames = zip(landmarks, motion.scale, motion.rotation, strict=True)
    return np.nan_to_num(np.array([middle_lip_gap(points, float(s), r) for points, s, r in frames]))


def person_offsets(controls: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Estimate which part of the action units is the shape of a person's face.

    Args:
        controls: of the person, (T, 20).
        weight: of an edit, (T,); frames of weight 0 do not count.

    Returns:
        (20,) to subtract from the controls; 0 for the pose, the lips' gap and the jaw, which follow the speech.
    """
    usable = controls[weight > 0]
    if len(usable) < MIN_OFFSET_FRAMES:
        return np.zeros(controls.shape[1], controls.dtype)
    offsets = np.clip(np.quantile(usable, OFFSET_QUANTILE, axis=0), 0, MAX_OFFSET).astype(controls.dtype)
    offsets[[*range(POSE_CONTROLS), *control_index((LIPS_PART, JAW_DROP))]] = 0
    return offsets


def speech_preserving_change(change: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Keep of an edit what leaves the speech as it is.

    The upper face changes in every frame as the edit changes it. Of the corners of the mouth the mean over a second or
    so changes, which follows an intensity over time, and their movement stays. Pose, lips, jaw and blinks stay.

    Args:
        change: of the controls by the edit, (T, 20).
        weight: of the edit in each frame, (T,).

    Returns:
        (T, 20) to add to the controls of the source.
    """
    out = np.zeros_like(change)
    upper_face, corners = control_index(UPPER_FACE), control_index(MOUTH_CORNERS)
    out[:, upper_face] = change[:, upper_face]
    frame_weight = np.asarray(weight, np.float64)[:, None]
    weighted = gaussian_filter1d(frame_weight * change[:, corners], MEAN_SIGMA, axis=0, mode="reflect")
    amount = gaussian_filter1d(frame_weight**2, MEAN_SIGMA, axis=0, mode="reflect")
    out[:, corners] = frame_weight * weighted / np.maximum(amount, 1e-6)
    return out

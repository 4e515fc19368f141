"""Condition images of synthetic heads: they change where the face moves, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from face_scenes import HEAD, SIZE, SURFACE, frontal_conditions, synthetic_scene, tracked_motion, units
from scipy.ndimage import binary_erosion, binary_fill_holes

from asccl.face import mesh
from asccl.renderers.neural.conditions import Scene
from asccl.synthetic.camera import Camera
from asccl.types import Motion


def rows(area: np.ndarray) -> np.ndarray:
    """Rows that an area (H, W) covers."""
    return np.flatnonzero(area.any(-1))


def centre(area: np.ndarray) -> np.ndarray:
    """(H, W) -> (x, y)."""
    ys, xs = np.nonzero(area)
    return np.array([xs.mean(), ys.mean()])


def pixels_in_crop(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Pixels of points (..., 3) cm in the first frame's square."""
    return scene.views[0].project(points)[0] @ scene.crop_matrices[0][:, :2].T + scene.crop_matrices[0][:, 2]


def test_shapes_and_ranges():
    rng = np.random.default_rng(0)
    coefficients = rng.uniform(0, 0.4, (3, 52)).astype(np.float32)
    conditions = synthetic_scene(20, 10, 5, frames=3).conditions(coefficients)
    for images, channels in ((conditions.nmfc, 3), (conditions.shape, 3), (conditions.eyes, 3), (conditions.mask, 1)):
        assert images.shape == (3, channels, SIZE, SIZE)
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 1
    assert set(np.unique(conditions.mask)) == {0.0, 1.0}
    assert (conditions.channels[:, :9] * (1 - conditions.mask) == 0).all()
    assert 0.25 < conditions.mask.mean() < 0.6
    assert (conditions.eyes.sum(1) <= 1.001).all()


def test_no_frames_have_no_images():
    assert synthetic_scene().conditions(np.zeros((0, 52), np.float32)).channels.shape == (0, 10, SIZE, SIZE)


@pytest.mark.parametrize("yaw", [0, 25])
def test_a_point_keeps_its_nmfc_colour_when_the_head_turns(yaw):
    scene = synthetic_scene(yaw)
    tip = HEAD.landmarks_on(HEAD.vertices)[mesh.NOSE_TIP]
    x, y = np.rint(pixels_in_crop(scene, tip)).astype(int)
    colour = scene.conditions(units()[None]).nmfc[0, :, y, x]
    low, high = SURFACE.rest.min(0), SURFACE.rest.max(0)
    assert np.abs(colour - (tip - low) / (high - low)).max() < 0.03


def test_an_opening_mouth_changes_the_mouth_and_the_jaw_alone():
    closed, wide = frontal_conditions(), frontal_conditions(jawOpen=0.6)
    changed = np.abs(wide.channels - closed.channels).max(1)[0] > 0.06
    points = HEAD.landmarks_on(HEAD.vertices)[[mesh.UPPER_INNER_LIP[4], mesh.NOSE_TIP]]
    upper_lip, nose = pixels_in_crop(synthetic_scene(), points)[:, 1]
    interior = binary_erosion(closed.mask[0, 0] > 0, iterations=8)  # the outline of the cheeks moves a little as well
    assert rows(changed & interior).min() > nose - 3
    assert changed[int(upper_lip) :].sum() > 200
    cavity = np.abs(wide.nmfc - closed.nmfc).max(1)[0] > 0.2  # the depth of the mouth instead of lips
    assert (cavity & interior).sum() > 20


@pytest.mark.parametrize(
    "values", [{"jawOpen": 1.0}, {"jawOpen": 0.5, "mouthUpperUpLeft": 1.0, "mouthUpperUpRight": 1.0}]
)
def test_the_mask_includes_the_open_mouth(values):
    mask = frontal_conditions(**values).mask[0, 0] > 0
    assert (binary_fill_holes(mask) == mask).all()


def test_gaze_moves_the_iris():
    def iris(**values: float) -> np.ndarray:
        return centre(frontal_conditions(**values).eyes[0, 2] > 0.5)

    ahead = iris()
    assert iris(eyeLookInLeft=0.8, eyeLookOutRight=0.8)[0] < ahead[0] - 1.0  # to the person's right
    assert iris(eyeLookDownLeft=0.8, eyeLookDownRight=0.8)[1] > ahead[1] + 0.3


@pytest.mark.parametrize(
    "values", [{"eyeLookInLeft": 0.8, "eyeLookOutRight": 0.8}, {"eyeLookDownLeft": 0.8, "eyeLookDownRight": 0.8}]
)
def test_gaze_changes_nothing_but_the_eyeballs(values):
    ahead, gaze = frontal_conditions(), frontal_conditions(**values)
    assert (np.abs(gaze.eyes[0, 0] - ahead.eyes[0, 0]) > 0.02).sum() <= 2  # pixels of the lids
    changed = np.abs(gaze.channels - ahead.channels).max(1)[0] > 0.02
    assert (changed & (ahead.eyes[0, 1:].sum(0) < 0.01)).sum() <= 2


def test_a_blink_hides_the_eyeball():
    blink = frontal_conditions(eyeBlinkLeft=1.0)
    half = SIZE // 2  # the person's left eye is on the right of the image
    assert blink.eyes[0, 1:, :, :half].sum() > 20 * max(blink.eyes[0, 1:, :, half:].sum(), 0.5)


def test_a_turn_moves_the_mask():
    left, right = (synthetic_scene(yaw).conditions(units()[None]).mask[0, 0] for yaw in (-25, 25))
    assert abs(centre(left)[0] - centre(right)[0]) > 4
    assert (left != right).mean() > 0.05


def test_a_raised_head_shows_the_underside_of_the_chin():
    raised, lowered = (synthetic_scene(0, pitch).conditions(units()[None]).mask[0, 0] for pitch in (-15, 15))
    assert raised.sum() > 1.05 * lowered.sum()


def test_roll_does_not_change_the_conditions():
    upright, rolled = (synthetic_scene(0, 0, roll).conditions(units()[None]) for roll in (0, 20))
    assert np.abs(upright.mask - rolled.mask).mean() < 0.01
    assert np.abs(upright.channels - rolled.channels).mean() < 0.01


@pytest.mark.parametrize("length", [1, 7])
def test_chunks_give_the_same_bits(length):
    rng = np.random.default_rng(1)
    coefficients = rng.uniform(0, 0.5, (15, 52)).astype(np.float32)
    scene = synthetic_scene(-7, 3, frames=15)
    chunks = [scene.conditions(coefficients[i : i + length], i).channels for i in range(0, 15, length)]
    assert np.array_equal(np.concatenate(chunks), scene.conditions(coefficients).channels)


def test_a_tracked_face_and_the_same_synthetic_one_agree():
    """The same head from far away, once by its coefficients, once by its 468 landmarks and a weak perspective."""
    rng = np.random.default_rng(3)
    identity = rng.standard_normal(len(HEAD.identity)).astype(np.float32)
    w = units(mouthSmileLeft=0.5, mouthSmileRight=0.5, jawOpen=0.3)
    camera = Camera.from_angles(15, 5, 3, 300, distance=1e5)
    motion = Motion(
        coefficients=w[None],
        scale=np.array([camera.pixels_per_cm], np.float32),
        rotation=camera.rotation[None].astype(np.float32),
        translation=np.array([[*camera.matrix[:, 2], 0]], np.float32),
        identity=HEAD.landmarks(units(), identity).astype(np.float32),
        weight=np.ones(1, np.float32),
    )
    synthetic = Scene.synthetic(SURFACE, identity, [camera], SIZE).conditions(w[None])
    tracked = Scene.tracked(SURFACE, motion, SIZE).conditions(w[None])
    assert (synthetic.mask != tracked.mask).mean() < 0.02
    assert np.abs(synthetic.nmfc - tracked.nmfc).mean() < 0.01


@pytest.mark.parametrize("frames", [1, 3])
def test_the_square_contains_the_whole_face(frames):
    conditions = Scene.tracked(SURFACE, tracked_motion(frames), SIZE).conditions(units(jawOpen=0.8)[None])
    mask = conditions.mask[0, 0] > 0
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()

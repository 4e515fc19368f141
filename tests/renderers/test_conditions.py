"""Condition images of made-up heads: what moves in the face moves in them, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, binary_fill_holes

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.renderers.neural.conditions import Conditions, Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.renderers.neural.gaze import GazeEstimator
from asccl.renderers.neural.head_crop import CROP_SIDE_CM, WeakPerspectiveView, head_crops
from asccl.renderers.neural.lip_closure import LipClosureConstraint, lip_gap_cm
from asccl.synthetic.camera import Camera
from asccl.types import Motion, Track

HEAD = load_anny_head()
SURFACE = FaceSurface(HEAD)
SIZE = 96


def units(**values: float) -> np.ndarray:
    out = np.zeros(len(HEAD.names), np.float32)
    for name, value in values.items():
        out[HEAD.index[name]] = value
    return out


def scene(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, frames: int = 1) -> Scene:
    views = [Camera.from_angles(yaw + t, pitch, roll, 300) for t in range(frames)]
    return Scene.synthetic(SURFACE, None, views, SIZE)


def drawn(**values: float) -> Conditions:
    return scene().conditions(units(**values)[None])


def rows(area: np.ndarray) -> np.ndarray:
    return np.flatnonzero(area.any(-1))


def centre(area: np.ndarray) -> np.ndarray:
    """(H, W) -> (x, y)."""
    ys, xs = np.nonzero(area)
    return np.array([xs.mean(), ys.mean()])


def test_shapes_and_ranges():
    rng = np.random.default_rng(0)
    coefficients = rng.uniform(0, 0.4, (3, 52)).astype(np.float32)
    made = scene(20, 10, 5, frames=3).conditions(coefficients)
    for part, channels in ((made.nmfc, 3), (made.shape, 3), (made.eyes, 3), (made.mask, 1)):
        assert part.shape == (3, channels, SIZE, SIZE) and part.dtype == np.float32
        assert part.min() >= 0 and part.max() <= 1
    assert set(np.unique(made.mask)) == {0.0, 1.0}
    assert (made.channels[:, :9] * (1 - made.mask) == 0).all()
    assert 0.25 < made.mask.mean() < 0.6
    assert (made.eyes.sum(1) <= 1.001).all()


def test_the_colours_of_a_point_stay_its_own():
    """NMFC says where on the mean face a pixel is, however the head turns."""
    for yaw in (0, 25):
        one = scene(yaw)
        view, crop = one.views[0], one.crops[0]
        tip = HEAD.landmarks_on(HEAD.vertices)[mesh.NOSE_TIP]
        x, y = np.rint(view.project(tip)[0] @ crop[:, :2].T + crop[:, 2]).astype(int)
        colour = one.conditions(units()[None]).nmfc[0, :, y, x]
        low, high = SURFACE.rest.min(0), SURFACE.rest.max(0)
        assert np.abs(colour - (tip - low) / (high - low)).max() < 0.03


def test_a_mouth_that_opens_changes_the_mouth_and_the_jaw_alone():
    shut, wide = drawn(), drawn(jawOpen=0.6)
    changed = np.abs(wide.channels - shut.channels).max(1)[0] > 0.06
    lips = HEAD.landmarks_on(HEAD.vertices)[[mesh.UPPER_INNER_LIP[4], mesh.NOSE_TIP]]
    one = scene()
    upper, nose = (one.views[0].project(lips)[0] @ one.crops[0][:, :2].T + one.crops[0][:, 2])[:, 1]
    inner = binary_erosion(shut.mask[0, 0] > 0, iterations=8)  # the cheeks' outline moves a little as well
    assert rows(changed & inner).min() > nose - 3
    assert changed[int(upper) :].sum() > 200
    inside = np.abs(wide.nmfc - shut.nmfc).max(1)[0] > 0.2  # the mouth's depth instead of lips
    assert (inside & inner).sum() > 20


def test_the_open_mouth_is_part_of_the_mask():
    for values in ({"jawOpen": 1.0}, {"jawOpen": 0.5, "mouthUpperUpLeft": 1.0, "mouthUpperUpRight": 1.0}):
        mask = drawn(**values).mask[0, 0] > 0
        assert (binary_fill_holes(mask) == mask).all()


def test_gaze_moves_the_iris_and_leaves_the_lids():
    ahead, aside = drawn(), drawn(eyeLookInLeft=0.8, eyeLookOutRight=0.8)
    assert centre(aside.eyes[0, 2] > 0.5)[0] < centre(ahead.eyes[0, 2] > 0.5)[0] - 1.0  # to the person's right
    down = drawn(eyeLookDownLeft=0.8, eyeLookDownRight=0.8)
    assert centre(down.eyes[0, 2] > 0.5)[1] > centre(ahead.eyes[0, 2] > 0.5)[1] + 0.3
    for looking in (aside, down):
        assert (np.abs(looking.eyes[0, 0] - ahead.eyes[0, 0]) > 0.02).sum() <= 2  # pixels
        changed = np.abs(looking.channels - ahead.channels).max(1)[0] > 0.02
        assert (changed & (ahead.eyes[0, 1:].sum(0) < 0.01)).sum() <= 2


def test_a_blink_hides_the_eyeball():
    one = drawn(eyeBlinkLeft=1.0)
    half = SIZE // 2  # the person's left eye is on the picture's right
    assert one.eyes[0, 1:, :, :half].sum() > 20 * max(one.eyes[0, 1:, :, half:].sum(), 0.5)


def test_a_turn_moves_the_mask():
    left, right = (scene(yaw).conditions(units()[None]).mask[0, 0] for yaw in (-25, 25))
    assert abs(centre(left)[0] - centre(right)[0]) > 4
    assert (left != right).mean() > 0.05
    nods = [scene(0, pitch).conditions(units()[None]).mask[0, 0] for pitch in (-15, 15)]
    assert nods[0].sum() > 1.05 * nods[1].sum()  # raised, it shows the underside of the chin


def test_the_square_follows_roll_size_and_place():
    upright, rolled = (scene(0, 0, roll).conditions(units()[None]) for roll in (0, 20))
    assert np.abs(upright.mask - rolled.mask).mean() < 0.01
    assert np.abs(upright.channels - rolled.channels).mean() < 0.01
    small, large = (head_crops([Camera.from_angles(0, 0, 0, side)], SIZE)[0] for side in (200, 400))
    assert np.allclose(small[:, :2], 2 * large[:, :2], rtol=1e-6)


def test_the_same_bits_in_chunks_as_at_once():
    rng = np.random.default_rng(1)
    coefficients = rng.uniform(0, 0.5, (15, 52)).astype(np.float32)
    one = scene(-7, 3, frames=15)
    whole = one.conditions(coefficients).channels
    for length in (1, 7):
        parts = [one.conditions(coefficients[i : i + length], i).channels for i in range(0, 15, length)]
        assert np.array_equal(np.concatenate(parts), whole)


def tracked(frames: int, jitter: float = 0.0, shot: np.ndarray | None = None) -> Motion:
    """A head that drifts to the right, posed by weak perspective."""
    rng = np.random.default_rng(2)
    ones = np.ones(frames, np.float32)
    place = np.zeros((frames, 3), np.float32)
    place[:, 0] = 200 + np.arange(frames) + jitter * rng.standard_normal(frames)
    place[:, 1] = 150
    turn = np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0)
    rest = HEAD.neutral.copy()
    return Motion(np.zeros((frames, 52), np.float32), 9 * ones, turn, place, rest, ones, shot=shot)


def test_the_square_does_not_jitter_and_jumps_at_a_cut():
    motion = tracked(60, jitter=2.0)
    x = Scene.tracked(SURFACE, motion, SIZE).crops[:, 0, 2]
    assert np.abs(np.diff(x, 2))[8:-8].max() < 0.15 * np.abs(np.diff(motion.translation[:, 0], 2)).max()
    shot = np.repeat([0, 1], 30)
    cut = tracked(60, shot=shot)
    cut.translation[30:, 0] += 100
    crops = Scene.tracked(SURFACE, cut, SIZE).crops
    places = np.array([c[:, :2] @ t[:2] + c[:, 2] for c, t in zip(crops, cut.translation, strict=True)])
    assert np.ptp(places[:, 0]) < 2


def test_a_tracked_face_and_the_same_made_up_one_look_alike():
    """The same head from far away, once by its coefficients, once by its 468 landmarks and a weak perspective."""
    rng = np.random.default_rng(3)
    identity = rng.standard_normal(len(HEAD.identity)).astype(np.float32)
    w = units(mouthSmileLeft=0.5, mouthSmileRight=0.5, jawOpen=0.3)
    camera = Camera.from_angles(15, 5, 3, 300, distance=1e5)
    made = Scene.synthetic(SURFACE, identity, [camera], SIZE).conditions(w[None])
    motion = Motion(
        w[None], np.array([camera.pixels_per_cm], np.float32), camera.rotation[None].astype(np.float32),
        np.array([[*camera.matrix[:, 2], 0]], np.float32), HEAD.landmarks(units(), identity).astype(np.float32),
        np.ones(1, np.float32),
    )  # fmt: skip
    same = Scene.tracked(SURFACE, motion, SIZE).conditions(w[None])
    assert (made.mask != same.mask).mean() < 0.02
    assert np.abs(made.nmfc - same.nmfc).mean() < 0.01


def test_the_square_holds_the_whole_face():
    for motion in (tracked(1), tracked(3)):
        edge = Scene.tracked(SURFACE, motion, SIZE).conditions(units(jawOpen=0.8)[None]).mask[0, 0]
        assert not (edge[0].any() or edge[-1].any() or edge[:, 0].any() or edge[:, -1].any())
    assert np.ptp(HEAD.neutral[:, 1]) + 3 < CROP_SIDE_CM


def test_no_frames_are_no_pictures():
    assert scene().conditions(np.zeros((0, 52), np.float32)).channels.shape == (0, 10, SIZE, SIZE)


@pytest.mark.parametrize("wanted", [{"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}, {"eyeLookUpLeft": 0.7}, {}])
def test_gaze_is_read_off_the_irises(wanted):
    view = WeakPerspectiveView(12.0, np.eye(3), np.array([200.0, 150.0, 0.0]))
    truth = SURFACE.deform(SURFACE.rest, units(**wanted))
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:468, :2] = view.project(HEAD.landmarks(units()))[0]
    for ball, ring in (("eyeball right", mesh.RIGHT_IRIS), ("eyeball left", mesh.LEFT_IRIS)):
        own = np.flatnonzero(HEAD.region[SURFACE.vertex_index] == HEAD.regions.index(ball))
        front = own[np.argsort(SURFACE.rest[own, 2], kind="stable")[:8]]
        landmarks[list(ring), :2] = view.project(truth[front].mean(0))[0]
    found = GazeEstimator(SURFACE)(SURFACE.rest, units(jawOpen=0.2), view, landmarks)
    assert np.abs(found - units(jawOpen=0.2, **wanted)).max() < 0.08
    landmarks[list(mesh.LEFT_EYE), 1] = landmarks[mesh.LEFT_EYE[0], 1]  # shut: the iris is guessed
    assert GazeEstimator(SURFACE)(SURFACE.rest, units(), view, landmarks)[HEAD.index["eyeLookInLeft"]] == 0


def test_shut_lips_stay_shut_and_open_ones_open_by_the_gain():
    lock = LipClosureConstraint(SURFACE)

    def opening(vertices):
        upper, lower = lock.inner_lips(vertices)
        return (lower - upper)[2:7, 1]

    sneer = {"mouthUpperUpLeft": 0.8, "mouthUpperUpRight": 0.8}
    for before, gain in ((units(), 1.0), (units(jawOpen=0.5), 1.3)):
        source = SURFACE.deform(SURFACE.rest, before)
        edited = SURFACE.deform(SURFACE.rest, before + units(**sneer))
        apart = np.linspace(0.1, 0.5, 9) if gain > 1 else np.zeros(9)
        locked = edited + lock(source, edited, gain, apart)
        assert np.abs(opening(edited) - opening(source)).min() > 0.2
        assert np.abs(opening(locked) - opening(source) - (gain - 1) * apart[2:7]).max() < 0.12
    far = SURFACE.rest[:, 1] < 0  # nothing above the nose
    assert np.abs(lock(source, edited, 1.0, apart)[far]).max() < 0.01


def test_how_far_lips_are_parted_is_read_off_the_landmarks():
    turn = Camera.from_angles(20, -10, 30, 300).rotation
    for opened in (0.0, 0.4):
        points = HEAD.landmarks(units()).astype(np.float32)
        points[list(mesh.LOWER_INNER_LIP)] = points[list(mesh.UPPER_INNER_LIP)] + [0, 0.315 + opened, 0]
        found = lip_gap_cm(8 * (points @ turn.T), 8.0, turn)
        assert np.abs(found - opened).max() < 0.02


def test_the_fit_says_which_frames_are_of_one_shot():
    landmarks = np.zeros((4, 478, 3), np.float32)
    landmarks[:, :468] = 10 * HEAD.neutral + 100
    shot = np.array([0, 0, 1, 1], np.int32)
    motion = Fitter(HEAD).fit_motion(
        Track(np.ones(4, np.float32), shot), lambda a, b: landmarks[a:b], HEAD.neutral.astype(np.float64)
    )
    assert np.array_equal(motion.shot, shot)
    assert np.array_equal(motion.select(np.array([1, 2])).shot, [0, 1])

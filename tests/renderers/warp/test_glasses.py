"""Glasses are detected and stay in place: drawn on the astronaut of scikit-image (NASA, public domain)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.face import mesh
from asccl.face.facemesh import FaceMesh, Window
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.renderers.warp.field import face_size
from asccl.renderers.warp.glasses import RAY_ANGLES, GlassesModel, lens_points, limit_brow_displacement, strongest_loop
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.types import Track

HEAD = load_anny_head()


@pytest.fixture(scope="module")
def face():
    """(image (640, 640, 3), landmarks (478, 3), motion of one frame)."""
    data = pytest.importorskip("skimage.data")
    image = cv2.resize(np.ascontiguousarray(data.astronaut()[:320, 60:380]), (640, 640), interpolation=cv2.INTER_CUBIC)
    detector, window = FaceMesh(), Window(324.0, 224.0, 300.0)
    for _ in range(3):
        landmarks, _, _ = detector.detect(image, window)
        window = Window.around(landmarks)
    detector.close()
    fitter, track = Fitter(HEAD), Track(np.ones(1, np.float32), np.zeros(1, np.int32))
    motion = fitter.fit_motion(track, lambda a, b: landmarks[None][a:b], fitter.fit_identity(landmarks[None]))
    return image, landmarks, motion


def draw_glasses(image, landmarks, colour=(25, 20, 20)) -> tuple[np.ndarray, np.ndarray]:
    """The image with glasses, and the mask (h, w) bool of their rims."""
    radius = 1 / np.sqrt((np.cos(RAY_ANGLES) / 0.28) ** 2 + (np.sin(RAY_ANGLES) / 0.23) ** 2)
    mask = np.zeros(image.shape[:2], np.uint8)
    for eye in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        loop = lens_points(landmarks, eye, radius[:, None])[:, 0]
        cv2.polylines(mask, [np.round(loop * 16).astype(np.int32)], True, 255, 4, cv2.LINE_AA, 4)
    alpha = mask[..., None] / 255
    return np.round(image * (1 - alpha) + alpha * np.array(colour)).astype(np.uint8), mask > 128


def observed(image, landmarks) -> GlassesModel:
    glasses = GlassesModel()
    glasses.observe(image, landmarks)
    return glasses


def test_glasses_are_detected(face):
    image, landmarks, _ = face
    assert observed(draw_glasses(image, landmarks)[0], landmarks).detected


def test_a_face_without_glasses_has_none(face):
    image, landmarks, _ = face
    assert not observed(image, landmarks).detected


def test_without_a_frame_no_glasses_are_detected():
    assert not GlassesModel().detected


def test_rims_are_located_where_they_were_drawn(face):
    image, landmarks, _ = face
    with_glasses, rim = draw_glasses(image, landmarks)
    away = cv2.distanceTransform((~rim).astype(np.uint8), cv2.DIST_L2, 5)
    points = np.concatenate(observed(with_glasses, landmarks).rims(landmarks)).round().astype(int)
    assert np.median(away[points[:, 1], points[:, 0]]) < 0.03 * face_size(landmarks)


@pytest.mark.parametrize("emotion", ["surprised", "angry"])
def test_rims_stay_where_they_are(face, emotion):
    image, landmarks, motion = face
    with_glasses, rim = draw_glasses(image, landmarks)
    observer = WarpObserver(HEAD)
    observer.add(with_glasses, landmarks)
    renderer = WarpRenderer(HEAD, observer.appearance())
    plan = renderer.plan(motion, PresetDirector(HEAD)(motion, Target(emotion)))
    out = renderer.render(plan, with_glasses, landmarks, 0)
    kept = out.max(2)[rim] < 90
    assert kept.mean() > 0.9
    assert np.abs(out.astype(int) - with_glasses).max() > 40  # the face does change


def test_brows_above_rims_keep_their_thickness():
    weights = np.full((468, 1), 0.8)
    weights[list(mesh.LEFT_BROW_LOW)] = 0.3
    displacement = weights * limit_brow_displacement(np.full((468, 2), 5.0), weights)
    top, low = displacement[list(mesh.LEFT_BROW_TOP)], displacement[list(mesh.LEFT_BROW_LOW)]
    assert top == pytest.approx(low)
    assert displacement[list(mesh.RIGHT_BROW_TOP)] == pytest.approx(4.0)


def test_a_path_closes_and_follows_the_strongest_line():
    rng = np.random.default_rng(0)
    strength = rng.uniform(0, 1, (48, 36)).astype(np.float32)
    line = np.round(18 + 6 * np.sin(2 * np.pi * np.arange(48) / 48)).astype(int)
    strength[np.arange(48), line] += 3
    assert (np.abs(strongest_loop(strength) - line) <= 1).all()

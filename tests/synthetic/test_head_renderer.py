"""Rendered people: crops, landmarks, variety and camera degradation."""

from __future__ import annotations

import cv2
import mediapipe as mp
import numpy as np

from asccl.face import mesh
from asccl.face.crop import arcface_crop
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import render_clip, render_frame
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS


def test_the_arcface_view_is_the_arcface_crop_of_the_frame(head):
    person = SyntheticPerson.sample(np.random.default_rng(13), head)
    camera = Camera.from_angles(8, -5, 6, 640, shift=(0.05, -0.03))
    coefficients = talking_track(np.random.default_rng(13), 1, head)[0]
    frame, landmarks = render_frame(person, coefficients, camera, head)
    view, view_landmarks = render_frame(person, coefficients, camera.arcface_view(landmarks), head)
    crop = arcface_crop(frame, landmarks)
    face = np.zeros((112, 112), np.uint8)
    oval = np.rint(view_landmarks[list(mesh.FACE_OVAL)]).astype(np.int32)
    cv2.fillConvexPoly(face, cv2.convexHull(oval), 1)

    def difference(image):
        return np.abs(crop.astype(float) - image)[face > 0].mean()

    assert difference(view) < 6
    shifted = [np.roll(view, shift, axis) for shift in (-2, 2) for axis in (0, 1)]
    assert difference(view) < 0.6 * min(map(difference, shifted))


def test_face_mesh_detects_the_faces_where_they_are(head):
    errors = []
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True) as net:
        for i in range(20):
            rng = np.random.default_rng((14, i))
            speech = talking_track(rng, 1, head)
            coefficients = apply_emotion(speech, sample_style(rng, EMOTIONS[i % 7], head), head)[0]
            person = SyntheticPerson.sample(rng, head)
            image, landmarks = render_frame(person, coefficients, Camera.sample(rng, 256), head)
            faces = net.process(CameraDegradation.sample(rng)(image, rng)).multi_face_landmarks
            if faces:
                detected = np.array([(p.x, p.y) for p in faces[0].landmark]) * 256 - 0.5
                errors.append(np.linalg.norm(detected - landmarks, axis=1).mean() / mesh.eye_distance(landmarks))
    assert len(errors) >= 19
    assert np.median(errors) < 0.06


def test_people_differ_in_skin_beard_and_hair(head):
    people = [SyntheticPerson.sample(np.random.default_rng(i), head) for i in range(60)]
    brightness = np.array([np.mean(person.skin) for person in people])
    assert brightness.min() < 0.25
    assert brightness.max() > 0.7
    assert {person.beard > 0 for person in people} == {True, False}
    assert {person.hair.long for person in people} == {True, False}


def test_colours_of_a_degradation_are_fixed_and_noise_is_not():
    degrade = CameraDegradation(gain=(1.1, 1.0, 0.9), noise=4.0, quality=60)
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, second = (degrade(grey, np.random.default_rng(i)) for i in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(first.mean((0, 1)), [141, 128, 115], atol=2)
    np.testing.assert_allclose(first.mean((0, 1)), second.mean((0, 1)), atol=1)


def test_the_default_degradation_changes_nothing():
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert np.array_equal(CameraDegradation()(grey, np.random.default_rng(0)), grey)


def test_a_clip_is_rendered_frame_by_frame(head):
    person = SyntheticPerson.sample(np.random.default_rng(15), head)
    track = talking_track(np.random.default_rng(15), 3, head)
    cameras = [Camera.from_angles(yaw, 0, 0, 96) for yaw in (-5, 0, 5)]
    frames = list(render_clip(person, track, cameras, head))
    image, landmarks = render_frame(person, track[1], cameras[1], head)
    assert [image.shape for image, _ in frames] == [(96, 96, 3)] * 3
    assert np.array_equal(frames[1][0], image)
    assert np.array_equal(frames[1][1], landmarks)
    assert frames[0][1][mesh.NOSE_TIP, 0] < frames[2][1][mesh.NOSE_TIP, 0]

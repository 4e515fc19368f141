"""Crops of two faces in one pose."""

from __future__ import annotations

import numpy as np
from media import astronaut

from asccl.analysis.face_alignment import ALIGNMENTS, TEMPLATE, align_crops
from asccl.face import mesh


def transform(matrix: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]


def crop_distance(source: np.ndarray, generated: np.ndarray, alignment: str) -> float:
    """Largest distance of the landmarks of both faces in the crop, in pixels of 112."""
    crops = align_crops(source, generated, alignment)
    difference = transform(crops.source, source) - transform(crops.generated, generated)
    return float(np.linalg.norm(difference, axis=1).max())


def test_landmarks_of_two_poses_coincide_in_the_crop(face):
    turned = face.copy()
    turned[:, :2] = face[:, :2] @ np.array([[1.2, -0.3], [0.3, 1.1]]).T + (9, -4)
    assert crop_distance(face, turned, "landmarks") < 0.5
    assert crop_distance(face, turned, "place") > 5


def test_the_mouth_does_not_move_the_crop(face):
    open_mouth = face.copy()
    open_mouth[list(mesh.LIPS), 1] += 12
    for alignment in ALIGNMENTS:
        closed, opened = align_crops(face, face, alignment), align_crops(open_mouth, open_mouth, alignment)
        assert np.allclose(closed.source, opened.source)
        assert np.allclose(closed.generated, opened.generated)


def test_eyes_lie_where_arcface_expects_them(face):
    points = mesh.arcface_points(transform(align_crops(face, face, "place").source, face))
    assert np.linalg.norm(points[:2] - mesh.ARCFACE_TEMPLATE[:2], axis=1).max() < 6
    assert TEMPLATE.shape == (len(mesh.RIGID_LANDMARKS), 2)


def test_an_image_of_another_size_is_cropped_at_the_same_place(face):
    image = astronaut()
    doubled = image.repeat(2, 0).repeat(2, 1)
    crops = align_crops(face, face * 2, "place", scale=2.0)
    a, b = crops.crop(image, doubled)
    assert np.abs(a.astype(int) - b).mean() < 6
    assert crops.valid_mask(image, doubled).all()


def test_pixels_beyond_the_frame_are_invalid(face):
    image = astronaut()
    assert not align_crops(face - (90, 0, 0), face, "place").valid_mask(image, image).all()

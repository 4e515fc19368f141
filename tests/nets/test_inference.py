"""The bundled face-recognition and expression networks on numpy arrays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import mediapipe
import numpy as np
import pytest
from skimage import data

from asccl import zoo
from asccl.face.crop import arcface_crop, expression_crop
from asccl.types import EMOTIONS


def face_crops(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ArcFace crop and the expression crop of the only face in an image."""
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        (face,) = mesh.process(image).multi_face_landmarks
    landmarks = np.array([(p.x, p.y, p.z) for p in face.landmark]) * (image.shape[1], image.shape[0], image.shape[1])
    return arcface_crop(image, landmarks), expression_crop(image, landmarks)


@pytest.fixture(scope="module")
def astronaut() -> tuple[np.ndarray, np.ndarray]:
    """ArcFace crop and expression crop of a smiling woman (NASA, public domain)."""
    return face_crops(data.astronaut())


def test_embeddings_of_a_changed_image_are_similar_and_those_of_other_people_are_not(astronaut):
    image, (face, _) = data.astronaut(), astronaut
    brighter = np.clip(face * 1.3 + 10, 0, 255).astype(np.uint8)
    mirrored, _ = face_crops(np.ascontiguousarray(image[:, ::-1]))
    rotation = cv2.getRotationMatrix2D((224, 120), 25, 0.6)
    rotated, _ = face_crops(cv2.warpAffine(image, rotation, (512, 512), flags=cv2.INTER_AREA))
    others = [
        cv2.resize((255 * small).astype(np.uint8), (112, 112), interpolation=cv2.INTER_CUBIC)
        for small in data.lfw_subset()[:20]  # faces of 25 pixels
    ]
    crops = np.stack([face, brighter, mirrored, rotated, *(np.dstack([o] * 3) for o in others)])
    embeddings = zoo.load_embedder().embed(crops)
    assert embeddings.shape == (24, 192)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    cosines = embeddings @ embeddings[0]
    assert cosines[1:4].min() > 0.8
    assert cosines[4:].max() < 0.4


def test_a_smile_is_happy(astronaut):
    _, face = astronaut
    probabilities = zoo.load_expression_net().probabilities(face[None])
    assert probabilities.dtype == np.float32
    assert EMOTIONS[int(probabilities[0].argmax())] == "happy"
    assert probabilities[0].max() > 0.9
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_batches_of_any_size_and_threads_agree(astronaut):
    rng = np.random.default_rng(0)
    crops = np.clip(astronaut[0] + rng.normal(0, 20, (9, 112, 112, 3)), 0, 255).astype(np.uint8)
    embedder, expression = zoo.load_embedder(), zoo.load_expression_net()
    for part, single in zip(expression.predict(crops), (expression.probabilities, expression.features), strict=True):
        np.testing.assert_array_equal(part, single(crops))
    for function, columns in ((embedder.embed, 192), (expression.probabilities, 7), (expression.features, 256)):
        together = function(crops)
        assert function(crops[:0]).shape == (0, columns)
        np.testing.assert_allclose(np.concatenate([function(c[None]) for c in crops]), together, atol=1e-5, rtol=1e-4)
        with ThreadPoolExecutor(2) as pool:
            for result in pool.map(function, [crops] * 2):
                np.testing.assert_allclose(result, together, atol=1e-5, rtol=1e-4)


def test_crops_are_checked_and_not_changed(astronaut):
    embed = zoo.load_embedder().embed
    for wrong in (astronaut[0], astronaut[0][None].astype(np.float32), np.zeros((2, 3, 112, 112), np.uint8)):
        with pytest.raises(ValueError, match=r"expected \(N, 112, 112, 3\) uint8 RGB, got"):
            embed(wrong)
    fixed = astronaut[0][None].copy()
    fixed.flags.writeable = False
    embed(fixed)
    np.testing.assert_array_equal(fixed[0], astronaut[0])

"""Pairs and sequences whose truth is known."""

from __future__ import annotations

import cv2
import mediapipe as mp
import numpy as np
import pytest
from torch.utils.data import DataLoader

from asccl.face import mesh
from asccl.face.crop import arcface_crop, fit_similarity
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.speech import speech_unit_mask
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import (
    SyntheticPair,
    SyntheticPairs,
    SyntheticSequences,
    render_clip,
    render_frame,
    talking_track,
)
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import (
    MAX_CLOSED_LIP_OPENING,
    apply_emotion,
    emotion_offset,
    lip_opening,
    sample_style,
    speech_track,
)
from asccl.types import EMOTIONS
from asccl.zoo import load_embedder


@pytest.fixture(scope="module")
def head():
    return load_anny_head()


@pytest.fixture(scope="module")
def pairs(head):
    return SyntheticPairs(seed=3, count=400, head=head)


def same(a: SyntheticPair, b: SyntheticPair) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_an_item_depends_on_seed_and_number_alone(pairs, head):
    first = [pairs[i] for i in (0, 1, 9)]
    again = SyntheticPairs(seed=3, count=10, head=head)
    assert all(same(again[i], item) for i, item in zip((9, 1, 0), reversed(first), strict=True))
    other = SyntheticPairs(seed=4, count=10, head=head)
    assert not np.array_equal(other[0].source, first[0].source)
    assert not np.array_equal(other[0].speech, first[0].speech)


def test_workers_make_the_same_items(pairs, head):
    few = SyntheticPairs(seed=3, count=4, head=head)
    loaded = list(DataLoader(few, batch_size=2, num_workers=2))
    for i in range(4):
        batch = loaded[i // 2]
        assert np.array_equal(batch.source[i % 2].numpy(), pairs[i].source)
        assert np.array_equal(batch.target_landmarks[i % 2].numpy(), pairs[i].target_landmarks)


def test_an_item_outside_is_refused(pairs):
    for index in (-1, len(pairs)):
        with pytest.raises(IndexError):
            pairs[index]


def test_shapes_and_ranges(head):
    for size in (112, 224):
        item = SyntheticPairs(seed=0, size=size, count=2, head=head)[1]
        for picture in (item.source, item.target):
            assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
            assert picture.std() > 15
        assert item.source_emotion != item.target_emotion
        assert item.speech.shape == item.source_coefficients.shape == (52,)
        assert item.source_landmarks[list(mesh.LIPS)].min() > 0 and item.source_landmarks[list(mesh.LIPS)].max() < size


def test_both_pictures_say_the_same(pairs, head):
    kept = speech_unit_mask(head.names)
    said = np.stack([[p.speech, p.source_coefficients, p.target_coefficients] for p in (pairs[i] for i in range(24))])
    np.testing.assert_array_equal(said[:, 1][:, kept], said[:, 0][:, kept])
    np.testing.assert_array_equal(said[:, 2][:, kept], said[:, 0][:, kept])
    opening = [lip_opening(said[:, k], head) for k in range(3)]
    assert np.ptp(opening[0]) > 0.8  # there is something to keep
    assert max(np.abs(opening[1] - opening[0]).max(), np.abs(opening[2] - opening[0]).max()) < 0.7


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_leaves_the_words(head, emotion):
    rng = np.random.default_rng(8)
    track = talking_track(rng, 600, head)
    before = lip_opening(track, head)
    closed = before < MAX_CLOSED_LIP_OPENING
    assert 0.05 < closed.mean() < 0.5
    for _ in range(3):
        manner = sample_style(rng, emotion, head, (1.3, 1.3))
        after = lip_opening(apply_emotion(track, manner, head), head)
        assert after[closed].max() < 0.15
        assert np.corrcoef(before, after)[0, 1] > 0.97
        assert (np.abs(after - before) < 0.15 + 0.25 * before).all()


def test_frames_of_a_track_and_single_frames_get_the_same_emotion(head):
    rng = np.random.default_rng(9)
    track, manner = talking_track(rng, 50, head), sample_style(rng, "fear", head)
    whole = emotion_offset(track, manner, head)
    single = np.concatenate([emotion_offset(frame[None], manner, head) for frame in track])
    np.testing.assert_array_equal(whole, single)


def test_speech_closes_opens_and_rounds_the_lips_smoothly(head):
    track = speech_track(np.random.default_rng(10), 1000, head)
    opening = lip_opening(track, head)
    assert (opening < 0.02).mean() > 0.13 and np.percentile(opening, 95) > 1.0
    assert track[:, head.index["mouthPucker"]].max() > 0.5 and track.min() >= 0
    assert np.abs(np.diff(opening)).mean() < 0.35  # cm a frame
    faster = speech_track(np.random.default_rng(10), 2000, head, rate=50)
    assert np.abs(np.diff(lip_opening(faster, head))).mean() < 0.7 * np.abs(np.diff(opening)).mean()


def test_emotions_show_where_they_should(head):
    rng = np.random.default_rng(11)
    rest = np.zeros((1, 52), np.float32)

    def face(emotion):
        many = [apply_emotion(rest, sample_style(rng, emotion, head), head)[0] for _ in range(8)]
        return head.landmarks(np.mean(many, 0))

    happy, sad, surprised, angry = (face(e) for e in ("happy", "sad", "surprised", "angry"))
    corner, brow = list(mesh.OUTER_LIP_CORNERS), list(mesh.LEFT_BROW_TOP)
    assert happy[corner, 1].mean() < sad[corner, 1].mean() - 0.3  # cm, up
    assert np.ptp(happy[corner, 0]) > np.ptp(sad[corner, 0]) + 0.3
    assert surprised[brow, 1].mean() < angry[brow, 1].mean() - 0.5


def test_the_same_emotion_is_shown_differently_each_time(head):
    rng = np.random.default_rng(12)
    manners = [sample_style(rng, "happy", head) for _ in range(50)]
    assert all(0.5 <= m.intensity <= 1.3 for m in manners)
    left, right = (np.array([m.units[head.index["mouthSmile" + s]] for m in manners]) for s in ("Left", "Right"))
    assert left.std() > 0.05 and np.abs(left - right).max() > 0.03


def test_crops_are_aligned_by_the_true_landmarks(pairs):
    for i in range(5):
        for points in (pairs[i].source_landmarks, pairs[i].target_landmarks):
            left = fit_similarity(mesh.arcface_points(points), mesh.ARCFACE_TEMPLATE)
            np.testing.assert_allclose(left, [[1, 0, 0], [0, 1, 0]], atol=2e-3)


def test_the_crop_is_what_arcface_crop_cuts_from_the_whole_frame(head):
    person = SyntheticPerson.sample(np.random.default_rng(13), head)
    camera = Camera.from_angles(8, -5, 6, 640, shift=(0.05, -0.03))
    coefficients = talking_track(np.random.default_rng(13), 1, head)[0]
    image, landmarks = render_frame(person, coefficients, camera, head)
    crop, _ = render_frame(person, coefficients, camera.arcface_view(landmarks), head)
    cut = arcface_crop(image, landmarks)
    _, inside = render_frame(person, coefficients, camera.arcface_view(landmarks), head)
    face = np.zeros((112, 112), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.rint(inside[list(mesh.FACE_OVAL)]).astype(np.int32)), 1)

    def difference(other):
        return np.abs(cut.astype(float) - other)[face > 0].mean()

    assert difference(crop) < 6
    assert difference(crop) < 0.6 * min(difference(np.roll(crop, shift, axis)) for shift in (-2, 2) for axis in (0, 1))


def test_face_mesh_tracks_the_people_where_they_are(head):
    found, errors = 0, []
    with mp.solutions.face_mesh.FaceMesh(static_image_mode=True) as net:
        for i in range(20):
            rng = np.random.default_rng((14, i))
            said = apply_emotion(talking_track(rng, 1, head), sample_style(rng, EMOTIONS[i % 7], head), head)[0]
            image, true = render_frame(SyntheticPerson.sample(rng, head), said, Camera.sample(rng, 256), head)
            faces = net.process(CameraDegradation.sample(rng)(image, rng)).multi_face_landmarks
            if faces:
                seen = np.array([(p.x, p.y) for p in faces[0].landmark]) * 256 - 0.5
                errors.append(np.linalg.norm(seen - true, axis=1).mean() / mesh.eye_distance(true))
                found += 1
    assert found >= 19
    assert np.median(errors) < 0.06


def test_two_emotions_of_a_person_are_nearer_than_two_people(pairs):
    items = [pairs[8 * i] for i in range(12)]
    net = load_embedder()
    cosine = net.embed(np.stack([p.source for p in items])) @ net.embed(np.stack([p.target for p in items])).T
    own, other = np.diag(cosine), cosine[~np.eye(12, dtype=bool)]
    assert own.mean() > other.mean() + 0.3
    assert (cosine.argmax(1) == np.arange(12)).mean() > 0.9


def test_people_differ_in_skin_from_light_to_dark(head):
    people = [SyntheticPerson.sample(np.random.default_rng(i), head) for i in range(60)]
    light = np.array([np.mean(p.skin) for p in people])
    assert light.min() < 0.25 and light.max() > 0.7
    assert {p.beard > 0 for p in people} == {p.hair.long for p in people} == {True, False}


def test_camera_faults_are_common_and_noise_is_not(head):
    capture = CameraDegradation(gain=(1.1, 1.0, 0.9), noise=4.0, quality=60)
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, second = (capture(grey, np.random.default_rng(i)) for i in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(first.mean((0, 1)), [141, 128, 115], atol=2)
    np.testing.assert_allclose(first.mean((0, 1)), second.mean((0, 1)), atol=1)
    assert np.array_equal(CameraDegradation()(grey, np.random.default_rng(0)), grey)


def test_sequences_know_the_true_answer(head):
    data = SyntheticSequences(seed=5, count=30, head=head)
    lengths, kept = set(), speech_unit_mask(head.names)
    for i in range(30):
        item = data[i]
        lengths.add(len(item.speech))
        assert item.speech.shape == item.source.shape == item.target.shape
        assert 10 <= len(item.speech) <= 200 and item.source_emotion != item.target_emotion
        assert 0.5 <= item.source_intensity <= 1.3
        np.testing.assert_array_equal(item.source[:, kept], item.target[:, kept])
        np.testing.assert_array_equal(item.source[:, kept], item.speech[:, kept])
        assert np.abs(item.source - item.target).max() > 0.1
    assert len(lengths) > 10
    again = SyntheticSequences(seed=5, count=30, head=head)[7]
    np.testing.assert_array_equal(again.target, data[7].target)
    assert len(SyntheticSequences(frames=32, head=head)[3].speech) == 32


def test_a_clip_is_rendered_frame_by_frame(head):
    person = SyntheticPerson.sample(np.random.default_rng(15), head)
    track = talking_track(np.random.default_rng(15), 3, head)
    cameras = [Camera.from_angles(yaw, 0, 0, 96) for yaw in (-5, 0, 5)]
    frames = list(render_clip(person, track, cameras, head))
    assert len(frames) == 3 and all(image.shape == (96, 96, 3) for image, _ in frames)
    image, landmarks = render_frame(person, track[1], cameras[1], head)
    assert np.array_equal(frames[1][0], image) and np.array_equal(frames[1][1], landmarks)
    assert frames[0][1][mesh.NOSE_TIP, 0] < frames[2][1][mesh.NOSE_TIP, 0]

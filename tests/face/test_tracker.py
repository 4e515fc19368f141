from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from asccl.errors import NoFaceError
from asccl.face.mesh import NOSE_TIP, eye_distance
from asccl.face.people import select_person
from asccl.face.presence import compute_presence
from asccl.face.smooth import smooth_landmarks
from asccl.face.tracker import FaceMeshTracker, Observation
from asccl.types import Frame
from tests.face.scenes import backdrop, embed_colour, put

RATE = Fraction(30)


@pytest.fixture(scope="module")
def tracker():
    with FaceMeshTracker() as shared:
        yield shared


@pytest.fixture(scope="module")
def identifying():
    """A tracker that distinguishes people by identity."""
    with FaceMeshTracker(embed_colour) as shared:
        yield shared


def to_frames(images) -> list[Frame]:
    return [Frame(image, i, i) for i, image in enumerate(images)]


def track(tracker, images, person=None) -> list[Observation]:
    tracker.start(person)
    return [tracker.track(image) for image in images]


def nose_tips(observations: list[Observation]) -> np.ndarray:
    """(T, 2) pixels, NaN without landmarks."""
    return np.array([[np.nan] * 2 if o.landmarks is None else o.landmarks[NOSE_TIP, :2] for o in observations])


@pytest.mark.parametrize(
    ("width", "height", "size", "x", "y"),
    [(1280, 720, 40, 300, 200), (1280, 720, 40, 1040, 610), (1920, 1080, 42, 1111, 333), (320, 320, 250, 160, 170)],
)
def test_finds_small_and_large_faces_anywhere(tracker, width, height, size, x, y):
    observation = track(tracker, [put(backdrop(width, height), x, y, size)] * 2)[-1]
    assert observation.landmarks is not None
    assert observation.landmarks.shape == (478, 3)
    assert observation.landmarks.dtype == np.float32
    assert abs(observation.evidence.size - size) < 0.25 * size
    assert np.hypot(*(observation.landmarks[:468, :2].mean(0) - (x, y))) < 0.2 * size


def test_landmarks_move_as_the_face_moves(tracker):
    paths = [(200 + 6 * i, 150 + 3 * i) for i in range(12)]
    noses = nose_tips(track(tracker, [put(backdrop(), x, y, 90) for x, y in paths]))
    movement = np.diff(noses, axis=0)
    assert np.abs(movement - (6, 3))[2:].max() < 0.5
    assert np.abs(movement - (6, 3)).max() < 1.5


def test_a_still_head_does_not_tremble(tracker):
    image = put(backdrop(), 320, 180, 100)
    landmarks = np.array([o.landmarks for o in track(tracker, [image] * 12)])
    assert np.ptp(landmarks[2:], axis=0).max() < 0.02  # pixels


def test_a_noisy_still_head_trembles_less_after_smoothing(tracker):
    rng = np.random.default_rng(0)
    image = put(backdrop(), 320, 180, 100).astype(np.int16)
    images = [np.clip(image + rng.integers(-8, 9, image.shape), 0, 255).astype(np.uint8) for _ in range(30)]
    raw = np.array([o.landmarks for o in track(tracker, images)])[3:]
    calm = smooth_landmarks(raw, np.zeros(len(raw), np.int32))
    jitter = [np.abs(np.diff(x[..., :2], 2, axis=0)).mean() for x in (raw, calm)]
    assert jitter[1] < 0.5 * jitter[0]


def test_the_largest_face_is_number_zero(tracker):
    images = [put(put(backdrop(), 150, 150, 60), 450, 180, 110) for _ in range(2)]
    images.append(put(backdrop(), 150, 150, 60))
    people = tracker.find_people(to_frames(images), 1 / RATE)
    assert [p.detected.number for p in people] == [0, 1]
    big, small = (p.detected for p in people)
    assert big.box[2] - big.box[0] > small.box[2] - small.box[0]
    assert (big.share, small.share) == (pytest.approx(2 / 3), 1.0)
    assert big.thumbnail.shape == (96, 96, 3)
    assert big.thumbnail.dtype == np.uint8
    assert nose_tips(track(tracker, images[:2], people[1]))[-1, 0] < 250


def test_a_face_that_appears_briefly_is_not_the_largest(tracker):
    images = [put(backdrop(), 150, 150, 100)] * 5
    images[0] = put(images[0], 450, 180, 130)
    first = tracker.find_people(to_frames(images), 1 / RATE)[0].detected
    assert first.share == 1.0
    assert first.time == 0.0


def test_the_chosen_stay_chosen_while_another_passes_in_front(identifying):
    other = np.linspace(520, 90, 50)
    images = [put(put(backdrop(), 300, 180, 90), x, 185, 95, "other") for x in other]
    person = next(
        p for p in identifying.find_people(to_frames([images[0], images[-1]]), 1 / RATE) if p.embedding[0] > 0.9
    )
    observations = track(identifying, images, person)
    presence = compute_presence([o.evidence for o in observations], 30.0).presence
    noses = nose_tips(observations)
    clear = np.abs(other - 300) > 130
    assert np.abs(noses[clear] - noses[0]).max() < 4
    assert presence[-1] > 0.9
    wrong = np.abs(noses[:, 0] - noses[0, 0]) > 45
    assert not (presence[wrong] > 0).any()


def test_without_an_embedder_motion_keeps_the_chosen(tracker):
    images = [put(put(backdrop(), 180 + 2 * i, 180, 90), 470 - 2 * i, 180, 90, "other") for i in range(25)]
    left = min(tracker.find_people(to_frames(images[:1]), 1 / RATE), key=lambda p: p.detected.box[0])
    x = nose_tips(track(tracker, images, left))[:, 0]
    assert np.all(np.abs(np.diff(x) - 2) < 1.5)


def test_leaves_and_returns_elsewhere_while_another_stays(identifying):
    both = put(put(backdrop(), 160, 180, 90), 480, 180, 90, "other")
    alone = put(backdrop(), 480, 180, 90, "other")
    back = put(put(backdrop(), 250, 200, 80), 480, 180, 90, "other")
    images = [both] * 5 + [alone] * 12 + [back] * 12
    person = next(p for p in identifying.find_people(to_frames([both]), 1 / RATE) if p.embedding[0] > 0.9)
    observations = track(identifying, images, person)
    x = nose_tips(observations)[:, 0]
    assert np.abs(x[:5] - x[0]).max() < 2
    assert np.isnan(x[5:17]).all()
    assert np.isfinite(x[-3:]).all()
    assert (x[-3:] < 300).all()
    spans = compute_presence([o.evidence for o in observations], 30.0).reasons
    assert [word for *_, word in spans] == ["missing"]


def test_a_cut_starts_a_shot_and_finds_the_person_anew(identifying):
    first = put(put(backdrop(), 160, 180, 90), 480, 180, 90, "other")
    second = put(put(backdrop()[::-1, ::-1].copy(), 160, 180, 90, "other"), 470, 180, 90)
    images = [first] * 8 + [second] * 8
    person = next(p for p in identifying.find_people(to_frames([first]), 1 / RATE) if p.embedding[0] > 0.9)
    observations = track(identifying, images, person)
    result = compute_presence([o.evidence for o in observations], 30.0)
    assert result.shot.tolist() == [0] * 8 + [1] * 8
    x = nose_tips(observations)[:, 0]
    assert (x[:8] < 320).all()
    assert (x[8:] > 320).all()
    assert (result.presence == 1).all()


def test_a_flash_is_no_cut(tracker):
    image = put(backdrop(), 320, 180, 100)
    images = [image] * 6 + [np.clip(image.astype(int) * 3 + 60, 0, 255).astype(np.uint8)] + [image] * 6
    result = compute_presence([o.evidence for o in track(tracker, images)], 30.0)
    assert result.shot.max() == 0


def test_cut_off_by_the_frame(tracker):
    xs = [500] * 8 + [500 + 10 * i for i in range(1, 17)]
    observations = track(tracker, [put(backdrop(), x, 180, 110) for x in xs])
    result = compute_presence([o.evidence for o in observations], 30.0)
    assert result.presence[0] == 1
    assert result.presence[-1] == 0
    assert (np.diff(result.presence) <= 0).all()
    assert len(np.unique(result.presence)) > 3
    assert result.reasons[0][2] == "cut off"
    assert result.presence[xs.index(620)] == 0  # a third is outside


def test_something_in_front_hides_the_face(tracker):
    clear = put(backdrop(), 320, 180, 120)
    covered = clear.copy()
    covered[185:270, 260:390] = (40, 90, 30)  # a green book before mouth and chin
    observations = track(tracker, [clear] * 15 + [covered] * 12 + [clear] * 15)
    result = compute_presence([o.evidence for o in observations], 30.0)
    absent = np.flatnonzero(result.presence == 0)
    assert absent.min() in (14, 15)
    assert absent.max() in (26, 27)
    assert {word for *_, word in result.reasons} <= {"hidden", "missing"}
    assert result.presence[0] == 1
    assert result.presence[-1] == 1


def test_a_microphone_hides_the_mouth(tracker):
    clear = put(backdrop(), 320, 180, 120)
    covered = cv2.circle(clear.copy(), (325, 220), 24, (30, 30, 30), -1)
    result = compute_presence([o.evidence for o in track(tracker, [clear] * 12 + [covered] * 12)], 30.0)
    assert result.shot.max() == 0
    assert (result.presence[12:] == 0).all()
    assert result.presence[0] == 1


def test_a_change_of_light_hides_nothing(tracker):
    image = put(backdrop(), 320, 180, 120)
    images = [np.clip(image * g, 0, 255).astype(np.uint8) for g in np.linspace(1, 0.35, 20)]
    assert (compute_presence([o.evidence for o in track(tracker, images)], 30.0).presence == 1).all()


def test_grey_and_rotated_images(tracker):
    image = put(backdrop(), 320, 180, 110, roll=35)
    grey = np.repeat(image.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    observation = track(tracker, [grey])[0]
    assert observation.landmarks is not None
    assert abs(abs(observation.evidence.roll) - 35) < 8


def test_nothing_in_an_empty_scene(tracker):
    assert tracker.find_people(to_frames([backdrop()]), 1 / RATE) == []
    assert track(tracker, [backdrop(), np.zeros((1, 1, 3), np.uint8)])[-1].landmarks is None
    with pytest.raises(NoFaceError, match=r"no face was found in holiday\.mp4.*40 pixels"):
        select_person([], None, "holiday.mp4")


def test_asking_for_a_face_that_is_not_there(tracker):
    people = tracker.find_people(to_frames([put(backdrop(), 320, 180, 110)]), 1 / RATE)
    assert select_person(people, None, "a.mp4") is people[0]
    assert select_person(people, 0, "a.mp4") is people[0]
    with pytest.raises(NoFaceError, match=r"face 1 was asked for, but 1 face was found in a\.mp4: give 0"):
        select_person(people, 1, "a.mp4")


def test_nothing_of_a_frame_is_kept(tracker):
    """Memory stays flat: what a tracker holds does not grow with the number of frames."""
    image = put(backdrop(), 320, 180, 100)
    track(tracker, [image] * 4)
    before = array_bytes(tracker)
    track(tracker, [image] * 20)
    assert 0 < array_bytes(tracker) <= before


def array_bytes(value) -> int:
    """Size of all arrays in an object of this package and in what it holds."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, list | tuple):
        return sum(map(array_bytes, value))
    if type(value).__module__.startswith("asccl."):
        return sum(map(array_bytes, vars(value).values()))
    return 0


def test_eye_distance_is_that_of_the_image(tracker):
    observation = track(tracker, [put(backdrop(), 320, 180, 117)] * 3)[-1]
    assert 50 < eye_distance(observation.landmarks) < 75


def test_starts_quietly_and_several_work_side_by_side():
    """In a new process: MediaPipe prints to file descriptor 2, and other lines there are kept."""
    script = """
import os, threading
from asccl.face.facemesh import suppress_startup_log
from asccl.face.tracker import FaceMeshTracker
from tests.face.scenes import backdrop, put

def work(x, results):
    with FaceMeshTracker() as tracker:
        tracker.start()
        results.append([tracker.track(put(backdrop(), x + i, 180, 100)).evidence.x - x for i in range(5)])

results = [[], []]
threads = [threading.Thread(target=work, args=(200 + 200 * i, results[i])) for i in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
with suppress_startup_log():
    os.write(2, b"somebody else\\n")
print(max(abs(x - i) for result in results for run in result for i, x in enumerate(run)), [len(r) for r in results])
"""
    completed = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert completed.returncode == 0
    assert completed.stderr == "somebody else\n"
    assert completed.stdout.strip().endswith("[1, 1]")
    assert float(completed.stdout.split()[0]) < 15

"""Frames with ICface's control values: synthetic people, prepared clips, and pairs of frames."""

import numpy as np
import pytest
import torch
from recordings import HEAD, SIZE, word_coefficients, write_recording

from asccl.data.labels import Labels
from asccl.errors import InputError
from asccl.face import mesh
from asccl.face.crop import arcface_points
from asccl.nets.icface_settings import POSE_CONTROLS
from asccl.renderers.icface.controls import LIPS_PART, UPPER_FACE, control_index
from training.datasets.controlled_clips import ArrayClip, ControlledFrames, FramePairs
from training.datasets.driven_clips import EDIT, REENACTMENT, DrivenClip
from training.datasets.recorded_controlled import load_recorded_clips, recorded_driven_clips
from training.datasets.synthetic_controlled import synthetic_clips, synthetic_driven_clips

LIMIT = 0.7


@pytest.fixture(scope="module")
def people() -> tuple[ArrayClip, ...]:
    return synthetic_clips(0, 2, 6, 32, LIMIT)


@pytest.fixture(scope="module")
def driven() -> dict[str, DrivenClip]:
    return {clip.setting: clip for clip in synthetic_driven_clips(3, 1, 8, 32, LIMIT)}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    for number in range(4):
        words = word_coefficients(number, 12)
        write_recording(folder, Labels(f"P{number}", "happy", "1"), words, hidden=slice(0, 2))
    return load_recorded_clips(folder, HEAD, 32, LIMIT)


def test_a_person_is_the_same_in_every_call(people):
    again = synthetic_clips.__wrapped__(0, 1, 6, 32, LIMIT)[0]
    assert np.array_equal(again.content.images, people[0].content.images)
    assert np.array_equal(again.content.controls, people[0].content.controls)


def test_controls_lie_between_0_and_1_and_change(people):
    controls = np.concatenate([clip.content.controls for clip in people])
    assert controls.min() >= 0
    assert controls.max() <= 1
    assert controls.std(0)[:3].min() > 0.01


def test_faces_fill_their_crops(people):
    points = people[0].content.landmarks
    assert np.abs(points.mean((0, 1)) - 15.5).max() < 4
    assert 12 < np.ptp(points[..., 1], axis=1).mean() < 28


def test_the_lips_part_in_the_controls_as_in_the_landmarks(driven):
    truth = driven[EDIT].truth
    parted = truth.controls[:, control_index((LIPS_PART,))[0]]
    assert np.corrcoef(parted, mesh.lip_gap(truth.landmarks))[0, 1] > 0.95


def test_source_and_truth_of_an_edit_differ_in_the_emotion(driven):
    clip = driven[EDIT]
    change = np.abs(clip.source.controls - clip.truth.controls).mean(0)
    assert change[:3].max() < 1e-6
    assert change[control_index(UPPER_FACE)].max() > 0.1


def test_a_reenactment_has_one_source_image(driven):
    clip = driven[REENACTMENT]
    assert (clip.source.images == clip.source.images[:1]).all()
    assert np.array_equal(clip.truth.images, driven[EDIT].truth.images)
    assert not np.array_equal(clip.truth.images[0], clip.truth.images[-1])


def test_pairs_take_every_frame_as_a_source_and_another_of_its_clip_as_target(people):
    pairs = FramePairs(people, seed=0)
    assert {number for number, _ in pairs.sources} == {0, 1}
    items = [pairs[i] for i in range(0, len(pairs), 7)]
    assert not any(torch.equal(item.source, item.target) for item in items)
    assert {int(item.person) for item in items} == {0, 1}


def test_a_pair_depends_on_seed_and_index_alone(people):
    first, again = FramePairs(people, seed=4)[5], FramePairs(people, seed=4)[5]
    assert torch.equal(first.target, again.target)


def test_a_pair_of_an_edit_shows_one_moment_with_two_emotions():
    clip = synthetic_clips(0, 1, 6, 32, LIMIT, edits=True)[0]
    pairs = FramePairs([clip], seed=0, edit_share=1.0)
    items = [pairs[i] for i in range(0, len(pairs), 16)]
    pose, upper_face = slice(0, POSE_CONTROLS), control_index(UPPER_FACE)
    assert max((item.source_controls - item.target_controls)[pose].abs().max() for item in items) < 1e-6
    assert max((item.source_controls - item.target_controls)[upper_face].abs().max() for item in items) > 0.1


def test_without_edits_a_share_of_them_changes_nothing(people):
    assert torch.equal(FramePairs(people, 0, edit_share=1.0)[5].target, FramePairs(people, 0)[5].target)


def test_people_with_edits_begin_with_the_frames_of_those_without(people):
    edited = synthetic_clips(0, 2, 6, 32, LIMIT, edits=True)
    assert np.array_equal(edited[1].content.images[:6], people[1].content.images)


def test_people_who_are_rendered_in_processes_are_the_same(people):
    parallel = synthetic_clips(0, 2, 6, 32, LIMIT, jobs=2)
    assert [clip.name for clip in parallel] == [clip.name for clip in people]
    assert np.array_equal(parallel[1].content.images, people[1].content.images)


def test_colours_change_alike_in_both_frames_of_a_pair(people):
    content = ControlledFrames(*(part[[0, 0]] for part in people[0].content))
    clip = ArrayClip(content, "still", "A")
    plain, jittered = FramePairs([clip], 0)[3], FramePairs([clip], 0, colour_jitter=0.2)[3]
    assert torch.equal(jittered.source, jittered.target)
    assert not torch.equal(jittered.source, plain.source)
    assert jittered.source.abs().max() <= 1


def test_the_crop_matrix_of_a_pair_maps_the_source_to_its_arcface_crop(people):
    pair = FramePairs(people, seed=0)[0]
    x, y = (
        arcface_points(people[0].content.landmarks[0])[2] @ pair.crop_matrix[:, :2].T.numpy()
        + pair.crop_matrix[:, 2].numpy()
    )
    assert (x, y) == pytest.approx((56, 72), abs=8)


def test_clips_of_one_frame_are_refused(people):
    short = ArrayClip(ControlledFrames(*(part[:1] for part in people[0].content)), "short", "A")
    with pytest.raises(InputError, match="none of 1 clips has two frames with a face: give longer clips"):
        FramePairs([short], seed=0)


def test_prepared_clips_give_frames_with_a_face(recorded):
    train, held_out = recorded
    assert (len(train), len(held_out)) == (3, 1)
    assert {clip.person for clip in train + held_out} == {"P0", "P1", "P2", "P3"}
    assert len(train[0]) == 10
    frames = train[0].frames([0, 9])
    assert frames.images.shape == (2, 32, 32, 3)
    assert np.abs(frames.images[0].astype(int) - 10).max() <= 2, "the brightness of the frame with number 2"


def test_prepared_clips_have_the_controls_of_their_coefficients(recorded):
    clip = recorded[0][0]
    jaw = clip.clip.coefficients[2:, HEAD.index["jawOpen"]].clip(0, 1)
    assert clip.frames(range(10)).controls[:, control_index((26,))[0]] == pytest.approx(jaw, abs=1e-6)


def test_prepared_clips_are_trained_on_without_what_a_face_always_shows(tmp_path):
    words = word_coefficients(0, 12)
    words[:, [HEAD.index["browDownLeft"], HEAD.index["browDownRight"]]] = 0.1
    for number in range(2):
        write_recording(tmp_path, Labels(f"P{number}"), words)
    (train, *_), _ = load_recorded_clips(tmp_path, HEAD, 32, LIMIT)
    assert train.frames(range(12)).controls[:, control_index((4,))[0]] == pytest.approx(0, abs=1e-6)


def test_landmarks_of_prepared_clips_lie_in_their_crops(recorded):
    points = recorded[0][0].frames([0]).landmarks[0]
    assert (points.min(), points.max()) == pytest.approx((5, 27), abs=5)


def test_a_held_out_clip_is_driven_from_its_first_frame(recorded):
    (clip,) = recorded_driven_clips(recorded[1], 4)
    assert clip.setting == REENACTMENT
    assert len(clip.truth.images) == 4
    assert not np.array_equal(clip.source.controls[0], clip.truth.controls[0])


def test_a_folder_without_two_frames_of_a_face_is_refused(tmp_path):
    write_recording(tmp_path, Labels("A", "happy", "1"), word_coefficients(0, 12), hidden=slice(1, 12))
    with pytest.raises(InputError, match=r"no clip of .* has two frames with a face: give longer clips"):
        load_recorded_clips(tmp_path, HEAD, 32, LIMIT)


def test_prepared_images_have_the_size_of_the_folder(recorded):
    assert recorded[0][0].clip.record.size == SIZE


class ProxiedClip:
    """A clip of another class that has edits: all that `FramePairs` knows of a clip is its interface."""

    def __init__(self, clip: ArrayClip):
        self._clip = clip

    def __len__(self) -> int:
        return len(self._clip)

    def __getattr__(self, name: str):
        return getattr(self._clip, name)


def test_a_clip_of_any_class_may_have_edits():
    clip = synthetic_clips(0, 1, 6, 32, LIMIT, edits=True)[0]
    expected, item = (FramePairs([c], seed=0, edit_share=1.0)[3] for c in (clip, ProxiedClip(clip)))
    assert torch.equal(item.target, expected.target)

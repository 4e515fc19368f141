"""Pairs, sequences and takes with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import DataLoader

from asccl.face import mesh
from asccl.face.crop import fit_similarity
from asccl.morphable.speech import speech_unit_mask
from asccl.synthetic.datasets import SyntheticPair, SyntheticPairs, SyntheticSequences
from asccl.synthetic.paired_takes import SyntheticTakes
from asccl.synthetic.speech import lip_opening
from asccl.zoo import load_embedder


@pytest.fixture(scope="module")
def pairs(head):
    return SyntheticPairs(seed=3, count=400, head=head)


def are_equal(a: SyntheticPair, b: SyntheticPair) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_an_item_depends_on_seed_and_index_only(pairs, head):
    items = {i: pairs[i] for i in (0, 1, 9)}
    again = SyntheticPairs(seed=3, count=10, head=head)
    assert all(are_equal(again[i], items[i]) for i in (9, 1, 0))


def test_another_seed_gives_other_items(pairs, head):
    other = SyntheticPairs(seed=4, count=10, head=head)[0]
    assert not np.array_equal(other.source, pairs[0].source)
    assert not np.array_equal(other.speech, pairs[0].speech)


def test_workers_make_the_same_items(pairs, head):
    dataset = SyntheticPairs(seed=3, count=4, head=head)
    batches = list(DataLoader(dataset, batch_size=2, num_workers=2))
    for i in range(4):
        batch = batches[i // 2]
        assert np.array_equal(batch.source[i % 2].numpy(), pairs[i].source)
        assert np.array_equal(batch.target_landmarks[i % 2].numpy(), pairs[i].target_landmarks)


@pytest.mark.parametrize("index", [-1, 400])
def test_an_index_out_of_range_is_refused(pairs, index):
    with pytest.raises(IndexError):
        pairs[index]


@pytest.mark.parametrize("size", [112, 224])
def test_shapes_and_ranges_of_a_pair(head, size):
    item = SyntheticPairs(seed=0, size=size, count=2, head=head)[1]
    for image in (item.source, item.target):
        assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
        assert image.std() > 15
    assert item.source_emotion != item.target_emotion
    assert item.speech.shape == item.source_coefficients.shape == (52,)
    lips = item.source_landmarks[list(mesh.LIPS)]
    assert 0 < lips.min() < lips.max() < size


@pytest.fixture(scope="module")
def coefficients(pairs):
    """(3, 24, 52): words alone, source and target."""
    items = [pairs[i] for i in range(24)]
    return np.stack([[p.speech, p.source_coefficients, p.target_coefficients] for p in items], 1)


def test_both_images_have_the_speech_units_of_the_words(head, coefficients):
    kept = speech_unit_mask(head.names)
    speech, source, target = coefficients[..., kept]
    np.testing.assert_array_equal(source, speech)
    np.testing.assert_array_equal(target, speech)


def test_both_images_have_a_lip_opening_close_to_that_of_the_words(head, coefficients):
    speech, source, target = (lip_opening(w, head) for w in coefficients)
    assert np.ptp(speech) > 0.8  # cm
    assert np.abs(source - speech).max() < 0.7
    assert np.abs(target - speech).max() < 0.7


def test_crops_are_aligned_by_the_true_landmarks(pairs):
    for i in range(5):
        for points in (pairs[i].source_landmarks, pairs[i].target_landmarks):
            matrix = fit_similarity(mesh.arcface_points(points), mesh.ARCFACE_TEMPLATE)
            np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=2e-3)


def test_one_person_with_two_emotions_is_more_similar_than_two_people(pairs):
    items = [pairs[8 * i] for i in range(12)]
    net = load_embedder()
    cosine = net.embed(np.stack([p.source for p in items])) @ net.embed(np.stack([p.target for p in items])).T
    same, other = np.diag(cosine), cosine[~np.eye(12, dtype=bool)]
    assert same.mean() > other.mean() + 0.3
    assert (cosine.argmax(1) == np.arange(12)).mean() > 0.9


def test_source_and_target_of_a_sequence_have_the_speech_units_of_the_words(head):
    dataset, kept = SyntheticSequences(seed=5, count=30, head=head), speech_unit_mask(head.names)
    for i in range(30):
        item = dataset[i]
        assert item.speech.shape == item.source.shape == item.target.shape
        assert item.source_emotion != item.target_emotion
        assert 0.5 <= item.source_intensity <= 1.3
        np.testing.assert_array_equal(item.source[:, kept], item.target[:, kept])
        np.testing.assert_array_equal(item.source[:, kept], item.speech[:, kept])
        assert np.abs(item.source - item.target).max() > 0.1


def test_sequences_have_the_requested_lengths(head):
    dataset = SyntheticSequences(seed=5, count=30, head=head)
    lengths = {len(dataset[i].speech) for i in range(30)}
    assert len(lengths) > 10
    assert 10 <= min(lengths) <= max(lengths) <= 200
    assert len(SyntheticSequences(frames=32, head=head)[3].speech) == 32


def test_a_sequence_depends_on_seed_and_index_only(head):
    first, second = (SyntheticSequences(seed=5, count=30, head=head)[7] for _ in range(2))
    np.testing.assert_array_equal(first.target, second.target)


def test_takes_show_one_speaker_with_two_emotions(head):
    take = SyntheticTakes(seed=1, size=112, count=2, frames=3, head=head)[1]
    assert take.source.shape == take.target.shape == (3, 112, 112, 3)
    assert take.source_emotion != take.target_emotion
    kept = speech_unit_mask(head.names)
    np.testing.assert_array_equal(take.source_coefficients[:, kept], take.target_coefficients[:, kept])

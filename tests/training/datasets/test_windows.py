import torch

from training.datasets.windows import SEQUENCE_FRAMES, SyntheticWindows


def test_a_window_depends_on_seed_and_index_alone():
    first, second = SyntheticWindows(3, 6)[2], SyntheticWindows(3, 6)[2]
    assert torch.equal(first.source, second.source)
    assert torch.equal(first.reference, second.reference)


def test_a_window_has_the_same_words_with_two_emotions_and_a_reference_of_another_time():
    data = SyntheticWindows(3, 6)
    window = data[2]
    for name in ("jawOpen", "mouthPucker", "eyeLookUpLeft"):
        unit = data.sequences.head.index[name]
        torch.testing.assert_close(window.source[:, unit], window.target[:, unit])
    assert not torch.equal(window.target, window.reference)
    assert window.source_emotion != window.target_emotion


def test_a_sequence_has_coefficients_of_source_and_target():
    source, target, *_ = SyntheticWindows(3, 6).sequence(2)
    assert source.shape == target.shape == (SEQUENCE_FRAMES, 52)
    assert source.min() >= 0

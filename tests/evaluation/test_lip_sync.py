from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from evaluated_clips import ArrayStream, face

from asccl.evaluation.cepstra import cepstra
from asccl.evaluation.lip_crops import GroupCropper, RateConverter, TrackedCropper
from asccl.evaluation.measure import MeasureSkippedError
from asccl.evaluation.sound import Sound
from asccl.evaluation.sync_distances import GROUP, STANDARD, SoundEmbeddings, StreamDistances, sync_score

psf = pytest.importorskip("python_speech_features")
RNG = np.random.default_rng(0)
NOISE = Sound((3000 * RNG.standard_normal(48_000)).astype(np.int16))


class MeanNet:
    """The mean of its input stands for an embedding."""

    def lips(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 3, 4))[:, :2] / 255

    def sound(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 3))[:, :2]


def frames(count: int) -> ArrayStream:
    images = [np.full((64, 64, 3), 4 * t % 256, np.uint8) for t in range(count)]
    return ArrayStream(np.stack([face()] * count), images)


def test_the_score_is_the_smallest_distance_and_its_gap_to_the_median():
    assert sync_score(np.array([9.0, 7.0, 5.0, 8.0, 9.0])) == (5.0, 3.0, 0)


def test_a_sound_that_comes_late_has_a_negative_shift():
    assert sync_score(np.array([9.0, 9.0, 8.0, 5.0, 9.0])).shift == -1


@pytest.mark.parametrize("rate", [25, 30])
def test_cepstra_in_parts_are_those_of_the_whole_sound(rate, monkeypatch):
    monkeypatch.setattr("asccl.evaluation.cepstra.PART_STEPS", 17)
    expected = psf.mfcc(NOISE.samples.astype(float), 16_000, winstep=1 / (4 * rate), nfft=512)
    np.testing.assert_allclose(cepstra(NOISE, Fraction(rate)), expected, rtol=1e-4, atol=1e-4)


def test_floats_lower_only_the_log_energy():
    difference = cepstra(NOISE, Fraction(30)) - cepstra(NOISE, Fraction(30), as_floats=True)
    expected = np.zeros(13)
    expected[0] = 2 * np.log(32768)
    np.testing.assert_allclose(difference.mean(0), expected, atol=1e-3)


def test_sound_embeddings_beyond_the_ends_are_zero():
    embeddings = SoundEmbeddings(MeanNet(), np.ones((60, 13), np.float32))
    assert embeddings.around(0, 2)[:, 0].tolist() == [0, 0, 1, 1, 1]


def test_distances_do_not_depend_on_the_chunks():
    results = []
    for size in (7, 32):
        distances = StreamDistances(MeanNet(), GROUP, [NOISE], Fraction(30))
        for chunk in frames(60).chunks(size):
            distances.add(chunk)
        results.append(distances.finish()[0])
    assert results[0] == pytest.approx(results[1])


def test_distances_are_those_of_the_definition():
    net, distances = MeanNet(), StreamDistances(MeanNet(), GROUP, [NOISE], Fraction(30))
    for chunk in frames(60).chunks():
        distances.add(chunk)
    columns = torch.from_numpy(cepstra(NOISE, Fraction(30), as_floats=True).T.copy())
    windows = columns.shape[1] // 4 - 5
    sound = torch.cat([net.sound(columns[None, None, :, 4 * t : 4 * t + 20]) for t in range(windows)])
    sound = torch.nn.functional.pad(sound, (0, 0, 10, 10))
    lips = torch.tensor([[4 * t % 256, 4 * (t + 1) % 256] for t in range(55)]) / 255
    rows = [torch.nn.functional.pairwise_distance(lips[[t]], sound[t : t + 21]) for t in range(55)]
    assert distances.finish()[0].distance == pytest.approx(float(torch.stack(rows).mean(0).min()), rel=1e-5)


def test_a_clip_that_is_too_short_is_skipped_with_a_reason():
    distances = StreamDistances(MeanNet(), STANDARD, [NOISE], Fraction(25))
    for chunk in frames(6).chunks():
        distances.add(chunk)
    with pytest.raises(MeasureSkippedError, match="too short"):
        distances.finish()


def test_thirty_frames_become_twenty_five():
    converter = RateConverter(30 / 25)
    assert sum(converter.repeats(i) for i in range(300)) == 250


def test_twenty_five_frames_become_thirty():
    converter = RateConverter(25 / 30)
    assert sum(converter.repeats(i) for i in range(250)) == 300


def test_the_group_cuts_35_of_256_pixels():
    image = np.zeros((256, 256, 3), np.uint8)
    image[35:221, 35:221] = (10, 20, 30)
    crop = next(GroupCropper().push(image, face()))
    assert (crop == (30, 20, 10)).all()


def test_the_tracked_crop_yields_as_many_pictures_as_frames():
    cropper, count = TrackedCropper(), 0
    for chunk in frames(20).chunks():
        for image, landmarks in zip(chunk.images, chunk.landmarks, strict=True):
            count += len(list(cropper.push(image, landmarks)))
    assert count + len(list(cropper.flush())) == 20


def test_the_tracked_crop_is_gray_beyond_the_frame():
    cropper = TrackedCropper()
    list(cropper.push(np.zeros((64, 64, 3), np.uint8), face(shift=-40)))
    crop = next(cropper.flush())
    assert crop[100, 2].tolist() == [110, 110, 110]


class CountingNet(MeanNet):
    """Counts the windows of lips."""

    windows = 0

    def lips(self, x: torch.Tensor) -> torch.Tensor:
        self.windows += len(x)
        return super().lips(x)


def test_lips_of_a_source_are_embedded_once_for_all_methods():
    net, stream, scores = CountingNet(), frames(60), []
    for _ in range(2):
        distances = StreamDistances(net, STANDARD, [NOISE], Fraction(25))
        for chunk in stream.chunks():
            distances.add(chunk)
        scores.append(distances.finish())
    assert net.windows == distances.windows
    assert scores[0] == scores[1]


def test_lips_near_an_earlier_end_are_embedded_anew():
    """The crops there are others: the median of the tracked box has no later frames."""
    net, stream = CountingNet(), frames(60)
    for count in (60, 50):
        distances = StreamDistances(net, STANDARD, [NOISE], Fraction(25))
        for start in range(0, count, 10):
            distances.add(stream.chunk(start, stream._rows()[start : start + 10]))
        distances.finish()
    assert net.windows > 60

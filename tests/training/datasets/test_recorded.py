"""Data sets of prepared clips: pairs by words, windows, held-out groups, takes of face crops."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from recordings import HEAD, word_coefficients, write_recording
from safetensors.numpy import load_file, save_file

from asccl.data.clips import PreparedClip
from asccl.data.labels import Labels
from asccl.data.manifest import read_manifest
from asccl.errors import InputError
from asccl.nets.ned_manipulator import WINDOW_LENGTH
from asccl.types import EMOTIONS
from training.datasets.recorded import (
    RecordedTakes,
    RecordedWindows,
    clips_with_partner,
    find_partners,
    load_labelled_clips,
    pair_valid_frames,
    split_clips,
)

JAW = HEAD.index["jawOpen"]


def slow_down(coefficients: np.ndarray, factor: float) -> np.ndarray:
    """Resample the same words to another tempo."""
    times = np.arange(0, len(coefficients) - 1, 1 / factor)
    columns = [np.interp(times, np.arange(len(coefficients)), column) for column in coefficients.T]
    return np.stack(columns, -1).astype(np.float32)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[PreparedClip]:
    """Ann says two texts in three emotions, each slower than the one before.

    Bob says one text twice in neutral and another text angrily; Eve has no label.
    """
    folder = tmp_path_factory.mktemp("recorded")
    for text in (1, 2):
        for number, emotion in enumerate(("neutral", "happy", "sad")):
            words, labels = slow_down(word_coefficients(text), 1 + 0.2 * number), Labels("Ann", emotion, str(text))
            write_recording(folder, labels, words, 10 * text + number, hidden=slice(30, 32))
    write_recording(folder, Labels("Bob", "neutral", "3"), word_coefficients(3), 1)
    write_recording(folder, Labels("Bob", "neutral", "3"), word_coefficients(3), 4)  # the same emotion: no pair
    write_recording(folder, Labels("Bob", "angry", "4"), word_coefficients(4), 2)
    write_recording(folder, Labels("Eve"), word_coefficients(5), 3)
    return load_labelled_clips(folder, HEAD)


def clips_of(clips: list[PreparedClip], person: str) -> list[PreparedClip]:
    return [clip for clip in clips if clip.record.person == person]


def test_clips_without_a_label_are_left_out(clips):
    assert {clip.record.person for clip in clips} == {"Ann", "Bob"}


def test_clips_with_the_same_words_and_another_emotion_are_partners(clips):
    pairs = [(clips[i].record, clips[j].record) for i, j in find_partners(clips)]
    assert len(pairs) == 6
    assert all(a.person == b.person == "Ann" and a.words == b.words and a.emotion != b.emotion for a, b in pairs)
    assert [clip.record.person for clip in clips_with_partner(clips)] == ["Ann"] * 6


@pytest.mark.parametrize("sound", [True, False])
def test_corresponding_frames_are_found_by_sound_and_by_mouth(tmp_path, sound):
    words = word_coefficients(7, 60)
    write_recording(tmp_path, Labels("Ann", "neutral", "w"), words, 1, sound)
    write_recording(tmp_path, Labels("Ann", "happy", "w"), slow_down(words, 1.25), 2, sound, slice(20, 24))
    frames = pair_valid_frames(*load_labelled_clips(tmp_path, HEAD))
    assert not np.isin(frames[:, 1], range(20, 24)).any()
    assert len(frames) > 50
    error = np.abs(frames[:, 0] * 1.25 - frames[:, 1])  # frames, of 75
    assert np.median(error) <= 1.5
    assert error.mean() < 3


def test_a_window_depends_on_seed_and_index_alone(clips):
    first, second = RecordedWindows(0, clips)[3], RecordedWindows(0, clips)[3]
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, second, strict=True))


def test_a_window_with_a_partner_says_the_same_in_source_and_target(clips):
    data = RecordedWindows(0, clips_of(clips, "Ann"))
    assert len(data) == 6 * 40
    target_distances, reference_distances = [], []
    for index in range(0, len(data), 7):
        window = data[index]
        assert window.paired
        assert window.source_emotion != window.target_emotion
        assert window.source.shape == window.target.shape == window.reference.shape == (WINDOW_LENGTH, 52)
        target_distances.append((window.source[:, JAW] - window.target[:, JAW]).abs().mean())
        reference_distances.append((window.source[:, JAW] - window.reference[:, JAW]).abs().mean())
    assert np.mean(target_distances) < 0.35 * np.mean(reference_distances)


def test_no_window_crosses_a_hidden_frame(clips):
    data = RecordedWindows(1, clips)
    for index in range(0, len(data), 5):
        clip = clips[index % len(clips)]
        coefficients, source = clip.coefficients, data[index].source.numpy()
        starts = range(len(clip) - WINDOW_LENGTH + 1)
        matches = [t for t in starts if np.array_equal(coefficients[t : t + WINDOW_LENGTH], source)]
        assert any(clip.valid[t : t + WINDOW_LENGTH].all() for t in matches)


def test_a_window_without_a_partner_has_another_emotion_of_the_same_person(clips):
    data = RecordedWindows(0, clips)
    bob = [number for number, clip in enumerate(clips) if clip.record.person == "Bob"]
    for number in bob:
        windows = [data[number + len(clips) * k] for k in range(8)]
        assert not any(window.paired for window in windows)
        others = [clips[n] for n in bob if clips[n].record.emotion != clips[number].record.emotion]
        assert all(EMOTIONS[window.target_emotion] == others[0].record.emotion for window in windows)
        jaws = {round(float(x), 6) for other in others for x in other.coefficients[:, JAW]}
        values = torch.cat([part[:, JAW] for window in windows for part in (window.target, window.reference)])
        assert all(round(float(x), 6) in jaws for x in values)


def test_people_with_one_emotion_take_the_target_from_another_person(tmp_path):
    write_recording(tmp_path, Labels("Ann", "neutral"), word_coefficients(1), 1)
    write_recording(tmp_path, Labels("Bob", "happy"), word_coefficients(2), 2)
    data = RecordedWindows(0, load_labelled_clips(tmp_path, HEAD))
    windows = [data[index] for index in range(6)]
    emotions = {(EMOTIONS[window.source_emotion], EMOTIONS[window.target_emotion]) for window in windows}
    assert emotions == {("neutral", "happy"), ("happy", "neutral")}


def test_a_folder_of_one_emotion_is_refused(tmp_path):
    write_recording(tmp_path, Labels("Ann", "happy"), word_coefficients(1), 1)
    write_recording(tmp_path, Labels("Ann", "sad"), word_coefficients(1, WINDOW_LENGTH - 1), 2)  # too short
    write_recording(tmp_path, Labels("Bob"), word_coefficients(2), 3)
    with pytest.raises(InputError, match="has clips of 1 known emotions, and 2 are needed: name the files as MEAD"):
        load_labelled_clips(tmp_path, HEAD)


def test_a_manifest_that_lacks_files_is_refused(tmp_path):
    for number, emotion in enumerate(("happy", "sad")):
        write_recording(tmp_path, Labels("Ann", emotion, "w"), word_coefficients(1), number)
    record = read_manifest(tmp_path)[0]
    (tmp_path / record.file).unlink()
    with pytest.raises(InputError, match=f"lacks files or holds altered ones: {record.file}: run"):
        load_labelled_clips(tmp_path, HEAD)


def test_a_manifest_with_another_order_of_emotions_is_refused(tmp_path):
    record = write_recording(tmp_path, Labels("Ann", "happy", "w"), word_coefficients(1))
    line = record.to_json_line().replace(json.dumps(EMOTIONS), json.dumps(EMOTIONS[::-1]))
    (tmp_path / "manifest.jsonl").write_text(line)
    with pytest.raises(InputError, match="line 1 has the emotions in the order surprised, sad"):
        load_labelled_clips(tmp_path, HEAD)


def test_tensors_of_a_wrong_shape_are_refused(tmp_path):
    record = write_recording(tmp_path, Labels("Ann", "happy", "w"), word_coefficients(1))
    path = tmp_path / record.file
    tensors = load_file(path)
    save_file(tensors | {"coefficients": np.ascontiguousarray(tensors["coefficients"][:, :51])}, path)
    data = path.read_bytes()
    record = replace(record, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (tmp_path / "manifest.jsonl").write_text(record.to_json_line())
    with pytest.raises(InputError, match=r"has coefficients of shape \(40, 51\), not \(40, 52\): prepare"):
        load_labelled_clips(tmp_path, HEAD)


def test_held_out_clips_are_never_trained_on(clips):
    train, held_out = split_clips(clips)
    assert len(held_out) > 0
    assert len(train) + len(held_out) == len(clips)
    parts = defaultdict(set)
    for name, part in (("train", train), ("held out", held_out)):
        for clip in part:
            parts[clip.record.person, clip.record.words].add(name)
    assert all(len(names) == 1 for names in parts.values())


def test_few_clips_are_trained_on_and_held_out(clips):
    assert split_clips(clips[:3]) == (clips[:3], clips[:3])


def test_takes_pair_neutral_with_every_other_emotion_and_leave_no_frame_out(clips):
    takes = RecordedTakes(clips_with_partner(clips), 48, 5)
    frames = defaultdict(set)
    for i, j, aligned in takes._items:
        assert "neutral" in (clips[i].record.emotion, clips[j].record.emotion)
        assert len(aligned) == 5
        assert not frames[i, j] & set(aligned[:, 0])
        frames[i, j] |= set(aligned[:, 0].tolist())
    assert len(frames) == 4
    assert all(len(numbers) >= 30 for numbers in frames.values())


def test_a_take_holds_crops_of_its_frames(clips):
    takes = RecordedTakes(clips_with_partner(clips), 48, 5)
    take, (_, _, aligned) = takes[1], takes._items[1]
    assert take.shape == (2, 5, 3, 48, 48)
    assert take.dtype == torch.uint8
    levels = take[0, :, 0, 24, 24].float().numpy()
    assert np.abs(levels - 5 * aligned[:, 0]).max() < 4, "the brightness encodes the frame"


def test_takes_need_partners(clips):
    with pytest.raises(InputError, match="no two clips say the same words with two emotions in 5 frames"):
        RecordedTakes(clips_of(clips, "Bob"), 48, 5)

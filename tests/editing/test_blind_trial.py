"""The blind trial gives every emotion the same number of crops, and its table compares answers with the hidden key."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from asccl.face.landmarker import FaceLandmarker
from asccl.types import EMOTIONS
from benchmarks.blind_trial import (
    CROP_HEIGHT,
    Item,
    chosen_emotions,
    control_crops,
    cut_face,
    parse_control,
    read_answers,
    trial_rows,
    write_sheets,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
ITEMS = [Item("edits", "angry", "a.mp4"), Item("edits", "happy", "b.mp4"), Item("real", "sad", "sad-1.mp4")]
ITEMS.append(Item("calm", "any", "any-1.jpg"))


def write_trial(folder, *judges):
    (folder / "key.json").write_text(json.dumps([asdict(item) for item in ITEMS]))
    for i, lines in enumerate(judges):
        (folder / f"answers-{i}.csv").write_text("\n".join(lines))
    return folder


def test_seven_clips_show_every_emotion_three_times():
    counts = Counter(emotion for i in range(7) for emotion in chosen_emotions(i))
    assert counts == dict.fromkeys(EMOTIONS, 3)


def test_answers_are_compared_with_the_key(tmp_path):
    lines = ["1,angry,4,4,4", "2, Neutral,3,2,5", "3,sad,5,5,5"], ["1,angry,5,4,4", "2,happy,5,4,5", "3,fear,5,5,5"]
    rows = trial_rows(read_answers(write_trial(tmp_path, *lines)))
    assert (rows["edits: named right"], rows["real: sad"]) == ("3 of 4 (75%, 30% to 95%)", "fear 1, sad 1")


def test_grades_are_means_over_all_answers_of_a_kind(tmp_path):
    rows = trial_rows(read_answers(write_trial(tmp_path, ["1,angry,4,4,4", "2,happy,3,2,5"])))
    assert [rows[f"edits: {name}"] for name in ("skin", "mouth", "eyes")] == [3.5, 3.0, 4.5]


def test_an_unknown_emotion_counts_for_the_grades_alone(tmp_path):
    rows = trial_rows(read_answers(write_trial(tmp_path, ["4,happy,4,4,4"])))
    assert rows == {"calm: skin": 4.0, "calm: mouth": 4.0, "calm: eyes": 4.0}


@pytest.mark.parametrize("line", ["5,angry,4,4,4", "0,angry,4,4,4", "1,cross,4,4,4", "1,angry,4,4", "one,angry,4,4,4"])
def test_a_wrong_line_is_named(tmp_path, line):
    with pytest.raises(SystemExit, match=r"answers-0\.csv, line 2"):
        read_answers(write_trial(tmp_path, ["1,angry,4,4,4", line]))


def test_sheets_hold_every_crop_once_and_no_label(tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 30, 90), (30, 90, 90)]
    crops = [np.full((CROP_HEIGHT, 300, 3), colour, np.uint8) for colour in colours]
    write_sheets(tmp_path, [(Item("edits", "angry", f"{i}.mp4"), crop) for i, crop in enumerate(crops)], seed=0)
    sheets = [cv2.imread(str(path))[..., ::-1] for path in sorted(tmp_path.glob("*.png"))]
    areas = [sum(int((sheet == colour).all(-1).sum()) for sheet in sheets) for colour in colours]
    assert areas == [CROP_HEIGHT * 300] * len(colours)


def test_the_name_of_a_control_says_its_emotion(tmp_path):
    (tmp_path / "smile-1.png").touch()
    with pytest.raises(SystemExit, match="must begin with one of"):
        list(control_crops("real", tmp_path, lambda path: np.zeros((1, 1, 3), np.uint8)))


def test_a_control_is_a_kind_and_a_folder(tmp_path):
    assert parse_control(f"real={tmp_path}") == ("real", tmp_path)


def test_the_crop_shows_the_whole_face():
    landmarker = FaceLandmarker()
    crop = cut_face(EXAMPLE, 2.5, landmarker)
    landmarks = landmarker.detect(crop)[:, :2]
    assert ((landmarks > 0) & (landmarks < crop.shape[1::-1])).all()

"""Mix, groups and keyframes in the frames and in the report of an edit."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from media import FRAMES, RATE, SIZE, write_clip

from asccl import Editor, EditRequest, EditResult
from asccl.errors import SettingError
from asccl.expression import GroupAmounts, Keyframe
from asccl.video import Reader, read_tags

MIDDLE = float(FRAMES / 2 / RATE)
RISE = (Keyframe(0.0, 0.0), Keyframe(0.3, 0.0), Keyframe(0.7, 1.5))


def changes(source: Path, output: Path) -> np.ndarray:
    """Mean absolute change of the pixels of each frame, (T,)."""
    with Reader(source) as before, Reader(output) as after:
        return np.array([np.abs(a.image.astype(int) - b.image).mean() for a, b in zip(before, after, strict=True)])


@pytest.fixture(scope="module")
def rising(editor: Editor, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> EditResult:
    output = tmp_path_factory.mktemp("rising") / "rising.mp4"
    return editor.edit(EditRequest(clip, output=output, emotion="happy", keyframes=RISE, adapt=False))


def test_the_change_follows_the_keyframes(rising: EditResult, clip: Path):
    curve = np.array(rising.report["curves"]["intensity"])
    frames = np.round(np.array(rising.report["curves"]["time"]) * float(RATE)).astype(int)
    assert np.corrcoef(changes(clip, rising.output)[frames], curve)[0, 1] > 0.95


def test_frames_of_intensity_0_are_left_unchanged(rising: EditResult):
    unchanged = 1 + int(0.3 * RATE)
    assert rising.report["frames"]["passed_through"] == unchanged


def test_the_report_and_the_file_name_the_keyframes(rising: EditResult):
    assert rising.report["request"]["keyframes"][2] == {"time": 0.7, "intensity": 1.5}
    assert "over time" in read_tags(rising.output)["comment"]


def test_keyframes_reach_a_tall_clip(editor: Editor, clip: Path, tmp_path: Path):
    width = SIZE * 9 // 16
    columns = slice((SIZE - width) // 2, (SIZE + width) // 2)
    with Reader(clip) as reader:
        tall = write_clip(tmp_path / "tall.mp4", [frame.image[:, columns] for frame in islice(reader, 8)], sound=False)
    fade = (Keyframe(0.0, 0.0), Keyframe(0.1, 0.0), Keyframe(0.2, 1.5))
    result = editor.edit(EditRequest(tall, emotion="happy", keyframes=fade, adapt=False, badge=False))
    assert result.report["frames"]["passed_through"] == 1 + int(0.1 * RATE)


def test_a_preview_has_the_intensity_of_its_moment(editor: Editor, clip: Path):
    request = EditRequest(clip, emotion="happy", keyframes=RISE, adapt=False)
    unchanged, changed = (editor.preview(request, time) for time in (0.2, 0.7))
    assert np.array_equal(unchanged.source, unchanged.edited)
    assert np.abs(changed.source.astype(int) - changed.edited).mean() > 0.3


def test_a_still_has_no_time_for_keyframes(editor: Editor, still: Path, tmp_path: Path):
    with pytest.raises(SettingError, match="no time for keyframes"):
        editor.edit(EditRequest(still, output=tmp_path / "out.png", emotion="sad", keyframes=RISE))


def test_keyframes_behind_the_end_are_refused(editor: Editor, clip: Path, tmp_path: Path):
    with pytest.raises(SettingError, match="lies behind the end"):
        editor.edit(EditRequest(clip, output=tmp_path / "out.mp4", emotion="sad", keyframes=(Keyframe(9, 1),)))


def test_the_report_reads_a_mix_as_either_emotion(editor: Editor, still: Path, tmp_path: Path):
    request = EditRequest(
        still, output=tmp_path / "out.png", emotion="sad", second_emotion="surprised", second_share=0.4, adapt=False
    )
    report = editor.edit(request).report["emotion"]
    after = report["probabilities_after"]
    assert report["mix"]["after"] == pytest.approx(after["sad"] + after["surprised"])


def test_groups_change_the_picture_and_are_scaled_by_the_intensity(editor: Editor, still: Path):
    def change(**settings) -> float:
        preview = editor.preview(EditRequest(still, emotion="neutral", adapt=False, **settings), 0.0)
        return float(np.abs(preview.source.astype(int) - preview.edited).mean())

    smile = GroupAmounts(smile=1.0, brows=1.0)
    assert change(groups=smile) > change() + 0.2
    assert change(groups=smile, intensity=0.0) == 0

"""Two seconds of an edit, shown before the whole file is edited."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face.crop import face_region
from asccl.types import EditRequest
from asccl.video import probe, read_frame_at


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((40, 40, 60, 60), (27, 31, 73, 69)),
        ((0, 0, 20, 20), (0, 0, 33, 29)),
        ((200, 200, 240, 240), (98, 98, 100, 100)),
    ],
)
def test_the_region_of_a_face_lies_inside_the_image(box, expected):
    assert face_region(box, (100, 100)) == expected


def test_a_preview_knows_where_the_face_is(editor, short_clip):
    preview = editor.preview(EditRequest(short_clip, emotion="sad", adapt=False), 0.1)
    x0, y0, x1, y1 = preview.box
    height, width = preview.source.shape[:2]
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


def test_a_preview_clip_shows_the_original_beside_the_edit(editor, short_clip, tmp_path):
    output = tmp_path / "preview.mp4"
    editor.preview_clip(EditRequest(short_clip, emotion="sad", adapt=False), 0.1, output)
    info, image = probe(output), read_frame_at(output, 0.1).image.astype(int)
    original, edited = np.split(image, 2, axis=1)
    assert info.duration == pytest.approx(min(2.0, probe(short_clip).duration), abs=0.1)
    assert np.abs(original - edited).max() > 20
    assert np.abs(original[:4] - edited[:4]).mean() < 6

"""Parts of the page, limits of uploads, and messages."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from asccl.errors import CancelledError, LimitError, UnreadableError
from asccl.types import MediaInfo
from asccl.ui.components import UI_FOLDER, card_value, status_line
from asccl.ui.limits import WEB_LIMITS, check_media, check_upload
from asccl.ui.messages import error_message, format_seconds
from asccl.ui.page import STYLE_SHEETS

INFO = MediaInfo(Path(__file__), 160, 160, Fraction(10), Fraction(1, 10), 2.0, 20, is_still=False)
STYLES = UI_FOLDER / "styles"
HOSTILE_NAME = "<img src=x onerror=alert(1)>.mp4"


def test_a_file_name_does_not_become_markup():
    assert "<img" not in card_value(np.zeros((4, 4, 3), np.uint8), HOSTILE_NAME, HOSTILE_NAME)["name"]
    assert "<img" not in status_line("failed", HOSTILE_NAME)


def test_an_ordinary_video_is_within_the_limits():
    check_media(INFO, WEB_LIMITS)


@pytest.mark.parametrize(
    ("changes", "message"), [({"duration": 301.0}, "longer than 5 minutes"), ({"width": 100_000}, "pixels")]
)
def test_a_video_above_the_limits_is_refused(changes, message):
    with pytest.raises(LimitError, match=message):
        check_media(replace(INFO, **changes), WEB_LIMITS)


def test_a_deleted_upload_is_requested_again(tmp_path):
    with pytest.raises(UnreadableError, match="send it again"):
        check_upload(str(tmp_path / "gone.mp4"), "video")


def test_times_are_formatted():
    assert [format_seconds(seconds) for seconds in (3.0, 3.24, 75.0)] == ["3 s", "3.2 s", "1:15 min"]


def test_the_details_of_a_bug_are_not_displayed():
    assert "secret" not in error_message(ValueError("secret"))


def test_a_cancelled_edit_is_no_bug():
    assert error_message(CancelledError()) == "Cancelled. Nothing was kept."


def test_no_selector_has_a_list_in_brackets():
    """Gradio breaks `:is(a, b)` at the comma."""
    for path in STYLES.glob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert re.findall(r":(?:is|where|not|has)\([^)]*,[^)]*\)", rules) == []


def test_the_page_has_every_style_sheet():
    assert sorted(STYLE_SHEETS) == sorted(path.stem for path in STYLES.glob("*.css"))


def test_the_style_sheets_load_nothing_from_elsewhere():
    for path in STYLES.glob("*.css"):
        assert re.findall(r"https?://(?!www\.w3\.org)|@import", path.read_text()) == []

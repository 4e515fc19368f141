"""The sound of files as samples."""

from __future__ import annotations

import numpy as np
import pytest
from media import ROOT

from asccl.errors import UnreadableError
from asccl.types import SOUND_RATE
from asccl.video.waveform import read_sound


def test_the_sound_of_a_file_is_read():
    sound = read_sound(ROOT / "examples" / "astronaut.mp4")
    assert sound is not None
    assert sound.dtype == np.float32
    assert abs(len(sound) / SOUND_RATE - 3.2) < 0.1
    assert 0.01 < np.abs(sound).max() <= 1


def test_a_silent_file_has_no_sound(short_clip):
    assert read_sound(short_clip) is None


def test_an_unreadable_file_is_refused(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(UnreadableError, match=r"broken\.mp4"):
        read_sound(broken)

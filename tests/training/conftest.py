"""Data sets that several tests of the trainings share."""

import pytest
from recordings import HEAD, word_coefficients, write_recording

from asccl.data.labels import Labels
from training.datasets.recorded import RecordedWindows, load_labelled_clips
from training.datasets.windows import SyntheticWindows


@pytest.fixture(scope="session")
def synthetic_windows() -> SyntheticWindows:
    return SyntheticWindows(3, 6)


@pytest.fixture(scope="session")
def recorded_windows(tmp_path_factory) -> dict[str, RecordedWindows]:
    """Windows of Ann, who says one text with three emotions, and of Bob, who says two texts with one emotion each."""
    folder = tmp_path_factory.mktemp("recorded")
    for number, emotion in enumerate(("neutral", "happy", "sad")):
        write_recording(folder, Labels("Ann", emotion, "1"), word_coefficients(1), number)
    for number, emotion in enumerate(("neutral", "angry")):
        write_recording(folder, Labels("Bob", emotion, str(number)), word_coefficients(10 + number), 20 + number)
    return {person: RecordedWindows(0, load_labelled_clips(folder, HEAD, person)) for person in ("Ann", "Bob")}

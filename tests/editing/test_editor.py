"""Edits end to end: what must stay the same, and what must change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import FRAMES, RATE, SIZE
from PIL import Image

from asccl import Editor, EditRequest, EditResult
from asccl.editing.adaptation.samples import FacePatch
from asccl.errors import CancelledError, SettingError
from asccl.face.tracker import FaceMeshTracker
from asccl.progress import Progress
from asccl.types import Frame
from asccl.video import Reader, open_writer, probe, read_tags
from asccl.video.kept_frames import KeptFrames, MemoryBudget
from benchmarks.sync_clips import patch_track_length

REPORT_KEYS = {
    *("schema", "software", "request", "source", "frames", "metadata", "fit", "strength", "renderer"),
    *("speech", "identity", "emotion", "curves", "seconds", "weights"),
    *("sound", "subtitles", "chapters", "clock", "adaptation", "occlusion", "signature"),
}


def images(path: Path) -> list[np.ndarray]:
    with Reader(path) as reader:
        return [frame.image for frame in reader]


def times(path: Path) -> list[float]:
    with Reader(path) as reader:
        return [float(frame.pts * reader.info.time_base) for frame in reader]


def sound(path: Path) -> list[tuple[int, bytes]]:
    import av

    with av.open(str(path)) as file:
        return [(packet.pts, bytes(packet)) for packet in file.demux(audio=0) if packet.size]


@pytest.fixture
def pixels(editor: Editor, monkeypatch: pytest.MonkeyPatch):
    """pixels(request) -> the frames of an edit before they are encoded. May be called from several threads."""
    written: dict[Path, list[np.ndarray]] = {}

    class Collector:
        def __init__(self, output: Path):
            self.frames = written.setdefault(Path(output), [])

        def write(self, frame: Frame) -> None:
            self.frames.append(frame.image.copy())

        def track_report(self) -> dict[str, object]:
            return {}

        def __enter__(self) -> Collector:
            return self

        def __exit__(self, *exception: object) -> None:
            """Nothing to close."""

    monkeypatch.setattr("asccl.editing.editor.open_writer", lambda output, *_: Collector(output))
    count = iter(range(1000))

    def edit(request: EditRequest) -> list[np.ndarray]:
        output = Path(f"edit{next(count)}.mp4")
        editor.edit(replace(request, output=output))
        return written[output]

    return edit


@pytest.fixture(scope="session")
def edited(editor: Editor, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> EditResult:
    """The clip, surprised."""
    return editor.edit(EditRequest(clip, tmp_path_factory.mktemp("edited") / "out.mp4", emotion="surprised"))


# what an edit keeps


def test_size_rate_count_and_times_stay(clip: Path, edited: EditResult) -> None:
    info = probe(edited.output)
    assert (info.width, info.height, info.frame_rate) == (SIZE, SIZE, RATE)
    assert len(images(edited.output)) == FRAMES
    np.testing.assert_allclose(times(edited.output), times(clip), atol=1e-6)


def test_every_packet_of_the_sound_stays(clip: Path, edited: EditResult) -> None:
    assert sound(edited.output) == sound(clip) != []


def test_the_face_changes_and_nothing_far_from_it(clip: Path, edited: EditResult) -> None:
    before, after = images(clip), images(edited.output)
    change = np.mean([np.abs(b.astype(int) - a.astype(int)).mean(2) for b, a in zip(before, after, strict=True)], 0)
    face, corner = change[60:160, 90:170], change[200:, 200:]
    assert face.mean() > 3
    assert corner.mean() < 2  # the codec's own


def test_the_file_says_that_it_was_edited(edited: EditResult) -> None:
    assert "surprised, intensity 1" in read_tags(edited.output)["comment"]


def test_report_is_json_with_everything(edited: EditResult) -> None:
    report = json.loads(json.dumps(edited.report, allow_nan=False))
    assert set(report) == REPORT_KEYS
    assert report["frames"] == {"total": FRAMES, "edited": FRAMES, "passed_through": 0, "unreadable": 0, "spans": []}
    assert report["emotion"]["target"] == "surprised"
    assert sum(report["emotion"]["probabilities_after"].values()) == pytest.approx(1, abs=1e-4)
    assert 0.5 < report["identity"]["similarity"] <= 1
    assert 8 <= len(report["curves"]["time"]) == len(report["curves"]["lip_gap_edited"]) <= FRAMES
    assert [len(weight["sha256"]) for weight in report["weights"]] == [64] * 5
    assert report["seconds"]["total"] > 0


def test_an_edit_does_not_repeat_the_search_for_people(short_clip: Path, tmp_path: Path, monkeypatch) -> None:
    editor = Editor()
    editor.faces(short_clip)
    searches = []
    monkeypatch.setattr(FaceMeshTracker, "find_people", lambda *arguments, **options: searches.append(arguments))
    editor.edit(EditRequest(short_clip, tmp_path / "edited.mp4", emotion="happy", adapt=False))
    assert searches == []


def test_a_search_for_all_people_gives_the_edit_of_a_search_for_one(short_clip: Path, tmp_path: Path) -> None:
    editor, outputs = Editor(), [tmp_path / "before.mp4", tmp_path / "after.mp4"]
    for output in outputs:
        editor.edit(EditRequest(short_clip, output, emotion="happy", adapt=False))
        editor.faces(short_clip)
    before, after = (np.stack(images(output)) for output in outputs)
    assert (before == after).all()


def test_the_plain_preset_needs_no_samples_for_an_adaptation(editor: Editor, still, tmp_path, monkeypatch) -> None:
    cuts = []
    monkeypatch.setattr(FacePatch, "cut", lambda *arguments: cuts.append(arguments))
    editor.edit(EditRequest(still, tmp_path / "edited.png", emotion="happy", adapt=False))
    assert cuts == []


def test_a_still_gives_a_still(editor: Editor, still: Path, tmp_path: Path) -> None:
    result = editor.edit(EditRequest(still, tmp_path / "sad.png", emotion="sad"))
    (before,), (after,) = images(still), images(result.output)
    assert after.shape == before.shape
    assert np.abs(after[60:160, 90:170].astype(int) - before[60:160, 90:170]).mean() > 2
    np.testing.assert_array_equal(after[200:], before[200:])


def test_intensity_0_leaves_every_pixel(pixels, clip: Path) -> None:
    np.testing.assert_array_equal(pixels(EditRequest(clip, emotion="happy", intensity=0)), images(clip))


def test_intensity_0_encodes_like_an_untouched_copy(editor: Editor, clip: Path, tmp_path: Path) -> None:
    with (
        Reader(clip) as reader,
        open_writer(tmp_path / "copy.mp4", reader.info, clip, {}, editor.encode) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    editor.edit(EditRequest(clip, tmp_path / "zero.mp4", emotion="happy", intensity=0))
    np.testing.assert_array_equal(images(tmp_path / "zero.mp4"), images(tmp_path / "copy.mp4"))


def test_time_range_leaves_the_rest(pixels, short_clip: Path) -> None:
    before = images(short_clip)
    after = pixels(EditRequest(short_clip, emotion="angry", start=0.35, end=0.95, adapt=False))  # a frame lasts 0.1 s
    same = [bool((a == b).all()) for a, b in zip(after, before, strict=True)]
    assert same == [True] * 4 + [False] * 6 + [True] * 2


def test_badge_marks_the_corner(pixels, still: Path) -> None:
    plain, marked = (pixels(EditRequest(still, emotion="happy", intensity=0, badge=b))[0] for b in (False, True))
    assert (plain[-30:, -150:] != marked[-30:, -150:]).any()
    np.testing.assert_array_equal(plain[:-60], marked[:-60])


# what decides an edit


def test_same_request_same_pixels_other_seed_other_pixels(pixels, still: Path) -> None:
    first = EditRequest(still, emotion="fear", seed=1)
    one, again, other = (pixels(r)[0] for r in (first, first, replace(first, seed=2)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_two_edits_at_once_do_not_disturb_each_other(pixels, short_clip: Path, still: Path) -> None:
    requests = [
        EditRequest(short_clip, emotion="sad", intensity=1.3),
        EditRequest(short_clip, emotion="surprised", seed=3, adapt=False),
    ]
    alone = [pixels(request) for request in requests]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(pixels, requests))
    np.testing.assert_array_equal(alone, together)
    assert (np.array(alone[0]) != alone[1]).any()


def test_another_emotion_at_the_same_moment_decodes_no_frame(editor: Editor, short_clip: Path, monkeypatch) -> None:
    editor.quick_preview(EditRequest(short_clip, emotion="sad"), 0.4)
    monkeypatch.setattr("asccl.editing.preview.read_frame_at", None)
    assert editor.quick_preview(EditRequest(short_clip, emotion="happy"), 0.4).presence > 0


def test_a_preview_leaves_the_frame_of_its_moment_as_it_is(editor: Editor, short_clip: Path) -> None:
    before = editor.quick_preview(EditRequest(short_clip, emotion="sad"), 0.4).source.copy()
    again = editor.quick_preview(EditRequest(short_clip, emotion="happy", badge=True), 0.4)
    np.testing.assert_array_equal(again.source, before)


def test_two_previews_at_once_do_not_disturb_each_other(short_clip: Path) -> None:
    requests = [EditRequest(short_clip, emotion=emotion) for emotion in ("sad", "surprised")] * 2
    fresh, shared = Editor(), Editor()
    alone = [fresh.preview(request, 0.5).edited for request in requests]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda request: shared.preview(request, 0.5).edited, requests))
    np.testing.assert_array_equal(alone, together)


def test_reference_with_and_without_an_emotion(pixels, still: Path, tmp_path: Path) -> None:
    reference = tmp_path / "astonished.png"
    Image.fromarray(pixels(EditRequest(still, emotion="surprised", intensity=1.5))[0]).save(reference)
    by_emotion, by_reference, by_both = (
        pixels(EditRequest(still, emotion=emotion, reference=path))[0]
        for emotion, path in (("sad", None), (None, reference), ("sad", reference))
    )
    assert (by_reference != images(still)[0]).any()
    assert (by_both != by_emotion).any()
    assert (by_both != by_reference).any()


def test_an_edit_cancelled_while_the_end_is_written_leaves_nothing(editor: Editor, clip: Path, tmp_path: Path) -> None:
    stages: list[float] = []

    def is_cancelled() -> bool:
        return bool(stages) and stages[-1] == 1.0

    progress = Progress(lambda stage, done: stages.append(done if stage == "render" else 0.0), is_cancelled)
    with pytest.raises(CancelledError):
        editor.edit(EditRequest(clip, tmp_path / "out.mp4", emotion="happy"), progress)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> MemoryBudget:
    """The memory for kept frames of every edit of this test: that of all frames of `clip`, and more."""
    budget = MemoryBudget(2**24)
    monkeypatch.setattr("asccl.editing.editor.KeptFrames", lambda: KeptFrames(budget))
    return budget


def test_kept_frames_change_no_pixel_of_an_edit(pixels, clip: Path, budget: MemoryBudget) -> None:
    request = EditRequest(clip, emotion="happy", adapt=False)
    with_all = pixels(request)
    budget.take(2**24 - 10 * SIZE * SIZE * 3 // 2)  # 10 frames or less remain
    with_some = pixels(request)
    budget.take(budget.free)
    np.testing.assert_array_equal([with_all, with_some], [pixels(request)] * 2)


def test_kept_frames_are_not_decoded_again(
    pixels, clip: Path, budget: MemoryBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Undecodable(Reader):
        def __iter__(self) -> Iterator[Frame]:
            def read() -> Iterator[Frame]:
                raise AssertionError("decoded again")
                yield

            return read()

    monkeypatch.setattr("asccl.editing.render_pass.Reader", Undecodable)
    assert len(pixels(EditRequest(clip, emotion="happy", adapt=False))) == FRAMES


@pytest.mark.parametrize("last_stage", ["track", "fit", "render"])
def test_a_cancelled_edit_frees_the_kept_frames(
    editor: Editor, clip: Path, tmp_path: Path, budget: MemoryBudget, last_stage: str
) -> None:
    stages: list[str] = []

    def report(stage: str, done: float) -> None:
        if done > 0.2:
            stages.append(stage)

    progress = Progress(report, lambda: last_stage in stages)
    with pytest.raises(CancelledError):
        editor.edit(EditRequest(clip, tmp_path / "out.mp4", emotion="happy"), progress)
    assert budget.free == 2**24


def test_a_complete_edit_is_no_longer_cancelled(editor: Editor, clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    result = editor.edit(EditRequest(clip, output, emotion="happy"), Progress(cancelled=output.exists))
    assert result.output.exists()


def test_a_start_behind_the_real_end_is_refused(editor: Editor, tmp_path: Path, clip: Path) -> None:
    source = tmp_path / "long.mp4"
    source.write_bytes(clip.read_bytes())
    patch_track_length(source, Fraction(100))
    with pytest.raises(SettingError, match="lies behind the end"):
        editor.edit(EditRequest(source, tmp_path / "out.mp4", emotion="happy", start=1.0))

from pathlib import Path

import pytest

from asccl.data.protocols import PROTOCOLS, build_rows, paper_frames
from asccl.errors import InputError
from asccl.types import EMOTIONS


@pytest.fixture(params=["mead", "ravdess"])
def data_set(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Empty files with the names of all test clips and references."""
    protocol = PROTOCOLS[request.param]
    for actor in protocol.drivers:
        for emotion in EMOTIONS:
            for name in (*protocol.test_clips(actor, emotion), *protocol.references(actor, emotion)):
                path = tmp_path / "data" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return request.param, tmp_path


COUNTS = {("mead", "intra-id"): 6 * (6 * 3 + 4), ("mead", "cross-id"): 6 * 7 * 4, ("ravdess", "intra-id"): 42}


@pytest.mark.parametrize("setting", ["intra-id", "cross-id"])
def test_all_test_clips_have_a_row(data_set, setting):
    name, root = data_set
    rows = build_rows(PROTOCOLS[name], root, setting)
    assert (len(rows.rows), rows.missing) == (COUNTS.get((name, setting), 42), ())


def test_ids_are_unique(data_set):
    name, root = data_set
    rows = build_rows(PROTOCOLS[name], root, "cross-id").rows
    assert len({row.id for row in rows}) == len(rows)


def test_a_cross_id_source_is_neutral_and_its_reference_shows_the_driver(data_set):
    name, root = data_set
    row = next(r for r in build_rows(PROTOCOLS[name], root, "cross-id").rows if r.emotion == "sad")
    expected = {
        "mead": ("M003/video/front/neutral/level_1/037.mp4", "W015/video/front/sad/level_3/028.mp4"),
        "ravdess": ("01-01-01-01-02-02-01.mp4", "01-01-04-02-02-02-06.mp4"),
    }
    assert tuple(str(Path(p).relative_to(root / "data")) for p in (row.source, row.reference)) == expected[name]


def test_an_intra_id_reference_is_another_take_of_the_same_actor_and_emotion(data_set):
    name, root = data_set
    row = next(r for r in build_rows(PROTOCOLS[name], root, "intra-id").rows if r.emotion == "sad")
    expected = {"mead": "M003/video/front/sad/level_3/029.mp4", "ravdess": "01-01-04-02-01-02-01.mp4"}
    assert str(Path(row.reference).relative_to(root / "data")) == expected[name]


def test_real_videos_show_the_speaker_with_the_target_emotion(data_set):
    name, root = data_set
    row = next(r for r in build_rows(PROTOCOLS[name], root, "cross-id").rows if r.emotion == "happy")
    expected = [str(root / "data" / clip) for clip in PROTOCOLS[name].test_clips(row.speaker, "happy")]
    assert list(row.real) == expected


def test_missing_clips_are_named_and_only_their_rows_are_left_out(data_set):
    name, root = data_set
    gone = PROTOCOLS[name].test_clips("M003" if name == "mead" else "01", "neutral")[0]
    (root / "data" / gone).unlink()
    rows = build_rows(PROTOCOLS[name], root, "cross-id")
    assert rows.missing == (gone,)
    assert not any(row.source.endswith(gone) for row in rows.rows)


def test_a_folder_without_test_clips_is_refused(tmp_path):
    with pytest.raises(InputError, match="037"):
        build_rows(PROTOCOLS["mead"], tmp_path, "cross-id")


@pytest.mark.parametrize(
    ("setting", "total"),
    [("intra-id", {"angry": 2657, "neutral": 3415}), ("cross-id", {"angry": 3415, "neutral": 3415})],
)
def test_the_frame_counts_add_up_to_those_of_the_scripts(setting, total):
    protocol = PROTOCOLS["mead"]
    sums = {
        emotion: sum(paper_frames(protocol, setting, actor, emotion) for actor in protocol.drivers) for emotion in total
    }
    assert sums == total

import json
from pathlib import Path

import pytest

from asccl.errors import InputError
from asccl.evaluation.manifest import parse_setting, write_evaluation_manifest
from asccl.evaluation.manifest_reader import read_evaluation_manifest
from asccl.evaluation.run import add_baselines

HEADER = "id,setting,emotion,speaker,method,source,generated,reference,real,offset"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "a-happy.mp4", "b.mp4", "panels.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def write_csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "edits.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def reasons(path: Path) -> list[str]:
    return [str(entry) for entry in read_evaluation_manifest(path).left_out]


GOOD = "a,cross-id,happy,anna,warp,a.mp4,a-happy.mp4,b.mp4,a.mp4;b.mp4,auto"


def test_a_row_is_read_with_paths_below_the_manifest(folder):
    row = read_evaluation_manifest(write_csv(folder, GOOD)).rows[0]
    assert (row.generated, row.real) == (
        str(folder / "a-happy.mp4"),
        (str(folder / "a.mp4"), str(folder / "b.mp4")),
    )


def test_an_offset_of_auto_is_estimated_later(folder):
    assert read_evaluation_manifest(write_csv(folder, GOOD)).rows[0].offset is None


@pytest.mark.parametrize(
    ("text", "setting"),
    [("Inter-ID", "intra-id"), ("intra ID", "intra-id"), ("Cross-ID", "cross-id"), ("cross", "cross-id")],
)
def test_the_words_of_the_paper_are_accepted(text, setting):
    assert parse_setting(text) == setting


def test_a_panel_of_a_file_is_a_video(folder):
    row = "p,Inter-ID,sad,m,ned,panels.mp4#0,panels.mp4#2,panels.mp4#1,,2"
    assert read_evaluation_manifest(write_csv(folder, row)).rows[0].generated == str(folder / "panels.mp4#2")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("b,cross-id,happy,,warp,b.mp4,gone.mp4,,,", "there is no file"),
        ("b,sideways,happy,,warp,b.mp4,a-happy.mp4,,,", "no setting 'sideways'"),
        ("b,cross-id,merry,,warp,b.mp4,a-happy.mp4,,,", "no emotion 'merry'"),
        ("b,cross-id,happy,,warp,b.mp4,a-happy.mp4,,,two", "offset 'two' is no whole number"),
        ("b,cross-id,happy,,copy,b.mp4,a-happy.mp4,,,", "'copy' is a baseline"),
        ("b,cross-id,happy,,,b.mp4,a-happy.mp4,,,", "method and generated go together"),
        (",cross-id,happy,,warp,b.mp4,a-happy.mp4,,,", "id is empty"),
        ("b,cross-id,happy,,warp,panels.mp4#7,a-happy.mp4,,,", "names panel 7"),
        (GOOD, "there is a clip a of warp already"),
        ("a,cross-id,sad,anna,ned,a.mp4,a-happy.mp4,b.mp4,,", "differs from its row for warp"),
    ],
)
def test_a_bad_row_is_left_out_and_the_others_are_read(folder, row, reason):
    manifest = read_evaluation_manifest(write_csv(folder, GOOD, row))
    assert len(manifest.rows) == 1
    assert reason in str(manifest.left_out[0])


def test_the_reason_names_the_line(folder):
    assert reasons(write_csv(folder, GOOD, GOOD))[0].startswith("edits.csv line 3: ")


def test_an_unknown_column_is_reported(folder):
    assert "column 'mood'" in reasons(write_csv(folder, GOOD + ",x", header=HEADER + ",mood"))[0]


def test_a_missing_real_video_leaves_its_row(folder):
    row = GOOD.replace("b.mp4,auto", "gone.mp4,auto")
    assert read_evaluation_manifest(write_csv(folder, row)).rows[0].real == (str(folder / "a.mp4"),)


def test_an_emotion_may_be_empty(folder):
    row = "a,cross-id,,,warp,a.mp4,a-happy.mp4,,,"
    assert read_evaluation_manifest(write_csv(folder, row)).rows[0].emotion is None


@pytest.mark.parametrize("content", ["id,source\na,a.mp4\n", "", HEADER + "\n", "\x00"])
def test_a_file_without_usable_rows_is_refused(folder, content):
    path = folder / "bad.csv"
    path.write_text(content)
    with pytest.raises(InputError):
        read_evaluation_manifest(path)


def test_a_bad_line_of_jsonl_is_left_out(folder):
    good = {"id": "a", "setting": "cross-id", "source": "a.mp4", "real": ["a.mp4"], "offset": 2}
    path = folder / "edits.jsonl"
    path.write_text("\n".join([json.dumps(good), "{", "[]", json.dumps({**good, "id": "b", "real": 3})]))
    assert len(reasons(path)) == 3


@pytest.mark.parametrize("name", ["copy.csv", "copy.jsonl"])
def test_a_written_manifest_reads_the_same(folder, name):
    rows = read_evaluation_manifest(write_csv(folder, GOOD)).rows
    write_evaluation_manifest(folder / name, rows)
    assert read_evaluation_manifest(folder / name).rows == rows


def test_the_baselines_stand_before_the_methods_of_each_clip(folder):
    rows = read_evaluation_manifest(write_csv(folder, GOOD, GOOD.replace("warp", "ned"))).rows
    assert [row.method for row in add_baselines(rows)] == ["copy", "shuffled", "warp", "ned"]


def test_a_missing_manifest_is_named_with_the_reason(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv cannot be read \(No such file or directory\): correct the path"):
        read_evaluation_manifest(tmp_path / "gone.csv")


def test_a_video_is_not_a_manifest(tmp_path):
    (tmp_path / "talk.mp4").write_bytes(b"\x00\x95\xff")
    with pytest.raises(InputError, match=r"talk\.mp4 is not a text in UTF-8: give a CSV or JSONL file"):
        read_evaluation_manifest(tmp_path / "talk.mp4")

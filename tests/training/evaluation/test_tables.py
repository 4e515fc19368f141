import shutil
from pathlib import Path

import pytest
from media import write_clip

from asccl.errors import SettingError, WeightsError
from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.manifest_reader import read_evaluation_manifest
from asccl.evaluation.report import read_report
from asccl.video import probe
from training.evaluation.methods import METHODS, EditJob, as_file, edit_clip, method_files
from training.evaluation.tables import TablesSettings, main, select_rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, short_clip: Path) -> Path:
    """The output of a run on one clip in MEAD's layout."""
    folder = tmp_path_factory.mktemp("tables")
    for number in ("028", "029"):
        path = folder / "mead/M003/video/front/happy/level_3" / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(short_clip, path)
    run(folder)
    return folder


def run(folder: Path) -> int:
    return main(
        TablesSettings(
            root=folder / "mead",
            output=folder / "out",
            methods="warp,ned,icface",
            settings="intra-id",
            measures="lip-correlation",
            weights=folder / "weights",
            clips=1,
            draws=10,
        )
    )


def test_every_clip_is_edited_and_listed_with_its_method(finished):
    rows = read_evaluation_manifest(finished / "out" / "manifest.csv").rows
    assert [(row.id, row.method) for row in rows] == [("M003-happy-028-to-happy", "warp")]


def test_a_method_whose_renderer_is_missing_is_marked(finished):
    report = read_report(finished / "out" / "report.jsonl")
    assert [r["reason"] for r in report.left_out if r["name"] == "ned"] == [
        f"ned lacks {finished / 'weights' / 'ned' / 'M003.safetensors'}: "
        "train it (docs/training.md), or leave the method out"
    ]


def test_the_tables_have_a_column_for_every_method_of_the_paper(finished):
    header = (finished / "out" / "tables.md").read_text().splitlines()[2]
    assert all(f"{method} FAD" in header for method in ("warp", "ned", "icface"))


def test_a_second_run_edits_and_measures_nothing(finished, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("nothing is left to do")

    before = (finished / "out" / "report.jsonl").read_text()
    monkeypatch.setattr("training.evaluation.methods._editor", refuse)
    monkeypatch.setattr("asccl.evaluation.run.compute_clip", refuse)
    run(finished)
    assert (finished / "out" / "report.jsonl").read_text() == before


@pytest.mark.parametrize(
    "change",
    [{"methods": "magic"}, {"measures": "beauty"}, {"settings": "sideways"}, {"draws": 0}, {"clips": -1}],
)
def test_a_bad_setting_is_refused_before_the_work(tmp_path, change):
    with pytest.raises(SettingError):
        main(TablesSettings(root=tmp_path, **change))


def test_methods_take_their_files_by_speaker(tmp_path):
    (tmp_path / "ned").mkdir()
    (tmp_path / "ned" / "M003.safetensors").touch()
    assert method_files(METHODS["ned"], tmp_path, "M003") == {"renderer": tmp_path / "ned" / "M003.safetensors"}


def test_a_missing_file_of_a_method_is_named(tmp_path):
    row = EvaluationRow("a", "cross-id", "a.mp4", speaker="W015")
    with pytest.raises(WeightsError, match="W015"):
        edit_clip(EditJob(row, "ned", tmp_path / "edit.mp4", tmp_path, "cpu"))


def test_a_panel_becomes_a_file_of_its_own(tmp_path):
    import numpy as np

    image = np.concatenate([np.full((32, 32, 3), level, np.uint8) for level in (30, 90, 150, 210)], 1)
    write_clip(tmp_path / "four.mp4", [image] * 3, sound=False)
    info = probe(as_file(f"{tmp_path / 'four.mp4'}#2", tmp_path / "cut" / "two.mp4"))
    assert (info.width, info.height, info.frames) == (32, 32, 3)


def test_clips_are_limited_by_speaker_and_emotion(tmp_path):
    for setting in ("Inter-ID", "Cross-ID"):
        (tmp_path / setting).mkdir()
        for number in range(3):
            (tmp_path / setting / f"M003_source_sad_{number}.mp4").touch()
    rows, _ = select_rows(TablesSettings(data="panels", root=tmp_path, clips=2))
    assert len(rows) == 2 * 2 * 2

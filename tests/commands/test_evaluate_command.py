import json
import shutil
from pathlib import Path

import pytest

from asccl.__main__ import main
from asccl.commands.evaluate_actions import describe_missing
from asccl.video import probe

HEADER = "id,setting,emotion,speaker,method,source,generated,reference,real,offset\n"
MEASURES = "lip-correlation,csim"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> tuple[Path, int]:
    """A folder after the evaluation of a good clip, a damaged one and a bad row; the exit status."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copy(clip, folder / "talk.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    rows = [
        "talk,cross-id,happy,eileen,warp,talk.mp4,talk.mp4,talk.mp4,,auto",
        "broken,cross-id,sad,eileen,warp,talk.mp4,broken.mp4,,,",
        "bad,nowhere,sad,eileen,warp,talk.mp4,talk.mp4,,,",
    ]
    (folder / "edits.csv").write_text(HEADER + "\n".join(rows))
    return folder, evaluate(folder, "--sheet", str(folder / "sheet.png"), "--panels", str(folder / "videos"))


def evaluate(folder: Path, *options: str) -> int:
    manifest, report = folder / "edits.csv", folder / "report.jsonl"
    return main(["evaluate", str(manifest), "-o", str(report), "--measures", MEASURES, *options])


def lines(folder: Path, kind: str) -> list[dict]:
    records = [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == kind]


def test_something_that_was_left_out_gives_status_3(evaluated):
    assert evaluated[1] == 3


def test_the_baselines_stand_beside_the_method(evaluated):
    assert [(clip["id"], clip["method"]) for clip in lines(evaluated[0], "clip") if clip["id"] == "talk"] == [
        ("talk", "copy"),
        ("talk", "shuffled"),
        ("talk", "warp"),
    ]


def test_an_unchanged_clip_keeps_the_lips(evaluated):
    scores = {clip["method"]: clip["scores"]["lip-correlation"]["value"] for clip in lines(evaluated[0], "clip")}
    assert scores["warp"] == pytest.approx(1)


def test_the_report_lists_what_was_left_out(evaluated):
    names = [record["name"] for record in lines(evaluated[0], "left_out")]
    assert {"edits.csv line 4", "broken of warp"} <= set(names)


def test_the_report_states_weights_and_version(evaluated):
    protocol = lines(evaluated[0], "protocol")[0]
    assert {len(weights["sha256"]) for weights in protocol["weights"]} == {64}


def test_a_sheet_has_a_row_per_clip_and_a_column_per_method(evaluated):
    from PIL import Image

    with Image.open(evaluated[0] / "sheet.png") as image:
        assert image.size == (150 + 3 * 192, 24 + 192)


def test_a_side_by_side_video_has_the_sound_of_the_source(evaluated):
    info = probe(evaluated[0] / "videos" / "talk.mp4")
    assert (info.width, info.audio_tracks) == (3 * 256, 1)


def test_a_second_run_measures_nothing_again(evaluated, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("the clip has a shard")

    before = lines(evaluated[0], "group")
    (evaluated[0] / "edits.csv").write_text((evaluated[0] / "edits.csv").read_text().replace("broken.mp4", "gone.mp4"))
    monkeypatch.setattr("asccl.evaluation.run.compute_clip", refuse)
    evaluate(evaluated[0])
    copy_groups = [group for group in lines(evaluated[0], "group") if group["method"] == "warp"]
    assert copy_groups == [group for group in before if group["method"] == "warp"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--measures", "beauty"], "there is no measure 'beauty'"),
        (["--format", "word"], "there is no format 'word'"),
        (["--draws", "0"], "draws and sheet-rows must be positive"),
        (["--weights", "syncnet"], "names no kind"),
    ],
)
def test_a_bad_option_is_one_line(tmp_path, capsys, options, message):
    assert main(["evaluate", str(tmp_path / "edits.csv"), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_measures_are_listed_without_a_manifest(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["evaluate", "--measures", "help"])
    assert "lip-correlation" in capsys.readouterr().out.splitlines()


def test_a_manifest_of_sources_alone_measures_the_baselines_and_says_so(tmp_path, capsys, clip):
    (tmp_path / "sources.csv").write_text(f"id,setting,source\ntalk,intra-id,{clip}\n")
    assert main(["evaluate", str(tmp_path / "sources.csv"), "--measures", "lip-correlation"]) == 0
    printed = capsys.readouterr()
    assert "sources.csv lists no generated video: only the baselines are measured" in printed.err
    assert "| measure | copy | shuffled |" in printed.out


def test_a_missing_manifest_is_one_line(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "gone.csv")]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_a_protocol_names_missing_clips_and_counts_frames(tmp_path, capsys, clip):
    for actor in ("M003", "W015"):
        path = tmp_path / "data" / actor / "video/front/neutral/level_1/037.mp4"
        path.parent.mkdir(parents=True)
        shutil.copy(clip, path)
    status = main(["protocol", "mead", str(tmp_path / "data"), "--setting", "Cross-ID", "-o", str(tmp_path / "m.csv")])
    printed = capsys.readouterr()
    assert status == 0
    assert "24 (472)" in printed.out
    assert "M003/video/front/neutral/level_1/038.mp4 is missing" in printed.err


def test_panels_list_both_published_methods(tmp_path):
    folder = tmp_path / "clips" / "Inter-ID"
    folder.mkdir(parents=True)
    (folder / "M003_source_sad_025.mp4").touch()
    (folder / "holiday.mp4").touch()
    assert main(["protocol", "panels", str(tmp_path / "clips"), "-o", str(tmp_path / "m.csv")]) == 3
    rows = (tmp_path / "m.csv").read_text().splitlines()[1:]
    assert [row.split(",")[4] for row in rows] == ["ned-published", "asccl-published"]


def test_measures_that_lack_the_same_weights_share_a_line():
    missing = {"lse-d-group": "no syncnet", "fad-paper": "no resnet", "lse-c-group": "no syncnet"}
    assert describe_missing(missing) == [
        "lse-d-group, lse-c-group are not measured: no syncnet",
        "fad-paper is not measured: no resnet",
    ]

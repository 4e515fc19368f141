"""The ablation of ICface, very small, and its statistics."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asccl.errors import SettingError
from training import train_icface
from training.ablation.icface import (
    TRUTH_ROW,
    UNCHANGED_ROW,
    UNTRAINED_ROW,
    main,
    mean_metrics,
    score_networks,
)
from training.ablation.icface_networks import (
    BASELINE,
    SUPERVISIONS,
    AblateIcfaceSettings,
    NetworkJob,
    icface_network_file,
    keep_common_step,
    selected_rows,
    training_settings,
)
from training.ablation.icface_report import JOINED_TITLE, append_tables, format_report
from training.datasets.driven_clips import DRIVEN_SETTINGS
from training.engine.networks import linear_decay
from training.icface_files import list_snapshots, snapshot_file


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("icface")
    main(smoke_settings(folder))
    return folder


def smoke_settings(folder: Path) -> AblateIcfaceSettings:
    return AblateIcfaceSettings(output=folder, recipe="smoke", seeds=2, untrained=False, people=1, frames=4)


def test_it_trains_scores_and_reports(smoke_run):
    scores = [json.loads(line) for line in (smoke_run / "scores.jsonl").read_text().splitlines()]
    rows = [TRUTH_ROW, UNCHANGED_ROW, UNTRAINED_ROW, BASELINE, "ICface + ASCCL"]
    expected = {(seed, setting, row) for seed in (0, 1) for setting in DRIVEN_SETTINGS for row in rows}
    assert {(score["seed"], score["setting"], score["row"]) for score in scores} == expected
    assert all(np.isfinite(score["psnr"]) and np.isfinite(score["attributes"]) for score in scores)
    assert all(row in (smoke_run / "table.md").read_text() for row in rows)


def test_a_finished_run_continues_without_a_training(smoke_run, monkeypatch):
    monkeypatch.setattr("training.train_icface.main", None)
    before = (smoke_run / "scores-1.jsonl").read_text().splitlines()
    (smoke_run / "scores-1.jsonl").write_text("\n".join(before[:-2]) + "\n")
    main(smoke_settings(smoke_run))
    after = [json.loads(line) for line in (smoke_run / "scores-1.jsonl").read_text().splitlines()]
    assert after == [json.loads(line) for line in before]


def test_rows_differ_in_asccl_alone():
    settings = AblateIcfaceSettings(recipe="smoke")
    baseline, trained, untrained, _ = (vars(training_settings(settings, row, 0)) for row in SUPERVISIONS)
    differences = {name for name in baseline if baseline[name] != trained[name]}
    assert differences == {"weights", "output", "asccl_weight"}
    assert {name for name in baseline if untrained[name] != trained[name]} == {"weights", "output", "heads"}


def test_a_row_leaves_out_the_opacity_loss_alone():
    settings = AblateIcfaceSettings(recipe="gpu", opacity=True)
    baseline, _, without = (vars(training_settings(settings, row, 0)) for row in selected_rows(settings))
    assert {name for name in baseline if baseline[name] != without[name]} == {"weights", "output", "opacity_weight"}
    assert without["opacity_weight"] == 0


@pytest.mark.parametrize("recipe", ["cpu", "gpu"])
def test_the_learning_rate_of_a_recipe_rises_first_and_ends_at_zero(recipe):
    training = training_settings(AblateIcfaceSettings(recipe=recipe), BASELINE, 0)
    factor = linear_decay(training.steps, training.warmup_steps)
    assert factor(0) < 0.1
    assert factor(training.steps) == 0


def test_a_training_ends_at_the_first_evaluation_after_its_time(tmp_path):
    limited = replace(smoke_settings(tmp_path), seconds=1e-6)
    training = replace(training_settings(limited, BASELINE, 0), steps=1000)
    train_icface.main(training)
    assert sorted(list_snapshots(training.output)) == [0, 2]


def test_networks_of_trainings_that_ended_by_time_have_the_same_number_of_steps(tmp_path):
    settings = replace(smoke_settings(tmp_path), seconds=1)
    jobs = [NetworkJob(BASELINE, 0), NetworkJob("ICface + ASCCL", 0)]
    for job, steps in zip(jobs, [(0, 50, 100, 150), (0, 50, 100)], strict=True):
        for step in steps:
            path = snapshot_file(training_settings(settings, *job).output, step)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{job.row} {step}")
    (tmp_path / "networks").mkdir()
    keep_common_step(settings, jobs)
    assert [icface_network_file(settings, *job).read_text() for job in jobs] == ["ICface 100", "ICface + ASCCL 100"]


def test_scoring_without_networks_names_the_first_missing_one(tmp_path):
    with pytest.raises(
        SettingError, match=r"4 networks are missing in .*, first icface-0\.safetensors: run --part train"
    ):
        score_networks(smoke_settings(tmp_path), read_controls=lambda images: images)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(SettingError, match="nowhere"):
        training_settings(AblateIcfaceSettings(recipe="nowhere"), BASELINE, 0)


def test_a_metric_that_is_undefined_in_some_clips_is_averaged_over_the_others():
    means = mean_metrics([{"mouth": float("nan"), "psnr": 1.0}, {"mouth": 0.5, "psnr": 3.0}])
    assert means == {"mouth": 0.5, "psnr": 2.0}


def scores_of(values: dict[str, list[float]]) -> list[dict]:
    """Scores of rows with these values of PSNR by seed."""
    metrics = {"attributes": 0.1, "eyes": 90.0, "mouth": 0.5, "lips": float("nan")}
    return [
        {"seed": seed, "setting": setting, "row": row, "psnr": psnr, **metrics}
        for row, column in values.items()
        for seed, psnr in enumerate(column)
        for setting in DRIVEN_SETTINGS
    ]


def test_a_report_pairs_the_seeds():
    text = format_report(scores_of({BASELINE: [20.0, 25.0, 30.0], "ICface + ASCCL": [21.0, 26.5, 30.5]}))
    assert "| ICface | 25.00 ± 5.00 | 0.1000 ± 0.0000 |" in text
    assert "| ICface + ASCCL | +1.00" in text


def test_a_report_states_undefined_differences():
    rows = scores_of({BASELINE: [20.0, 25.0, 30.0], UNTRAINED_ROW: [10.0, 11.0, 12.0]})
    assert "undefined" in format_report(rows).splitlines()[-1]


def test_a_report_of_few_seeds_has_no_differences():
    assert "difference" not in format_report(scores_of({BASELINE: [20.0], UNTRAINED_ROW: [10.0]}))


def test_the_tables_join_another_report(smoke_run, tmp_path):
    report = tmp_path / "table.md"
    report.write_text("**NED**\n")
    append_tables(report, smoke_run)
    first, _, tables = report.read_text().partition(f"\n\n{JOINED_TITLE}\n\n")
    assert (first, tables) == ("**NED**", (smoke_run / "table.md").read_text())


def test_a_report_without_an_ablation_of_icface_stays_as_it_is(tmp_path):
    report = tmp_path / "table.md"
    report.write_text("**NED**\n")
    append_tables(report, tmp_path / "nowhere")
    assert report.read_text() == "**NED**\n"

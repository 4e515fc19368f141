"""The ablation, very small: its trainings, its metrics, how it continues, and its report."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import HEAD, word_coefficients, write_recording

from asccl.data.labels import Labels
from asccl.errors import InputError, SettingError
from asccl.evaluation.truth_metrics import lip_correlation, psnr
from asccl.face import mesh
from asccl.face.crop import arcface_crop
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.types import EMOTIONS
from asccl.zoo import load_embedder, load_manipulator
from training.ablation import report, run
from training.ablation.cases import CROSS_ID, INTRA_ID, SETTINGS, AblationCase
from training.ablation.design import (
    EDITED_CONTROL,
    NO_DAAS,
    OUTLINE_SAMPLES,
    PLAN,
    PRETRAINED,
    ROWS,
    STAGES,
    SUPERVISIONS,
    UNTRAINED,
    planned_supervisions,
)
from training.ablation.inference import smallest_p
from training.ablation.jobs import AblateSettings, names_in_order, plan_trainings, training_settings
from training.ablation.manipulator_alone import (
    coefficient_case,
    measure_manipulator,
    synthetic_coefficient_cases,
)
from training.ablation.metrics import FeatureExtractor, FrameFeatures, coefficient_metrics, image_metrics
from training.ablation.recorded_cases import recorded_cases
from training.ablation.report import planned_effects
from training.ablation.run import AblationError
from training.ablation.synthetic_cases import synthetic_cases
from training.datasets.synthetic_portraits import synthetic_portrait
from training.engine.settings import load_preset
from training.renderer_settings import RendererSettings
from training.train_manipulator import ManipulatorSettings

SURFACE = FaceSurface(HEAD)
JAW = HEAD.index["jawOpen"]


@pytest.fixture(scope="module")
def case() -> AblationCase:
    return synthetic_cases(0, 1, 10, 1, 64, SURFACE)[0]


@pytest.fixture(scope="module")
def extractor():
    extractor = FeatureExtractor()
    yield extractor
    extractor.close()


@pytest.fixture(scope="module")
def true_features(case, extractor) -> FrameFeatures:
    return extractor.extract(case.true_images, case.source_landmarks)


def plan_all(**changes: object) -> dict[str, ManipulatorSettings | RendererSettings]:
    options = {"recipe": "smoke", "pretraining": "smoke", "manipulator_seeds": 1, "renderer_seeds": 1}
    settings = AblateSettings(**options | changes)
    first = [PRETRAINED] if settings.pretraining else []
    jobs = [job for stage in STAGES for job in plan_trainings(settings, stage, [*first, *SUPERVISIONS[stage]])]
    return {job.name: training_settings(settings, job) for job in jobs}


def test_every_row_is_made_of_networks_of_the_design():
    assert all(row.supervision(stage) in SUPERVISIONS[stage] for row in ROWS for stage in STAGES)


def test_planned_comparisons_are_between_rows_of_their_family():
    for family, plan in PLAN.items():
        names = report.row_names(family)
        assert all(name in names for pair in plan.comparisons + plan.described for name in pair), family
        assert plan.measure in report.FAMILY_KEYS[family]


def test_whole_seeds_are_trained_first(tmp_path):
    names = list(SUPERVISIONS["manipulator"])
    jobs = plan_trainings(AblateSettings(output=tmp_path, manipulator_seeds=16), "manipulator", names)
    assert len(jobs) == len({job.target for job in jobs}) == 16 * len(names)
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)


def test_networks_of_planned_comparisons_are_trained_first():
    planned, others = names_in_order("renderer")
    assert {EDITED_CONTROL, UNTRAINED} <= set(planned)
    assert NO_DAAS in others
    assert sorted(planned + others) == sorted(SUPERVISIONS["renderer"])


def test_planned_edits_need_networks_of_planned_comparisons_alone():
    names = {name for pair in PLAN["edit"].comparisons for name in pair}
    for row in (row for row in ROWS if row.name in names):
        assert all(row.supervision(stage) in planned_supervisions(stage) for stage in STAGES), row


def test_all_networks_of_a_seed_start_from_one_without_asccl(tmp_path):
    trainings = plan_all(output=tmp_path)
    for stage in STAGES:
        first = trainings.pop(f"{stage}-pretrained-0")
        assert first.start_from == ""
        assert first.asccl_weight == 0
        same_stage = [each for each in trainings.values() if type(each) is type(first)]
        assert {each.start_from for each in same_stage} == {str(first.weights)}


def test_without_pretraining_every_network_starts_from_random_weights(tmp_path):
    trainings = plan_all(output=tmp_path, pretraining="")
    assert {each.start_from for each in trainings.values()} == {""}


def test_the_planned_seeds_can_be_significant_after_the_correction():
    settings = AblateSettings()
    for family, plan in PLAN.items():
        seeds = settings.manipulator_seeds if family == "manipulator" else settings.renderer_seeds
        assert smallest_p(seeds, len(plan.comparisons)) < 0.05, family


def test_supervision_differs_in_asccl_alone(tmp_path):
    trainings = plan_all(output=tmp_path, weight_3dmm=2.0)
    baseline, untrained = trainings["manipulator-none-0"], trainings["manipulator-untrained-0"]
    assert baseline.asccl_weight == 0
    assert untrained.heads == "random"
    assert untrained.asccl_weight == 2.0 * SUPERVISIONS["manipulator"]["untrained"].weight_scale
    without_asccl = {"asccl_weight": 0.0, "heads": baseline.heads}
    assert replace(untrained, **without_asccl, weights=baseline.weights, output=baseline.output) == baseline


def test_renderers_differ_in_daas_and_in_the_frames_that_are_compared(tmp_path):
    trainings = plan_all(output=tmp_path)
    assert trainings["renderer-without-DAAS-0"].daas == "off"
    assert trainings["renderer-authors-DAAS-0"].daas == "authors"
    assert trainings["renderer-temporal-0"].temporal_weight > 0
    names = ("none", "reconstruction", "edited", "trained")
    targets = [trainings[f"renderer-{name}-0"].asccl_on for name in names]
    assert targets == ["reconstruction", "reconstruction", "edited", "both"]


def test_outlines_differ_from_trained_in_the_gradient_alone(tmp_path):
    trainings = plan_all(output=tmp_path)
    trained, outlines = trainings["manipulator-trained-0"], trainings["manipulator-outlines-0"]
    gradient = {"asccl_outlines": True, "asccl_samples": OUTLINE_SAMPLES}
    assert replace(trained, **gradient, weights=outlines.weights, output=outlines.output) == outlines


def test_the_control_has_edits_without_asccl(tmp_path):
    control = plan_all(output=tmp_path)["renderer-edited-no-ASCCL-0"]
    assert control.asccl_on == "edited"
    assert control.asccl_weight == 0


def test_true_images_have_perfect_metrics(true_features):
    metrics = image_metrics([true_features], [true_features], [true_features], [0])
    assert metrics["fad"] == pytest.approx(0, abs=1e-6)
    assert metrics["lips"] == pytest.approx(0, abs=1e-6)
    assert metrics["mouth"] == pytest.approx(1)


def test_source_images_have_worse_metrics_than_the_truth(case, extractor, true_features):
    source_features = extractor.extract(case.source_images, case.source_landmarks)
    source = image_metrics([source_features], [true_features], [true_features], [0])
    truth = image_metrics([true_features], [true_features], [true_features], [0])
    assert source["fad"] > 0.01
    assert source["lips"] > 0.5
    assert source["csim"] < truth["csim"]
    assert psnr(case.true_images, case.true_images) > 60 > psnr(case.source_images, case.true_images)


def test_lips_can_be_detected_in_images_of_64_pixels(case, true_features):
    true_gap = mesh.lip_gap(case.true_landmarks)
    assert lip_correlation(mesh.lip_gap(true_features.landmarks), true_gap, 0.0) > 0.9


def test_true_coefficients_have_no_error(case):
    metrics = coefficient_metrics([case.truth], [case.truth], HEAD)
    assert metrics["error"] == metrics["lips_3dmm"] == 0
    assert metrics["mouth_3dmm"] == pytest.approx(1)


def test_source_and_truth_have_the_same_words_with_two_emotions(case):
    for name in ("jawOpen", "mouthPucker"):
        unit = HEAD.index[name]
        np.testing.assert_allclose(case.source[:, unit], case.truth[:, unit])
    assert case.emotion == 0
    assert not np.array_equal(case.source, case.truth)
    assert case.conditions(case.truth[:1]).shape == (1, 10, 64, 64)


def test_references_have_other_words(case):
    intra, cross = (case.references[setting].coefficients[:10, JAW] for setting in (INTRA_ID, CROSS_ID))
    assert not np.allclose(intra, cross)
    assert not np.allclose(intra, case.source[:, JAW])


def test_the_speaker_is_the_person_whom_the_renderers_are_trained_on(case):
    portrait = synthetic_portrait(0, 0, 2, 64, SURFACE)
    frame = ((portrait.window(0, 1).frames[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    other = case.references[CROSS_ID]
    faces = (
        (frame, portrait.landmarks[0]),
        (case.true_images[0], case.true_landmarks[0]),
        (other.images[0], other.landmarks[0]),
    )
    trained_on, speaker, other_person = load_embedder().embed(np.stack([arcface_crop(*face) for face in faces]))
    assert speaker @ trained_on > 0.6 > other_person @ trained_on


FEW_NETWORKS = {"manipulator": ("none", "trained"), "renderer": ("none", "trained")}
FEW_ROWS = ("NED", "ASCCL", "3DMM alone", "image alone, both")


def run_few_networks(settings: AblateSettings) -> None:
    """Run an ablation of four networks, and the two that they start from."""
    with pytest.MonkeyPatch.context() as patch:
        for stage, names in FEW_NETWORKS.items():
            for name in SUPERVISIONS[stage].keys() - set(names):
                patch.delitem(SUPERVISIONS[stage], name)
        run.main(settings)


def test_one_command_trains_scores_and_reports(smoke_run):
    scores = [json.loads(line) for line in (smoke_run / "scores.jsonl").read_text().splitlines()]
    edits = [score for score in scores if score["family"] == "edit"]
    assert len(edits) == len(SETTINGS) * (len(FEW_ROWS) + 1)
    assert len(scores) - len(edits) == sum(len(names) + 1 for names in FEW_NETWORKS.values())
    keys = [metric.key for metric in report.METRICS if metric.key not in ("mouth", "mouth_3dmm", "style_found")]
    assert all(np.isfinite(score[key]) for score in edits for key in keys)
    assert (smoke_run / "chart.png").stat().st_size > 5000
    assert all(name in (smoke_run / "table.md").read_text() for name in FEW_ROWS)


def smoke_settings(folder: Path) -> AblateSettings:
    changes = {"output": folder, "emotions": 1, "jobs": 0, "cases_per_emotion": 1, "cross_id": True}
    return AblateSettings(**load_preset(AblateSettings, "smoke") | changes)


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    run_few_networks(smoke_settings(folder))
    return folder


def test_a_report_of_a_part_names_the_seeds_that_are_done(smoke_run, tmp_path):
    (tmp_path / "alone").mkdir()
    for path in (smoke_run / "alone").glob("*.json"):
        (tmp_path / "alone" / path.name).write_bytes(path.read_bytes())
    run_few_networks(replace(smoke_settings(tmp_path), part="report"))
    text = (tmp_path / "table.md").read_text()
    assert "Manipulators alone" in text
    assert "Whole edits" not in text
    assert "| trained − none | 1 |" in text


def test_a_network_without_measures_is_measured_and_not_trained_again(smoke_run, monkeypatch):
    measures = smoke_run / "alone" / "manipulator-trained-0.json"
    expected = measures.read_text()
    measures.unlink()
    monkeypatch.setattr(run.train_manipulator, "main", lambda settings: pytest.fail("trained again"))
    run_few_networks(replace(smoke_settings(smoke_run), part="manipulators"))
    assert measures.read_text() == expected


def test_killed_in_training_and_scoring_it_continues_to_the_same_results(smoke_run):
    table, scores = (smoke_run / "table.md").read_text(), (smoke_run / "scores-0.jsonl").read_text()
    networks = {path: path.read_bytes() for path in sorted((smoke_run / "networks").glob("*.safetensors"))}
    interrupted = next(path for path in networks if path.stem == "renderer-trained-0")
    interrupted.unlink()
    checkpoints = sorted((smoke_run / "trainings" / interrupted.stem).glob("step-*"))
    for path in checkpoints[-1].iterdir():
        path.unlink()
    checkpoints[-1].rmdir()  # as if it had been killed after its first checkpoint
    (smoke_run / "scores-0.jsonl").write_text("".join(scores.splitlines(keepends=True)[:-1]) + '{"seed": 0, "set')
    others = {path: path.stat().st_mtime_ns for path in networks if not path.stem.startswith(interrupted.stem)}
    run_few_networks(smoke_settings(smoke_run))
    assert interrupted.read_bytes() == networks[interrupted]
    assert (smoke_run / "scores-0.jsonl").read_text() == scores
    assert {path: path.stat().st_mtime_ns for path in others} == others, "no finished network is trained again"
    assert (smoke_run / "table.md").read_text() == table


def test_a_job_that_fails_is_reported_with_its_log(tmp_path, monkeypatch, capsys):
    def fail(settings):
        raise SettingError("no disk is large enough", "buy one")

    monkeypatch.setattr(run.train_manipulator, "main", fail)
    monkeypatch.setattr(run.train_renderer, "main", lambda settings: None)
    with pytest.raises(AblationError, match="9 jobs failed, first manipulator-pretrained-0"):
        run.main(smoke_settings(tmp_path))
    assert "no disk is large enough" in capsys.readouterr().out
    assert "Traceback" in (tmp_path / "logs" / "manipulator-none-0.log").read_text()


def manipulator_scores(gain: float, seeds: int) -> list[dict]:
    """Scores whose row "trained" is better than "none" by `gain`, and by a little noise, at every seed."""
    noise = np.random.default_rng(0).normal(0, 0.01, seeds)
    scores = []
    for seed in range(seeds):
        for row in ("none", "trained"):
            value = seed + (row == "trained") * (gain + noise[seed])
            keys = dict.fromkeys(report.FAMILY_KEYS["manipulator"], value)
            scores.append({"family": "manipulator", "seed": seed, "setting": INTRA_ID, "row": row, **keys})
    return scores


def test_differences_are_those_of_each_seed():
    selected = report.SeedScores.select(manipulator_scores(1.0, 3), "manipulator", INTRA_ID, "mouth_3dmm")
    np.testing.assert_allclose(selected.differences("trained", "none"), 1, atol=0.05)
    assert len(selected.differences("trained", "untrained")) == 0


def test_a_seed_that_lacks_one_of_the_rows_does_not_count():
    scores = manipulator_scores(1.0, 4)[:-1]
    assert planned_effects(scores, "manipulator")[0].seeds == 3


def test_a_described_comparison_has_an_interval_and_no_test():
    noise = np.random.default_rng(1).normal(1, 0.1, 4)
    scores = []
    for seed in range(4):
        for row in (EDITED_CONTROL, "none"):
            keys = dict.fromkeys(report.FAMILY_KEYS["renderer"], seed + (row == "none") * noise[seed])
            scores.append({"family": "renderer", "seed": seed, "setting": INTRA_ID, "row": row, **keys})
    line = next(x for x in report.format_report(scores).splitlines() if f"| {EDITED_CONTROL} − none | 4 | " in x)
    assert "[" in line
    assert "| – | – | – |" in line


def test_a_comparison_of_cross_id_edits_has_an_interval_and_no_test():
    noise, scores = np.random.default_rng(2).normal(1, 0.1, 4), []
    for seed in range(4):
        for row in ("ASCCL", "edited, no ASCCL"):
            keys = dict.fromkeys(report.FAMILY_KEYS["edit"], seed + (row == "ASCCL") * noise[seed])
            scores.append({"family": "edit", "seed": seed, "setting": CROSS_ID, "row": row, **keys})
    lines = [x for x in report.format_report(scores).splitlines() if "| ASCCL − edited, no ASCCL | 4 | " in x]
    assert len(lines) == 1
    assert "[" in lines[0]
    assert "| – | – | – |" in lines[0]


def test_an_unfinished_row_has_a_dash():
    text = report.format_report(manipulator_scores(1.0, 4))
    assert "| untrained − none | 0 | – | – | – | – |" in text
    assert "| trained − none | 4 | +1." in text


def test_recorded_manipulators_are_measured_on_the_cases(case):
    coefficients = coefficient_case(case)
    assert np.array_equal(coefficients.reference, case.references[INTRA_ID].coefficients)
    net = load_manipulator()
    values = measure_manipulator(net, [coefficients], HEAD)
    assert 0 < values["lips_3dmm"] < 20


def test_every_seed_has_test_speakers_of_its_own():
    first, second = (synthetic_coefficient_cases(seed, 2) for seed in (0, 1))
    assert not np.array_equal(first[0].source, second[0].source)
    assert first[0].source.shape == first[0].reference.shape == (40, 52)


@pytest.fixture(scope="module")
def recorded_folder(tmp_path_factory) -> Path:
    """Ann says four texts in neutral and happily, Bob says one text of his own."""
    folder = tmp_path_factory.mktemp("recorded")
    for number, emotion in enumerate(("neutral", "happy")):
        for text in range(4):
            labels = Labels("Ann", emotion, str(text))
            write_recording(folder, labels, word_coefficients(text), 10 * text + number)
        write_recording(folder, Labels("Bob", emotion, "9"), word_coefficients(9), 100 + number)
    return folder


def test_recorded_clips_make_cases_of_held_out_pairs(recorded_folder):
    cases = recorded_cases(recorded_folder, "Ann", 12, 2, SURFACE)
    assert [case.emotion for case in cases] == [EMOTIONS.index("neutral"), EMOTIONS.index("happy")]
    for case in cases:
        assert case.source.shape == case.truth.shape == (12, 52)
        assert case.source_images.shape == case.true_images.shape == (12, 48, 48, 3)
        assert case.source_landmarks.shape == case.true_landmarks.shape == (12, 468, 2)
        np.testing.assert_allclose(case.source[:, JAW], case.truth[:, JAW])
        assert case.conditions(case.truth).shape == (12, 10, 48, 48)
        assert [len(case.references[setting].coefficients) for setting in SETTINGS] == [40, 40]


def test_a_person_without_held_out_pairs_is_refused(recorded_folder):
    with pytest.raises(InputError, match="Eve has no held-out pair"):
        recorded_cases(recorded_folder, "Eve", 12, 2, SURFACE)


def test_recorded_manipulators_train_on_everybody_and_renderers_on_one_person(tmp_path, recorded_folder):
    trainings = plan_all(output=tmp_path, data=recorded_folder, person="Ann")
    manipulator, renderer = trainings["manipulator-none-0"], trainings["renderer-none-0"]
    assert manipulator.data == renderer.data == recorded_folder
    assert manipulator.people == ""
    assert renderer.people == "Ann"


def test_recorded_data_need_a_person(tmp_path, recorded_folder):
    with pytest.raises(SettingError, match="--person is missing"):
        run.main(AblateSettings(output=tmp_path, data=recorded_folder))

"""The ablation, very small: what it trains, what it measures, that it goes on, and what it says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import HEAD, word_coefficients, write_recording

from asccl.data.labels import Labels
from asccl.errors import InputError, SettingError
from asccl.evaluation.metrics import lip_correlation, psnr
from asccl.face import mesh
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.types import EMOTIONS
from asccl.zoo import load_embedder
from training.ablation import measures, report, run
from training.ablation.cases import CROSS, INTRA, SETTINGS
from training.ablation.design import BASELINE, ROWS, STAGES, SUPERVISIONS, trainings
from training.ablation.recorded_cases import recorded_cases
from training.ablation.run import AblateSettings, PartError, jobs_of, trained
from training.ablation.synthetic_cases import synthetic_cases
from training.datasets.synthetic_portraits import synthetic_portrait
from training.engine.settings import load_preset

SURFACE = FaceSurface(HEAD)


@pytest.fixture(scope="module")
def cases():
    return synthetic_cases(0, 1, 10, 1, 64, SURFACE)


@pytest.fixture(scope="module")
def eyes():
    found = measures.FeatureExtractor()
    yield found
    found.close()


def test_rows_share_trainings_and_every_one_has_what_it_needs(tmp_path):
    assert len(trainings()) == 10 and len(set(trainings())) == 10
    assert all((stage, row.of(stage)) in trainings() for row in ROWS for stage in STAGES)
    left, scorings = jobs_of(AblateSettings(output=tmp_path, seeds=3))
    assert len(left) == len({job.target for job in left}) == 30 and len(scorings) == 3


def test_supervision_differs_in_asccl_alone(tmp_path):
    settings = AblateSettings(output=tmp_path, recipe="smoke", seeds=1, weight_3dmm=2.0)
    told = {job.name: trained(settings, job) for job in jobs_of(settings)[0]}
    plain, untrained = told["manipulator-none-0"], told["manipulator-untrained-0"]
    assert plain.asccl_weight == 0 and untrained.heads == "random"
    assert untrained.asccl_weight == 2.0 * SUPERVISIONS["untrained"].weight_scale["manipulator"]
    assert told["renderer-without-DAAS-0"].daas == "off" and told["renderer-authors-DAAS-0"].daas == "authors"
    same = replace(untrained, asccl_weight=0.0, heads=plain.heads, weights=plain.weights, output=plain.output)
    assert same == plain


def test_the_truth_is_judged_right_and_the_source_worse(cases, eyes):
    truth, source = ([eyes.look(side, c.at) for c in cases for side in [getattr(c, n)]] for n in ("after", "before"))
    right = measures.image_metrics(truth, truth, truth, [0])
    assert right["fad"] == pytest.approx(0, abs=1e-6) and right["mouth"] == pytest.approx(1)
    assert right["lips"] == pytest.approx(0, abs=1e-6)
    wrong = measures.image_metrics(source, truth, truth, [0])
    assert wrong["fad"] > 0.01 and wrong["lips"] > 0.5 and wrong["csim"] < right["csim"]
    known = mesh.lip_gap(cases[0].places)
    assert lip_correlation(mesh.lip_gap(truth[0].marks), known, 0.0) > 0.9  # 64 pixels are enough to read lips
    assert psnr(cases[0].after, cases[0].after) > 60 > psnr(cases[0].before, cases[0].after)
    exact = measures.coefficient_metrics([cases[0].truth], [cases[0].truth], HEAD)
    assert exact["error"] == exact["lips_3dmm"] == 0 and exact["mouth_3dmm"] == pytest.approx(1)


def test_words_are_the_same_and_references_say_others(cases):
    case = cases[0]
    for name in ("jawOpen", "mouthPucker"):
        np.testing.assert_allclose(case.source[:, HEAD.index[name]], case.truth[:, HEAD.index[name]])
    assert case.emotion == 0 and not np.array_equal(case.source, case.truth)
    jaws = [case.references[setting].coefficients[:10, HEAD.index["jawOpen"]] for setting in SETTINGS]
    assert not np.allclose(jaws[0], jaws[1]) and not np.allclose(jaws[0], case.source[:, HEAD.index["jawOpen"]])
    assert case.conditions(case.truth[:1]).shape == (1, 10, 64, 64)


def test_the_speaker_is_whom_the_renderers_are_taught(cases):
    portrait = synthetic_portrait(0, 0, 2, 64, SURFACE)
    window = portrait.window(0, 1)
    taught = ((window.frames[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    other = cases[0].references[CROSS]
    crops = np.stack([
        measures.arcface_crop(picture, places)
        for picture, places in ((taught, portrait.landmarks[0]), (cases[0].after[0], cases[0].places[0]),
                                (other.pictures[0], other.places[0]))
    ])  # fmt: skip
    same, somebody = load_embedder().embed(crops)[1:] @ load_embedder().embed(crops)[0]
    assert same > 0.6 > somebody


def test_one_command_trains_scores_tells_and_goes_on_where_it_was_cut_off(tmp_path):
    table = load_preset(AblateSettings, "smoke") | {"output": tmp_path, "seeds": 1, "emotions": 1, "jobs": 0}
    settings = AblateSettings(**table)
    run.main(settings)
    text, lines = (tmp_path / "table.md").read_text(), (tmp_path / "scores-0.jsonl").read_text()
    assert len(lines.splitlines()) == len(SETTINGS) * (len(ROWS) + 1) and (tmp_path / "chart.png").stat().st_size > 5000
    assert all(row.name in text for row in ROWS)
    told = [json.loads(line) for line in lines.splitlines()]
    assert all(np.isfinite(row[m.key]) for row in told for m in report.MEASURES if "mouth" not in m.key)

    networks = {path: path.read_bytes() for path in sorted((tmp_path / "networks").glob("*.safetensors"))}
    cut = next(path for path in networks if path.stem == "renderer-trained-0")
    cut.unlink()  # killed in this training, after its first checkpoint ...
    checkpoints = sorted((tmp_path / "trainings" / cut.stem).glob("step-*"))
    for path in checkpoints[-1].iterdir():
        path.unlink()
    checkpoints[-1].rmdir()
    (tmp_path / "scores-0.jsonl").write_text("".join(lines.splitlines(keepends=True)[:-1]) + '{"seed": 0, "set')
    before = {path: path.stat().st_mtime_ns for path in networks if not path.stem.startswith(cut.stem)}
    run.main(settings)
    assert cut.read_bytes() == networks[cut] and (tmp_path / "scores-0.jsonl").read_text() == lines
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "table.md").read_text() == text


def test_a_part_that_fails_is_named_with_its_log(tmp_path, monkeypatch, capsys):
    def fail(settings):
        raise SettingError("no disk is large enough", "buy one")

    monkeypatch.setattr(run.train_manipulator, "main", fail)
    monkeypatch.setattr(run.train_renderer, "main", lambda settings: None)
    with pytest.raises(PartError, match="5 of 10 parts failed, first manipulator-none-0"):
        run.main(AblateSettings(output=tmp_path, recipe="smoke", seeds=1, jobs=0))
    assert "no disk is large enough" in capsys.readouterr().out
    assert "Traceback" in (tmp_path / "logs" / "manipulator-none-0.log").read_text()


def test_differences_are_those_of_each_seed(tmp_path):
    rows = [row.name for row in ROWS] + [report.SOURCE]
    scores = [
        {"seed": seed, "setting": setting, "row": name,
         **{m.key: 10.0 * seed + (name == "ASCCL") for m in report.MEASURES}}
        for seed in range(3) for setting in SETTINGS for name in rows
    ]  # fmt: skip
    report.write(scores, tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "| ASCCL | 4, 5, 6 | 11.000 ± 10.000 |" in text and "| ASCCL | 4, 5, 6 | +1.000 ± 0.000 |" in text
    assert f"| {BASELINE} | 4, 5, 6 | 10.000 ± 10.000 |" in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ann says four texts calmly and happily, Bob one of his own."""
    path = tmp_path_factory.mktemp("recorded")
    for words in range(4):
        for number, emotion in enumerate(("neutral", "happy")):
            write_recording(path, Labels("Ann", emotion, str(words)), word_coefficients(words), 10 * words + number)
    for number, emotion in enumerate(("neutral", "happy")):
        write_recording(path, Labels("Bob", emotion, "9"), word_coefficients(9), 100 + number)
    return path


def test_recorded_clips_make_cases_of_held_out_pairs(folder):
    found = recorded_cases(folder, "Ann", 12, 2, SURFACE)
    assert [case.emotion for case in found] == [EMOTIONS.index("neutral"), EMOTIONS.index("happy")]
    for case in found:
        assert case.source.shape == case.truth.shape == (12, 52)
        assert case.before.shape == case.after.shape == (12, 48, 48, 3) and case.at.shape == (12, 468, 2)
        np.testing.assert_allclose(case.source[:, HEAD.index["jawOpen"]], case.truth[:, HEAD.index["jawOpen"]])
        assert case.conditions(case.truth).shape == (12, 10, 48, 48)
        assert len(case.references[INTRA].coefficients) == len(case.references[CROSS].coefficients) == 40
    with pytest.raises(InputError, match="Eve has no held-out pair"):
        recorded_cases(folder, "Eve", 12, 2, SURFACE)


def test_recorded_trainings_see_the_folder_and_the_renderers_one_person(tmp_path, folder):
    settings = AblateSettings(output=tmp_path, recipe="smoke", seeds=1, data=folder, person="Ann")
    told = {job.name: trained(settings, job) for job in jobs_of(settings)[0]}
    assert told["manipulator-none-0"].data == told["renderer-none-0"].data == folder
    assert told["manipulator-none-0"].people == "" and told["renderer-none-0"].people == "Ann"
    with pytest.raises(SettingError, match="nobody is named"):
        run.main(replace(settings, person=""))

"""Two files compared from start to end, by Python and by the command line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import astronaut, write_clip
from PIL import Image

from asccl.__main__ import main
from asccl.analysis import export, static_plots
from asccl.analysis.correlation import AnalysisSettings, CorrelationResult, MomentAnalyzer, analyze
from asccl.errors import CancelledError, InputError, SettingError
from asccl.progress import Progress


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The short clip, darker and with a spot on a cheek."""
    images = []
    for i in range(12):
        image = (astronaut(i) * 0.8).astype(np.uint8)
        image[108:122, 116 - i : 130 - i] = (90, 40, 30)
        images.append(image)
    return write_clip(tmp_path_factory.mktemp("edited") / "short-happy.mp4", images, Fraction(10), sound=False)


@pytest.fixture(scope="module")
def result(short_clip: Path, edited: Path) -> CorrelationResult:
    return analyze(short_clip, edited, AnalysisSettings(stride=3))


def mean_cosine(result: CorrelationResult, pair_kind: str = "corresponding") -> float:
    return result.mean_std("identity", "cosine", pair_kind).mean


def test_a_still_equals_itself(still):
    result = analyze(still, still)
    assert mean_cosine(result) == pytest.approx(1.0, abs=1e-5)
    assert mean_cosine(result, "non_corresponding") < 0.7
    assert (result.settings.alignment, result.paired_frames) == ("place", 1)


def test_an_edit_is_recognized_without_settings(result):
    used = result.settings
    assert (used.pairing, used.alignment, used.stride, len(result.curves)) == ("time", "place", 3, 4)
    assert mean_cosine(result, "non_corresponding") < mean_cosine(result) < 0.999


def test_the_least_similar_region_is_the_changed_one(result):
    means = result.region_statistics["identity"][1].region_means()[0]
    row, column = np.unravel_index(np.nanargmin(means), means.shape)
    assert 10 <= row <= 22  # of 28: on the spot, not in the hair
    assert 4 <= column <= 24


def test_another_moment_is_less_similar(short_clip):
    same = analyze(short_clip, short_clip, AnalysisSettings(pairing="time", stride=3))
    late = analyze(short_clip, short_clip, AnalysisSettings(pairing="time", alignment="place", stride=3, offset=0.4))
    assert mean_cosine(same) > 0.99 > mean_cosine(late) + 0.05


def test_the_report_is_json_and_names_its_axes(result):
    report = json.loads(json.dumps(result.report(), allow_nan=False))
    assert report["schema"] == 2
    assert report["frames"] == {"paired": 4, "compared": 4}
    assert "along the channels" in report["definitions"]["cosine"]
    cosine = report["similarity"]["bare"]["overall"]["cosine"]["corresponding"]
    assert cosine["mean"] == pytest.approx(mean_cosine(result), abs=1e-5)
    assert len(report["regions"]["bare"]) == len(report["curves"]["time_source"]) == 4
    assert {w["name"] for w in report["weights"]} >= {"mobilefacenet-arcface"}


def test_one_moment_agrees_with_the_comparison_of_the_clip(short_clip, edited, result):
    analyzer = MomentAnalyzer()
    moment = analyzer.analyze(short_clip, edited, (0.3, 0.3), result.settings)
    assert analyzer.analyze(short_clip, edited, (0.3, 0.3), result.settings) is moment
    assert result.curves.times[1] == pytest.approx((0.3, 0.3))
    assert mean_cosine(moment) == pytest.approx(result.curves.similarity("identity")[1], abs=0.02)


def test_a_file_that_was_replaced_under_its_name_is_compared_anew(short_clip, edited, result, tmp_path):
    analyzer, generated = MomentAnalyzer(), tmp_path / "generated.mp4"
    generated.write_bytes(edited.read_bytes())
    before = analyzer.analyze(short_clip, generated, (0.3, 0.3), result.settings)
    generated.write_bytes(short_clip.read_bytes())
    after = analyzer.analyze(short_clip, generated, (0.3, 0.3), result.settings)
    assert mean_cosine(after) > mean_cosine(before) + 0.01


def test_charts_are_drawn_without_a_browser(result, tmp_path):
    figures = export.build_figures([("source – happy", result)])
    assert {"time", "maps-bare-cosine", "mappings-pearson", "face-daas-map4"} <= set(figures)
    for name in ("time", "maps-bare-cosine", "face-corresponding-map2"):
        static_plots.save_static(figures[name], tmp_path / f"{name}.png", tmp_path / f"{name}.svg")
        assert np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")).std() > 5
        assert "</svg>" in (tmp_path / f"{name}.svg").read_text()


def test_a_still_against_a_video_is_refused(still, short_clip):
    with pytest.raises(InputError, match=r"portrait\.png is a still and short\.mp4 a video"):
        analyze(still, short_clip)


def test_pairing_by_sound_needs_sound(short_clip):
    with pytest.raises(InputError, match="no sound to pair by"):
        analyze(short_clip, short_clip, AnalysisSettings(pairing="sound", stride=4))


@pytest.mark.parametrize(
    "options", [{"pairing": "luck"}, {"alignment": "luck"}, {"stride": 0}, {"size": 100}, {"face": -1}]
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(SettingError):
        AnalysisSettings(**options)


def test_a_comparison_can_be_cancelled(short_clip, temporary):
    stages: list[str] = []
    progress = Progress(lambda stage, _: stages.append(stage), lambda: "compare" in stages)
    with pytest.raises(CancelledError):
        analyze(short_clip, short_clip, AnalysisSettings(stride=2), progress)


def test_the_command_line_writes_reports_and_charts(short_clip, edited, tmp_path, capsys):
    report, plots = tmp_path / "report.json", tmp_path / "charts"
    arguments = ["analyze", str(short_clip), str(edited), "--stride", "6", "-o", str(report), "--plots", str(plots)]
    assert main(arguments) == 0
    assert json.loads(report.read_text())["frames"]["compared"] == 2
    names = {path.name for path in plots.iterdir()}
    assert {"time.html", "time.png", "time.svg", "similarity.csv", "frames.csv", "plotly.min.js"} <= names
    assert (plots / "similarity.csv").read_text().startswith("pair,mapping,map,measure,regions,mean,deviation")
    assert "trained mapping, cosine corresponding 0." in capsys.readouterr().out


def test_a_folder_gives_its_pairs_of_emotions(short_clip, edited, tmp_path, capsys):
    (tmp_path / "short.mp4").write_bytes(short_clip.read_bytes())
    (tmp_path / "short-happy.mp4").write_bytes(edited.read_bytes())
    (tmp_path / "short-sad.mp4").write_text("this is not a video")
    assert main(["analyze", str(tmp_path), "--stride", "6", "-o", "-"]) == 3
    output = capsys.readouterr()
    assert [entry.get("pair") for entry in json.loads(output.out)] == ["source – happy", None]
    assert "short-sad.mp4" in output.err
    assert "Traceback" not in output.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["{still}"], 2, "give SOURCE and GENERATED"),
        (["{still}", "{clip}"], 3, "is a still"),
        (["{still}", "nothing.png"], 3, "does not exist"),
        (["{still}", "{still}", "--pair", "luck"], 2, "choose one of auto"),
        (["{still}", "{still}", "-o", "{still}"], 2, "cannot be the report"),
        (["{still}", "{still}", "--metric", "nothing"], 1, "nothing"),
    ],
)
def test_errors_of_the_command_line(arguments, status, words, still, short_clip, capsys):
    filled = [argument.format(still=still, clip=short_clip) for argument in arguments]
    try:
        exit_status = main(["analyze", *filled])
    except SystemExit as error:
        exit_status = error.code
    message = capsys.readouterr().err
    assert exit_status == status
    assert words in message
    assert message.count("\n") == 1

"""Two files compared end to end, through Python and through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from media import astronaut, write_clip
from PIL import Image

from asccl.__main__ import main
from asccl.analysis import export, static_plots
from asccl.analysis.correlation import AnalysisSettings, CorrelationResult, analyze, analyze_moment
from asccl.errors import CancelledError, InputError, SettingError
from asccl.face.landmarker import FaceLandmarker
from asccl.types import Progress


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The short clip again, with a spot on a cheek and darker."""
    images = []
    for i in range(12):
        image = (astronaut(i) * 0.8).astype(np.uint8)
        image[108:122, 116 - i : 130 - i] = (90, 40, 30)
        images.append(image)
    return write_clip(tmp_path_factory.mktemp("edited") / "short-happy.mp4", images, 10, sound=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(short_clip: Path, edited: Path) -> CorrelationResult:
    return analyze(short_clip, edited, AnalysisSettings(stride=3))


def mean(found: CorrelationResult, side: str = "corresponding", number: int | None = None) -> float:
    return found.mean_std("bare", "cosine", side, number).mean


def test_a_still_is_like_itself(still):
    found = analyze(still, still)
    assert mean(found) == pytest.approx(1.0, abs=1e-5)
    assert mean(found, "non_corresponding") < 0.7
    assert (found.settings.alignment, found.pairs) == ("place", 1)


def test_an_edit_is_found_out_by_itself_and_told_where(found):
    used = found.settings
    assert (used.pairing, used.alignment, used.stride, len(found.curves)) == ("time", "place", 3, 4)
    assert mean(found, "non_corresponding") < mean(found) < 0.999
    grid = found.region_statistics["bare"][1].region_means()[0]
    row, column = np.unravel_index(np.nanargmin(grid), grid.shape)
    assert 10 <= row <= 22 and 4 <= column <= 24  # of 28 x 28: on the spot, not in the hair


def test_another_moment_is_less_alike(short_clip, found):
    same = analyze(short_clip, short_clip, AnalysisSettings(pairing="time", stride=3))
    late = analyze(short_clip, short_clip, AnalysisSettings(pairing="time", alignment="place", stride=3, offset=0.4))
    assert mean(same) > 0.99 > mean(late) + 0.05


def test_the_report_is_json_and_names_its_axes(found):
    report = json.loads(json.dumps(found.report(), allow_nan=False))
    assert report["frames"] == {"paired": 4, "compared": 4}
    assert "along the channels" in report["definitions"]["cosine"]
    assert report["similarity"]["bare"]["overall"]["cosine"]["corresponding"]["mean"] == pytest.approx(
        mean(found), abs=1e-5
    )
    assert len(report["regions"]["bare"]) == 4 and len(report["curves"]["time_source"]) == 4
    assert {w["name"] for w in report["weights"]} >= {"mobilefacenet-arcface"}


def test_one_moment_alone_agrees_with_the_whole(short_clip, edited, found):
    eyes = FaceLandmarker()
    try:
        one = analyze_moment(short_clip, edited, (0.3, 0.3), found.settings, eyes)
    finally:
        eyes.close()
    assert found.curves.times[1] == pytest.approx((0.3, 0.3))
    assert mean(one) == pytest.approx(found.curves.similarity("bare")[1], abs=0.02)


def test_charts_are_drawn_without_a_browser(found, tmp_path):
    figures = export.build_figures([("source – happy", found)])
    assert {"time", "maps-bare-cosine", "mappings-pearson", "face-daas-map4"} <= set(figures)
    for name in ("time", "maps-bare-cosine", "face-corresponding-map2"):
        static_plots.save_static(figures[name], tmp_path / f"{name}.png", tmp_path / f"{name}.svg")
        assert np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")).std() > 5
        assert "</svg>" in (tmp_path / f"{name}.svg").read_text()


def test_bad_requests_are_refused_in_words(still, short_clip):
    with pytest.raises(InputError, match=r"portrait\.png is a still and short\.mp4 a video"):
        analyze(still, short_clip)
    with pytest.raises(InputError, match="no sound to pair by"):
        analyze(short_clip, short_clip, AnalysisSettings(pairing="sound", stride=4))
    for wrong in ({"pairing": "luck"}, {"alignment": "luck"}, {"stride": 0}, {"size": 100}, {"face": -1}):
        with pytest.raises(SettingError):
            AnalysisSettings(**wrong)  # type: ignore[arg-type]


def test_a_comparison_can_be_stopped(short_clip, temporary):
    seen = []

    def stop() -> bool:
        return "compare" in seen

    with pytest.raises(CancelledError):
        analyze(short_clip, short_clip, AnalysisSettings(stride=2), Progress(lambda stage, _: seen.append(stage), stop))


def test_the_command_line_writes_reports_and_charts(short_clip, edited, tmp_path, capsys):
    report, plots = tmp_path / "report.json", tmp_path / "charts"
    arguments = ["analyze", str(short_clip), str(edited), "--stride", "6", "-o", str(report), "--plots", str(plots)]
    assert main(arguments) == 0
    assert json.loads(report.read_text())["frames"]["compared"] == 2
    names = {path.name for path in plots.iterdir()}
    assert {"time.html", "time.png", "time.svg", "similarity.csv", "frames.csv", "plotly.min.js"} <= names
    assert (plots / "similarity.csv").read_text().startswith("pair,mapping,map,measure,regions,mean,deviation")
    assert "trained, cosine corresponding 0." in capsys.readouterr().out


def test_a_folder_gives_its_pairs_of_emotions(short_clip, edited, tmp_path, capsys):
    (tmp_path / "short.mp4").write_bytes(short_clip.read_bytes())
    (tmp_path / "short-happy.mp4").write_bytes(edited.read_bytes())
    (tmp_path / "short-sad.mp4").write_text("this is no video")
    assert main(["analyze", str(tmp_path), "--stride", "6", "-o", "-"]) == 3
    told = capsys.readouterr()
    entries = json.loads(told.out)
    assert [entry.get("pair") for entry in entries] == ["source – happy", None]
    assert "short-sad.mp4" in told.err and "Traceback" not in told.err


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
def test_the_command_lines_errors(arguments, status, words, still, short_clip, capsys):
    filled = [a.format(still=still, clip=short_clip) for a in arguments]
    try:
        got = main(["analyze", *filled])
    except SystemExit as exit:
        got = exit.code
    told = capsys.readouterr()
    assert got == status and words in told.err and told.err.count("\n") == 1

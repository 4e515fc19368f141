import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from evaluation_reports import clips_of, report_of
from visitor import Visitor

from asccl.evaluation.moment import MOMENT_RULE
from asccl.evaluation.registry import MEASURES
from asccl.ui.evaluation_html import overview_html, report_measures, report_methods, worst_clips_html
from asccl.ui.evaluation_tab import change_setting, open_report, show_worst_clips
from asccl.ui.languages import read_languages
from asccl.ui.measure_meanings import MEASURE_MEANINGS

SCORES = [0.5, 0.1, 0.9]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    report = report_of(*clips_of("copy", [1.0, 1.0, 1.0]), *clips_of("warp", SCORES), *clips_of("ned", [0.4, 0.3, 0.2]))
    report.write(tmp_path / "report.jsonl")
    return tmp_path / "report.jsonl"


def test_the_overview_has_every_method_and_measure(path):
    overview = open_report(str(path))[3]
    assert all(text in overview for text in ("copy", "warp", "ned", "likeness", "0.500"))


def test_a_baseline_is_never_the_best(path):
    overview = open_report(str(path))[3]
    assert overview.count("<strong>") == 1
    assert "<strong>0.500</strong>" in overview


def test_the_worst_clip_comes_first(path):
    html = show_worst_clips(str(path), "cross-id", "warp", "likeness")
    assert html.index("clip1") < html.index("clip0") < html.index("clip2")


def test_every_worst_clip_has_its_picture(path):
    assert show_worst_clips(str(path), "cross-id", "warp", "likeness").count("data:image/jpeg;base64,") == 3


def test_another_setting_offers_its_methods(path):
    assert change_setting(str(path), "cross-id")[0].value == "ned"


def test_baselines_are_not_offered():
    assert report_methods(report_of(*clips_of("copy", SCORES), *clips_of("warp", SCORES))) == ["warp"]


def test_a_measure_without_a_better_direction_is_not_offered():
    report = report_of(*clips_of("warp", SCORES))
    neutral = [{**report.protocol["measures"][0], "higher_is_better": None}]
    changed = dataclasses.replace(report, protocol={**report.protocol, "measures": neutral})
    assert report_measures(changed, "cross-id", "warp") == []


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "no json", json.dumps({"format": "asccl-evaluation-1"}), '{"format": 1}\n{"kind": 2}']
)
def test_another_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "other.jsonl").write_text(content)
    note = open_report(str(tmp_path / "other.jsonl"))[5]
    assert "give the file that" in note.lower()


def test_without_a_file_the_page_is_empty():
    assert open_report(None)[3:6] == ("", "", "")


def test_worst_clips_of_a_deleted_upload_are_an_error():
    with pytest.raises(gr.Error):
        show_worst_clips("/gone.jsonl", "cross-id", "warp", "likeness")


@pytest.mark.parametrize("function", [overview_html, lambda r, s: worst_clips_html(r, s, "<b>x</b>", "likeness")])
def test_texts_of_a_report_are_escaped(function):
    clips = [
        dataclasses.replace(c, row=dataclasses.replace(c.row, method="<b>x</b>", id=f"<i>{c.row.id}</i>"))
        for c in clips_of("", SCORES)
    ]
    html = function(report_of(*clips, missing={"<u>m</u>": "<u>none</u>"}), "cross-id")
    assert not any(tag in html for tag in ("<b>x", "<i>clip", "<u>"))


def test_a_picture_that_is_no_base64_is_not_inserted():
    report = report_of(*clips_of("warp", SCORES))
    clips = [{**clip, "picture": '"><script>'} for clip in report.clips]
    assert "<img" not in worst_clips_html(dataclasses.replace(report, clips=clips), "cross-id", "warp", "likeness")


def test_every_measure_says_what_it_means_in_both_languages():
    assert set(MEASURE_MEANINGS) == set(MEASURES)
    assert set(MEASURE_MEANINGS.values()) <= set(read_languages()["de"])


def test_the_moment_of_the_worst_clips_is_said_in_german():
    assert MOMENT_RULE in read_languages()["de"]


@pytest.fixture
def report_on_phone(shared_page, chromium, path) -> Iterator[Visitor]:
    """The tab with a report on a very narrow phone."""
    person = Visitor(chromium, shared_page.url, viewport={"width": 320, "height": 640})
    person.page.click("#tabs .overflow-menu > button")
    person.page.locator("#tabs .overflow-dropdown button:has-text('Evaluation')").click()
    person.page.set_input_files("#evaluation-report input[type=file]", str(path))
    person.page.locator(".worst-grid img").first.wait_for()
    yield person
    person.close()


@pytest.mark.browser
def test_a_table_with_hidden_columns_has_a_shadow_at_its_edge(report_on_phone):
    box = report_on_phone.page.locator(".evaluation .scroll").first
    attachments = box.evaluate("element => getComputedStyle(element).backgroundAttachment")
    assert attachments.startswith("local, local, scroll, scroll")


@pytest.mark.browser
def test_the_pictures_of_the_worst_clips_stay_inside_the_window(report_on_phone):
    picture, box = (
        report_on_phone.page.locator(selector).first.evaluate("element => element.getBoundingClientRect().right")
        for selector in (".worst-grid img", ".worst")
    )
    assert picture <= box

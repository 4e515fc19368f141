"""The Evaluation tab: it shows a report of `asccl evaluate`. Handlers read the uploaded file anew and keep no state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.errors import InputError
from asccl.evaluation.report import Report, read_report
from asccl.ui.components import html_widget, note_line, read_text, text_widget
from asccl.ui.edit_tab import HIDDEN
from asccl.ui.evaluation_html import (
    overview_html,
    report_measures,
    report_methods,
    report_settings,
    worst_clips_html,
)
from asccl.ui.messages import error_message

REPORT_SUFFIXES = (".jsonl", ".json")


@dataclass(frozen=True)
class EvaluationWidgets:
    """The widgets that handlers read or write."""

    report: gr.File
    note: gr.HTML
    choices: gr.Column
    setting: gr.Radio
    method: gr.Dropdown
    measure: gr.Dropdown
    overview: gr.HTML
    worst_panel: gr.Column
    worst: gr.HTML


def build_evaluation_tab() -> EvaluationWidgets:
    """Build the widgets of the tab inside the current Gradio block."""
    with gr.Row(elem_id="evaluation-row"):
        with gr.Column(scale=1, min_width=260, elem_id="evaluation-inputs"):
            text_widget(read_text("evaluation"), elem_id="evaluation-lead")
            report = gr.File(
                label="Report (JSONL)",
                file_types=list(REPORT_SUFFIXES),
                height=104,
                elem_id="evaluation-report",
            )
            note = html_widget("", elem_id="evaluation-note")
            with gr.Column(visible=False, elem_id="evaluation-choices") as choices:
                setting = gr.Radio([], label="Setting", elem_id="evaluation-setting")
                method = gr.Dropdown([], label="Worst clips of", elem_id="evaluation-method")
                measure = gr.Dropdown([], label="Sorted by", elem_id="evaluation-measure")
        with gr.Column(scale=3, elem_id="evaluation-results"):
            overview = html_widget("", elem_id="evaluation-overview")
            with gr.Column(visible=False, elem_id="evaluation-worst") as worst_panel:
                text_widget("### Worst clips")
                worst = html_widget("")
    return EvaluationWidgets(report, note, choices, setting, method, measure, overview, worst_panel, worst)


def connect_evaluation_tab(widgets: EvaluationWidgets) -> None:
    """Connect events to handlers. There are no public endpoints: a program reads the report itself."""
    w = widgets
    panels = [w.choices, w.worst_panel]
    w.report.change(
        open_report,
        [w.report],
        [w.setting, w.method, w.measure, w.overview, w.worst, w.note, *panels],
        **HIDDEN,
    )
    # `input` is a person's choice; `open_report` sets these widgets itself
    w.setting.input(change_setting, [w.report, w.setting], [w.method, w.measure, w.overview, w.worst], **HIDDEN)
    for widget in (w.method, w.measure):
        widget.input(show_worst_clips, [w.report, w.setting, w.method, w.measure], [w.worst], **HIDDEN)


def open_report(path: str | None) -> tuple[Any, ...]:
    """Show an uploaded report.

    Args:
        path: of the upload.

    Returns:
        Setting, method, measure, overview, worst clips, note, and whether the two panels are visible.
    """
    hidden = (gr.Radio([]), gr.Dropdown([]), gr.Dropdown([]), "", "")
    if not path:
        return *hidden, "", gr.Column(visible=False), gr.Column(visible=False)
    try:
        report = read_report(Path(path))
        settings = report_settings(report)
        if not settings:
            raise InputError("the report has no scores", "see which clips it left out, and evaluate again")
        choices = change_setting(path, settings[0])
    except Exception as error:
        return *hidden, note_line(error_message(error), failed=True), gr.Column(visible=False), gr.Column(visible=False)
    setting = gr.Radio(settings, value=settings[0], visible=len(settings) > 1)
    note = note_line(f"Clips: {len(report.clips)}, left out: {len(report.left_out)}")
    return setting, *choices, note, gr.Column(visible=True), gr.Column(visible=True)


def change_setting(path: str, setting: str) -> tuple[Any, ...]:
    """Show another setting. Returns method, measure, overview and worst clips."""
    report = read_report(Path(path))
    methods = report_methods(report)
    method = methods[-1]
    measures = report_measures(report, setting, method)
    measure = _default_measure(measures)
    return (
        gr.Dropdown(methods, value=method),
        gr.Dropdown(measures, value=measure),
        overview_html(report, setting),
        _worst_clips(report, setting, method, measure),
    )


def show_worst_clips(path: str | None, setting: str, method: str, measure: str) -> str:
    """Show the clips of a method that a measure rates worst.

    Args:
        path: of the uploaded report.
        setting: of the clips.
        method: of the clips.
        measure: by which they are sorted.

    Returns:
        HTML.

    Raises:
        gr.Error: the report cannot be read.
    """
    try:
        return _worst_clips(read_report(Path(path or "")), setting, method, measure)
    except Exception as error:
        raise gr.Error(error_message(error), print_exception=False) from error


def _default_measure(measures: list[str]) -> str | None:
    preferred = ("lip-correlation", "csim")
    return next((name for name in preferred if name in measures), measures[0] if measures else None)


def _worst_clips(report: Report, setting: str, method: str, measure: str | None) -> str:
    return "" if measure is None else worst_clips_html(report, setting, method, measure)

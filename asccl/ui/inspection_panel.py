"""The part of the About tab that tells whether a file was edited and signed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from asccl.provenance.inspection import Inspection, inspect_file
from asccl.provenance.inspection_text import describe_inspection, summarize_inspection
from asccl.ui.components import html_widget, note_line, read_text, text_widget
from asccl.ui.edit_tab import HIDDEN
from asccl.ui.limits import check_upload
from asccl.ui.messages import capitalize, error_message
from asccl.ui.places import Caller, Places
from asccl.video.limits import Limits


@dataclass(frozen=True)
class InspectionPanel:
    """The widgets that the handler reads or writes."""

    file: gr.File
    result: gr.HTML


@dataclass(frozen=True)
class InspectionHandler:
    """Inspects uploaded files; keeps nothing of them.

    Attributes:
        limits: of uploads.
        inspections: places for looking into a file.
    """

    limits: Limits
    inspections: Places

    async def inspect(self, upload: str | None, page: gr.Request) -> str:
        """Return as HTML what an uploaded file says about itself; empty without a file."""
        if not upload:
            return ""
        try:
            path = check_upload(upload, "file")
            self.limits.check_file(path)
            inspection = await self.inspections.run(Caller.of(page), inspect_file, path)
        except Exception as error:
            return note_line(error_message(error), failed=True)
        return inspection_html(inspection)


def build_inspection_panel() -> InspectionPanel:
    """Build the widgets inside the current Gradio block."""
    with gr.Column(elem_id="inspection"):
        text_widget(read_text("inspection"))
        file = gr.File(label="Video or photo", height=104, elem_id="inspection-file")
        result = html_widget("", elem_id="inspection-result")
    return InspectionPanel(file, result)


def connect_inspection_panel(panel: InspectionPanel, handler: InspectionHandler) -> None:
    """Connect events to the handler. There is no public endpoint: a program calls `asccl inspect`."""
    panel.file.change(handler.inspect, [panel.file], [panel.result], **HIDDEN)


def inspection_html(inspection: Inspection) -> str:
    """Render an inspection: one sentence, and a table of what it goes back to."""
    rows = "".join(
        f'<tr><th scope="row">{escape(capitalize(label))}</th><td>{escape(text)}</td></tr>'
        for label, text in describe_inspection(inspection).items()
    )
    summary = f'<p class="verdict">{escape(summarize_inspection(inspection))}</p>'
    return f'<div class="inspection" data-signature="{inspection.signature.state}">{summary}<table>{rows}</table></div>'

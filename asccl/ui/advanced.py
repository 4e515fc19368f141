"""The box "Advanced" of the Edit tab: choices that a first edit does not need."""

from __future__ import annotations

from typing import Any

import gradio as gr

from asccl.types import GENERATORS
from asccl.ui.hub_weights import FOR_EDITS, build_hub_widgets

GENERATOR_LABELS = {
    "warp": "Worked out for each face (recommended)",
    "ned": "NED: a network trained on talking faces",
    "icface": "ICface: a small network to try, or yours",
}


def build_advanced() -> dict[str, Any]:
    """Build the box inside the current Gradio block.

    Returns:
        The widgets by the names of their fields in `EditWidgets`.
    """
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        return {
            "variant": gr.Slider(
                0,
                9,
                0,
                step=1,
                label="Version of the expression",
                info="Another number gives the same emotion, slightly different",
                buttons=[],
                elem_id="variant",
            ),
            "generator": gr.Radio(
                [(GENERATOR_LABELS[name], name) for name in GENERATORS],
                value=GENERATORS[0],
                label="How the expression is made",
                elem_id="generator",
            ),
            "hub": build_hub_widgets(FOR_EDITS),
            "adapt": gr.Checkbox(
                True, label="Fit the expression to this face", info="Takes some seconds once", elem_id="adapt"
            ),
            "badge": gr.Checkbox(True, label="Visible mark that says the video was edited", elem_id="badge"),
        }

"""Expert controls of the Edit tab: a mix of two emotions, groups of the face, saved presets, and a curve over time.

The sliders and the curve write their values as text into two hidden widgets, which the handlers read. Text can be kept,
compared, linked and undone like any other setting of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from asccl.expression import AMOUNT_RANGE, EMOTIONS, GROUPS
from asccl.ui.components import html_widget, read_script, text_widget
from asccl.ui.expression_values import NO_EXPRESSION

NO_EMOTION = "none"
GROUP_LABELS = {  # label, and what the two ends do
    "brows": ("Brows", "lower · raise"),
    "eyes": ("Eyes", "narrow · widen"),
    "nose": ("Nose", "smooth · wrinkle"),
    "smile": ("Smile", "less · more"),
    "frown": ("Mouth corners down", "less · more"),
    "lips_apart": ("Lips apart", "less · more"),
}
CURVE_TEMPLATE = """<div class="curve" data-part="curve">
  <svg data-part="plot" viewBox="0 0 1000 200" preserveAspectRatio="none" role="group"
    aria-label="Intensity over time. Click to add a point, drag it, or press Delete to remove it."></svg>
  <div data-part="points"></div>
  <p class="curve-ends"><span>0 s</span><span data-part="end"></span></p>
  <p class="curve-bar"><span data-part="hint">Click into the field to set the intensity at a moment.</span>
    <button type="button" data-part="fade">Fade in and out</button>
    <button type="button" data-part="clear" disabled>Constant again</button></p>
</div>"""
# The order of the inputs is that of `ExpertWidgets.sliders`.
WRITE_EXPRESSION = """(second, share, ...amounts) => {
  const names = %s;
  const groups = Object.fromEntries(names.map((name, n) => [name, amounts[n]]).filter(([, amount]) => amount));
  const mixed = second && second !== "none";
  const isEmpty = !mixed && !Object.keys(groups).length;
  const mix = mixed ? { second_emotion: second, second_share: share } : {};
  const text = isEmpty ? "" : JSON.stringify({ ...mix, groups });
  window.ascclExpression = text;
  return text;
}"""
# a text that comes from the sliders changes none of them: another one may have moved since
READ_EXPRESSION = """(text, ...sliders) => {
  if (text === window.ascclExpression) return sliders;
  window.ascclExpression = text;
  const names = %s;
  let values = {};
  try { values = JSON.parse(text || "{}"); } catch { values = {}; }
  return [values.second_emotion ?? "none", values.second_share ?? 0.5,
    ...names.map((name) => values.groups?.[name] ?? 0)];
}"""
RESET_EXPRESSION = '() => ""'
WRITE_CURVE = "() => window.ascclCurve.text()"
SCROLL_TO_CURVE = """() => requestAnimationFrame(() => {
  document.getElementById('curve-box').scrollIntoView({behavior: 'smooth', block: 'nearest'});
})"""
DRAW_CURVE = "(text) => { window.ascclCurve?.show(text); }"
JS_ONLY: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class ExpertWidgets:
    """The expert controls.

    Attributes:
        expression: hidden; text of the mix and the groups, see `expression_values`.
        second_emotion: mixed into the chosen emotion.
        second_share: its share.
        groups: a slider of each group in the order of `GROUPS`.
        reset: clears all of them.
    """

    expression: gr.Textbox
    second_emotion: gr.Dropdown
    second_share: gr.Slider
    groups: tuple[gr.Slider, ...]
    reset: gr.Button

    @property
    def sliders(self) -> list[Any]:
        """All controls that `expression` is made of."""
        return [self.second_emotion, self.second_share, *self.groups]


@dataclass(frozen=True)
class CurveWidgets:
    """The curve of the intensity.

    Attributes:
        keyframes: hidden; text of the keyframes, see `expression_values`.
        curve: the editor.
        box: in which it opens.
    """

    keyframes: gr.Textbox
    curve: gr.HTML
    box: gr.Accordion


def build_expert_controls() -> ExpertWidgets:
    """Build the box of the sliders inside the current Gradio block."""
    low, high = AMOUNT_RANGE
    with gr.Accordion("Fine control of the face", open=False, elem_id="expert"):
        text_widget("Move parts of the face in addition to the emotion, or mix two emotions. Speech stays as it is.")
        with gr.Row():
            second = gr.Dropdown(
                [("None", NO_EMOTION), *((name.capitalize(), name) for name in EMOTIONS)],
                value=NO_EMOTION,
                label="Mix with",
                elem_id="second-emotion",
            )
            share = gr.Slider(0, 1, 0.5, step=0.05, label="Its share", buttons=[], elem_id="second-share")
        with gr.Row(elem_id="groups"):
            groups = tuple(
                gr.Slider(
                    low,
                    high,
                    0.0,
                    step=0.05,
                    label=GROUP_LABELS[name][0],
                    info=GROUP_LABELS[name][1],
                    buttons=[],
                    min_width=150,
                    elem_id=f"group-{name.replace('_', '-')}",
                )
                for name in GROUPS
            )
        reset = gr.Button("Reset these controls", size="sm", elem_id="expert-reset")
    expression = gr.Textbox(
        NO_EXPRESSION, visible=False, label="JSON of second_emotion, second_share and groups; empty for none"
    )
    return ExpertWidgets(expression, second, share, groups, reset)


def build_curve() -> CurveWidgets:
    """Build the box of the curve inside the current Gradio block."""
    with gr.Accordion("Intensity over time", open=False, elem_id="curve-box") as box:
        curve = html_widget(html_template=CURVE_TEMPLATE, js_on_load=read_script("keyframes"), elem_id="curve")
    keyframes = gr.Textbox("", visible=False, label="JSON of keyframes, [[seconds, intensity], ...]; empty for none")
    return CurveWidgets(keyframes, curve, box)


def connect_expert_controls(expert: ExpertWidgets, curve: CurveWidgets, source: gr.File) -> None:
    """Keep the texts, the sliders and the curve in step, in the browser. A new source clears the curve.

    Args:
        expert: sliders.
        curve: editor of the keyframes.
        source: whose change clears the curve.
    """
    names = repr(list(GROUPS))
    gr.on(
        [slider.input for slider in expert.sliders],
        None,
        expert.sliders,
        [expert.expression],
        js=WRITE_EXPRESSION % names,
        **JS_ONLY,
    )
    expert.expression.change(
        None,
        [expert.expression, *expert.sliders],
        expert.sliders,
        js=READ_EXPRESSION % names,
        **JS_ONLY,
    )
    expert.reset.click(None, None, [expert.expression], js=RESET_EXPRESSION, **JS_ONLY)
    curve.curve.input(None, None, [curve.keyframes], js=WRITE_CURVE, **JS_ONLY)
    curve.keyframes.change(None, [curve.keyframes], None, js=DRAW_CURVE, **JS_ONLY)
    curve.box.expand(None, None, None, js=SCROLL_TO_CURVE, **JS_ONLY)
    source.change(None, None, [curve.keyframes], js=RESET_EXPRESSION, **JS_ONLY)

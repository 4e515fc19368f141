"""The examples of the app: one click loads a file, chooses an emotion and shows the finished result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from asccl.files import bundled_folder
from asccl.types import EditRequest, EditResult
from asccl.ui.components import Value, shrink, to_data_url
from asccl.ui.expression_values import NO_EXPRESSION
from asccl.ui.result_widgets import result_value
from asccl.video.reader import Reader, probe

EXAMPLES_FOLDER = bundled_folder("examples")
THUMBNAIL_SIDE = 160  # pixels


@dataclass(frozen=True)
class Example:
    """An example.

    Attributes:
        label: of its button.
        path: the file.
        emotion: that a click chooses: one that changes this face visibly.
    """

    label: str
    path: Path
    emotion: str

    @property
    def result(self) -> Path:
        """The edited file; its report lies beside it as JSON. `training.assets.make_spoken_examples` makes both."""
        return self.path.with_stem(f"{self.path.stem}-{self.emotion}")

    @property
    def report(self) -> Path:
        """The report of the edit."""
        return self.result.with_name(f"{self.result.name}.json")


EXAMPLES = (
    Example("Emma, becomes sad", EXAMPLES_FOLDER / "emma.mp4", "sad"),
    Example("Ben, becomes happy", EXAMPLES_FOLDER / "ben.mp4", "happy"),
    Example("Maya, becomes surprised", EXAMPLES_FOLDER / "maya.mp4", "surprised"),
    Example("Paul, becomes afraid", EXAMPLES_FOLDER / "paul.mp4", "fear"),
    Example("Photo, becomes angry", EXAMPLES_FOLDER / "maya.jpg", "angry"),
    Example("Astronaut, becomes sad", EXAMPLES_FOLDER / "astronaut.mp4", "sad"),
    Example("Head, becomes happy", EXAMPLES_FOLDER / "rendered.mp4", "happy"),
)


CLICK_EXAMPLE = """element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) trigger("pick", {index: Number(button.dataset.index)});
});"""


def example_buttons() -> str:
    """Build one button with an image for each example. The images are part of the page: no file can expire."""
    buttons = (
        f'<button type="button" data-index="{index}" title="{escape(example.label)}">'
        f'<img alt="" src="{_thumbnail_url(example.path)}"><span>{escape(example.label)}</span></button>'
        for index, example in enumerate(EXAMPLES)
    )
    return f'<div class="examples" role="group" aria-label="Examples">{"".join(buttons)}</div>'


def load_example(event: gr.EventData) -> tuple[str, str, float, str, Value]:
    """Load the clicked example.

    Returns:
        File, emotion, intensity, expression of the expert controls, and value of the strip of results. Raises gr.Error
        for an index that is not of an example.
    """
    index = event.index  # type: ignore[attr-defined]  # a field that the script of the page adds
    if not isinstance(index, int) or not 0 <= index < len(EXAMPLES):
        raise gr.Error("There is no such example", print_exception=False)
    example = EXAMPLES[index]
    return str(example.path), example.emotion, 1.0, NO_EXPRESSION, example_result(example)


def example_result(example: Example) -> Value:
    """Build the value of the strip of results for an example."""
    report = json.loads(example.report.read_text(encoding="utf-8"))
    request = EditRequest(example.path, emotion=example.emotion, output=example.result, badge=True)
    settings = {"emotion": example.emotion, "intensity": 1.0, "expression": NO_EXPRESSION}
    info = probe(example.path)
    return result_value(request, EditResult(example.result, report), example.report, info, settings)


def _thumbnail_url(path: Path) -> str:
    with Reader(path) as reader:
        return to_data_url(shrink(next(iter(reader)).image, THUMBNAIL_SIDE))

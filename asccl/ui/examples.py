"""The example clips of the app; one click loads them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from asccl.files import bundled_folder
from asccl.ui.components import shrink, to_data_url
from asccl.video.reader import Reader

EXAMPLES_FOLDER = bundled_folder("examples")
THUMBNAIL_SIDE = 160  # pixels


@dataclass(frozen=True)
class Example:
    """An example and the emotion that a click chooses: one that changes this face visibly."""

    label: str
    path: Path
    emotion: str


EXAMPLES = (
    Example("Astronaut, video", EXAMPLES_FOLDER / "astronaut.mp4", "sad"),
    Example("Astronaut, photo", EXAMPLES_FOLDER / "astronaut.jpg", "sad"),
    Example("Rendered head", EXAMPLES_FOLDER / "rendered.mp4", "happy"),
)


CLICK_EXAMPLE = """element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) trigger("pick", {index: Number(button.dataset.index)});
});"""


def example_buttons() -> str:
    """Build one button with an image for each example. The images are part of the page: no file can expire."""
    buttons = (
        f'<button type="button" data-index="{index}"><img alt="" src="{_thumbnail_url(example.path)}">'
        f"{escape(example.label)}</button>"
        for index, example in enumerate(EXAMPLES)
    )
    return f'<div class="examples" role="group" aria-label="Examples">{"".join(buttons)}</div>'


def load_example(event: gr.EventData) -> tuple[str, str]:
    """Return file and emotion of the clicked example. Raises gr.Error for an index that is not of an example."""
    index = event.index  # type: ignore[attr-defined]  # a field that the script of the page adds
    if not isinstance(index, int) or not 0 <= index < len(EXAMPLES):
        raise gr.Error("There is no such example", print_exception=False)
    return str(EXAMPLES[index].path), EXAMPLES[index].emotion


def _thumbnail_url(path: Path) -> str:
    with Reader(path) as reader:
        return to_data_url(shrink(next(iter(reader)).image, THUMBNAIL_SIDE))

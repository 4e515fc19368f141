"""Clips that the project may ship; one click loads them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from asccl.ui.components import picture, shrink
from asccl.video.reader import Reader

FOLDER = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """emotion: one that shows at once what an edit does; a click chooses it."""

    label: str
    path: Path
    emotion: str


CANDIDATES = (
    Example("Astronaut, video", FOLDER / "astronaut.mp4", "sad"),
    Example("Astronaut, photo", FOLDER / "astronaut.jpg", "sad"),
    Example("Rendered head", FOLDER / "rendered.mp4", "happy"),
)
# an installed package comes without the examples folder
EXAMPLES = tuple(example for example in CANDIDATES if example.path.exists())


PICK = """element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) trigger("pick", {index: Number(button.dataset.index)});
});"""


def picker() -> str:
    """One button an example, with its first frame. The pictures lie in the page: no file that could expire."""
    buttons = (
        f'<button type="button" data-index="{number}"><img alt="" src="{poster(example.path)}">'
        f"{escape(example.label)}</button>"
        for number, example in enumerate(EXAMPLES)
    )
    return f'<div class="examples" role="group" aria-label="Examples">{"".join(buttons)}</div>'


def poster(path: Path) -> str:
    """The first frame as a data URL."""
    with Reader(path) as reader:
        return picture(shrink(next(iter(reader)).image, 160))


def load(event: gr.EventData) -> tuple[str, str]:
    """The clicked example's file and emotion. Anything but a number of ours is refused."""
    number = event.index  # type: ignore[attr-defined]
    if not isinstance(number, int) or not 0 <= number < len(EXAMPLES):
        raise gr.Error("There is no such example", print_exception=False)
    return str(EXAMPLES[number].path), EXAMPLES[number].emotion

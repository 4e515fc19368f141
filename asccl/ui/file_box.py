"""The box of one file: choose, drop or replace a file without removing the previous one, and play it in the page.

The browser uploads the file and shows how far it is; a hidden `gr.File` holds it, so that Gradio checks where it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from asccl.types import Image
from asccl.ui.components import Value, card_value, html_widget, read_script

MEDIA_TYPES = (
    *("video/*", "image/*", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".ts", ".mts", ".m2ts", ".3gp", ".flv"),
    *(".mjpeg", ".heic", ".heif", ".avif", ".webp"),
)  # Python and some browsers do not know the media type of all of them
FILE_BOX_TEMPLATE = """<div class="file-box${value ? " has-file" : ""}">
<label class="file-drop"><input type="file" accept="${accept}" aria-label="${label}">
<span><strong>${label}</strong><small>${hint}</small></span></label>
<div class="file-card" id="${box}-card">${value ? `
<button type="button" class="file-poster" data-part="${value.playable ? "play-file" : ""}"
 ${value.playable ? "" : "disabled"} aria-label="Play ${value.name}">${value.poster
  ? `<img src="${value.poster}" alt="">` : ""}</button>
<div><strong>${value.name}</strong><span>${value.facts}</span></div>
<button type="button" data-part="replace-file">Replace</button>
<button type="button" data-part="remove-file" aria-label="Remove ${value.name}">✕</button>` : ""}</div>
<progress class="file-progress" data-part="upload-progress" max="100" value="0" aria-label="Upload" hidden></progress>
<p class="file-error" data-part="upload-error" role="alert" hidden></p>
<dialog data-part="file-dialog"><form method="dialog"><button aria-label="Close">✕</button></form>
<video controls playsinline></video><p hidden>Your browser cannot play this format. It can be edited all the same.</p>
</dialog></div>"""


@dataclass(frozen=True)
class FileBox:
    """The two widgets of a box.

    Attributes:
        file: the file, for handlers.
        card: what people see; its value comes from `file_value`, or is None.
    """

    file: gr.File
    card: gr.HTML


def build_file_box(name: str, label: str, max_bytes: int) -> FileBox:
    """Build a box inside the current Gradio block.

    Args:
        name: id of its element in the page.
        label: what to choose.
        max_bytes: of the file.

    Returns:
        The widgets of the box.
    """
    megabytes = max_bytes // 2**20
    card = html_widget(
        html_template=FILE_BOX_TEMPLATE,
        js_on_load=read_script("file_box"),
        elem_id=name,
        box=name,
        label=escape(label),
        hint=f"or drop it here · up to {megabytes} MB" if megabytes else "or drop it here",
        accept=",".join(MEDIA_TYPES),
        max_bytes=max_bytes,
    )
    file = gr.File(label=label, visible=False)
    hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    card.chosen(None, None, [file], js=f"() => window.ascclFiles['{name}']", **hidden)
    card.removed(None, None, [file], js="() => null", **hidden)
    return FileBox(file, card)


def file_value(image: Image, path: Path, facts: str, playable: bool = False) -> Value:
    """Build the value of the card of a file.

    Args:
        image: (H, W, 3) uint8 RGB.
        path: of the file.
        facts: one line about the file.
        playable: whether to offer to play the file in the page.

    Returns:
        The value.
    """
    value = {**card_value(image, path.name, facts), "playable": playable}
    if playable:
        value["file"] = FileData(path=str(path), orig_name=path.name).model_dump()
    return value

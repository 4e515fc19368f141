"""Saved presets in the Edit tab: kept in the browser, exported and imported as small files."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.editing.saved_presets import SavedPreset, parse_preset, preset_json, read_preset, write_preset
from asccl.errors import AscclError, SettingError
from asccl.expression import EMOTIONS
from asccl.ui.components import html_widget, note_line
from asccl.ui.expression_values import expression_fields, expression_text
from asccl.ui.messages import error_message

MAX_PRESETS = 100
STORAGE_KEY, STORAGE_SECRET = "asccl-presets", "presets"  # constant, so that presets outlive a restart of the server
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class PresetWidgets:
    """The widgets of saved presets.

    Attributes:
        store: in the browser; the JSON of each preset.
        choice: name of a saved preset.
        name: under which the present settings are saved.
        save: saves them.
        delete: removes the chosen preset.
        export: downloads the chosen preset.
        load: imports a file.
        note: a line with an error or what was done.
    """

    store: gr.BrowserState
    choice: gr.Dropdown
    name: gr.Textbox
    save: gr.Button
    delete: gr.Button
    export: gr.DownloadButton
    load: gr.UploadButton
    note: gr.HTML


def build_preset_controls() -> PresetWidgets:
    """Build the box of the presets inside the current Gradio block."""
    store = gr.BrowserState([], storage_key=STORAGE_KEY, secret=STORAGE_SECRET)
    with gr.Accordion("Saved expressions", open=False, elem_id="presets"):
        choice = gr.Dropdown([], value=None, label="Use a saved expression", elem_id="preset-choice")
        with gr.Row():
            name = gr.Textbox(label="Save the current one as", max_length=60, elem_id="preset-name", scale=3)
            save = gr.Button("Save", size="sm", elem_id="preset-save", min_width=80)
        with gr.Row():
            export = gr.DownloadButton("Export", size="sm", elem_id="preset-export", min_width=80)
            load = gr.UploadButton(
                "Import a file", file_types=[".json"], size="sm", elem_id="preset-import", min_width=80
            )
            delete = gr.Button("Delete", size="sm", elem_id="preset-delete", min_width=80)
        note = html_widget("", elem_id="preset-note")
    return PresetWidgets(store, choice, name, save, delete, export, load, note)


def connect_preset_controls(w: PresetWidgets, page: gr.Blocks, settings: list[Any]) -> None:
    """Connect the events.

    Args:
        w: the widgets.
        page: whose load reads the presets of the browser.
        settings: widgets of emotion, intensity, variant and expression, in this order.
    """
    page.load(_list_choices, [w.store], [w.choice, w.export], **QUIET)
    gr.on(
        [w.save.click, w.name.submit], save_preset, [w.store, w.name, *settings], [w.store, w.choice, w.note], **QUIET
    )
    w.delete.click(delete_preset, [w.store, w.choice], [w.store, w.choice, w.note], **QUIET)
    w.load.upload(import_preset, [w.load, w.store], [w.store, w.choice, w.note], **QUIET)
    w.choice.change(apply_preset, [w.store, w.choice], settings, **QUIET)
    w.choice.input(lambda: note_line(""), None, [w.note], **QUIET)
    w.choice.change(export_preset, [w.store, w.choice], [w.export], **QUIET)


def save_preset(
    store: Any, name: str, emotion: str, intensity: float, variant: float, expression: str
) -> tuple[Any, Any, str]:
    """Save the present settings; a preset of the same name is replaced.

    Args:
        store: JSON of each preset, from the browser.
        name: of the preset.
        emotion: chosen emotion.
        intensity: 0 to 2.
        variant: number of the variant.
        expression: text of the mix and the groups.

    Returns:
        The store, update of the choices, a line.
    """
    try:
        if emotion not in EMOTIONS:
            raise SettingError("the expression of a clip cannot be saved", "choose an emotion first")
        fields = expression_fields(expression, None, emotion)
        preset = SavedPreset((name or "").strip(), emotion, float(intensity), seed=int(variant or 0), **fields)
    except AscclError as error:
        return gr.skip(), gr.skip(), note_line(error_message(error), failed=True)
    return _keep(store, preset, f"{preset.name} is saved in this browser.")


def import_preset(path: str | None, store: Any) -> tuple[Any, Any, str]:
    """Read a preset from an uploaded file. Returns the store, update of the choices, a line."""
    try:
        preset = read_preset(Path(path or ""))
    except AscclError as error:
        return gr.skip(), gr.skip(), note_line(error_message(error), failed=True)
    return _keep(store, preset, f"{preset.name} is imported.")


def delete_preset(store: Any, choice: str | None) -> tuple[Any, Any, str]:
    """Delete a preset. Returns the store, update of the choices, a line."""
    presets = {name: preset for name, preset in read_store(store).items() if name != choice}
    text = "Choose a saved expression first." if choice is None else f"{choice} is deleted."
    return _to_store(presets), gr.Dropdown(choices=list(presets), value=None), note_line(text)


def apply_preset(store: Any, choice: str | None) -> tuple[Any, ...]:
    """Return emotion, intensity, variant and expression of a preset."""
    preset = read_store(store).get(choice or "")
    if preset is None:
        return (gr.skip(),) * 4
    return preset.emotion, preset.intensity, preset.seed, expression_text(preset)


def export_preset(store: Any, choice: str | None) -> Any:
    """Write a preset to a file for the download button; None where none is chosen."""
    preset = read_store(store).get(choice or "")
    if preset is None:
        return gr.DownloadButton(value=None, interactive=False)
    stem = re.sub(r"[^\w-]+", "-", preset.name).strip("-").lower() or "preset"
    path = Path(tempfile.mkdtemp(prefix="preset-", dir=_upload_folder())) / f"{stem}.json"
    write_preset(preset, path)
    return gr.DownloadButton(value=str(path), interactive=True)


def read_store(store: Any) -> dict[str, SavedPreset]:
    """Read the presets that a browser keeps, by name; malformed ones are left out, because anybody can change them."""
    presets = {}
    for text in store if isinstance(store, list) else []:
        try:
            preset = parse_preset(str(text), "a saved preset")
        except SettingError:
            continue
        presets[preset.name] = preset
    return presets


def _keep(store: Any, preset: SavedPreset, text: str) -> tuple[Any, Any, str]:
    presets = read_store(store) | {preset.name: preset}
    if len(presets) > MAX_PRESETS:
        return gr.skip(), gr.skip(), note_line(f"{MAX_PRESETS} presets are kept: delete one first.", failed=True)
    return _to_store(presets), gr.Dropdown(choices=list(presets), value=preset.name), note_line(text)


def _list_choices(store: Any) -> tuple[Any, Any]:
    return gr.Dropdown(choices=list(read_store(store)), value=None), gr.DownloadButton(interactive=False)


def _to_store(presets: dict[str, SavedPreset]) -> list[str]:
    return [preset_json(preset) for preset in presets.values()]


def _upload_folder() -> str | None:
    """Gradio's folder, which the app sweeps; None takes the system's."""
    from gradio.utils import get_upload_folder

    return get_upload_folder()

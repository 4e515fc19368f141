"""Weights from the Hub: a visitor names a public repository, and what it has becomes a choice."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from asccl.errors import AscclError, SettingError
from asccl.ui.components import html_widget, status_line
from asccl.ui.hub_download import HubWeights, download_in_thread, find_downloaded
from asccl.ui.messages import error_message
from asccl.ui.places import Caller, Places
from asccl.zoo import DEFAULT_METRIC

# kind of a file -> generator and field of `EditRequest`
FIELDS = {
    "ned-manipulator": ("ned", "manipulator"),
    "ned-renderer": ("ned", "renderer"),
    "icface": ("icface", "renderer"),
}
FULL_COMMIT, SHORT_COMMIT = 40, 7  # characters of a commit
SEPARATOR = re.compile(r"[,\s]+")
LABEL = "From the Hub: OWNER/NAME"


@dataclass(frozen=True)
class Purpose:
    """What weights of the Hub are for.

    Attributes:
        name: begins the ids of the widgets.
        kinds: kinds of files that fit -> their descriptions.
        explanation: what to name, below the text box.
        to_value: value of the choice, by the loaded weights. Raises SettingError where they do not work together.
    """

    name: str
    kinds: Mapping[str, str]
    explanation: str
    to_value: Callable[[Sequence[HubWeights]], str]


@dataclass(frozen=True)
class HubWidgets:
    """The widgets of the choice; what they load becomes another choice."""

    repositories: gr.Textbox
    load: gr.Button
    status: gr.HTML


def _generator_value(loaded: Sequence[HubWeights]) -> str:
    places = {FIELDS[weights.kind] for weights in loaded}
    if len(places) < len(loaded) or len({generator for generator, _ in places}) > 1:
        raise SettingError(
            "these repositories do not work together", "name ICface, or one manipulator and one renderer of NED"
        )
    return " ".join([FIELDS[loaded[0].kind][0], *(weights.source for weights in loaded)])


def _metric_value(loaded: Sequence[HubWeights]) -> str:
    if len(loaded) > 1:
        raise SettingError("a comparison uses one metric", "name one repository")
    return loaded[0].source


FOR_EDITS = Purpose(
    "hub",
    {
        "ned-manipulator": "a manipulator of NED",
        "ned-renderer": "a renderer of NED",
        "icface": "networks of ICface",
    },
    "Public weights: ICface, or for NED a manipulator, a renderer of this person, or both, with a comma between",
    _generator_value,
)
FOR_COMPARISONS = Purpose("metric-hub", {"scc": "an SCC metric"}, "Public weights of an SCC metric", _metric_value)


def build_hub_widgets(purpose: Purpose) -> HubWidgets:
    """Build the widgets inside the current Gradio block."""
    name = purpose.name
    with gr.Row(elem_id=f"{name}-row", elem_classes="hub-row"):
        repositories = gr.Textbox(
            label=LABEL,
            info=purpose.explanation,
            max_lines=1,
            scale=4,
            elem_id=f"{name}-repositories",
            elem_classes="hub-repositories",
        )
        load = gr.Button("Load", scale=1, min_width=80, elem_id=f"{name}-load")
    status = html_widget(status_line("idle", ""), elem_id=f"{name}-status")
    return HubWidgets(repositories, load, status)


def connect_hub_widgets(widgets: HubWidgets, choice: gr.Radio, places: Places, purpose: Purpose, **hidden: Any) -> None:
    """Connect the widgets.

    Args:
        widgets: for repositories.
        choice: gets a choice for what was loaded.
        places: places for downloads.
        purpose: of the weights.
        hidden: further arguments of the events.
    """

    async def load(repositories: str, page: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        choices = [(str(label), str(name)) for label, name in choice.choices]
        async for status, loaded in load_repositories(repositories, Caller.of(page), places, purpose):
            yield status, gr.skip() if loaded is None else choose(choices, loaded, purpose)

    gr.on(
        [widgets.load.click, widgets.repositories.submit],
        load,
        [widgets.repositories],
        [widgets.status, choice],
        concurrency_limit=None,
        trigger_mode="once",
        **hidden,
    )


def choose(choices: Sequence[tuple[str, str]], loaded: Sequence[HubWeights], purpose: Purpose) -> gr.Radio:
    """Choose loaded weights, or the first choice where nothing is loaded.

    Args:
        choices: label and value of the others.
        loaded: weights that work together.
        purpose: of the weights.
    """
    if not loaded:
        return gr.Radio(choices=list(choices), value=choices[0][1])
    names = ", ".join(weights.source.partition("@")[0] for weights in loaded)
    value = purpose.to_value(loaded)
    return gr.Radio(choices=[*choices, (f"From the Hub: {names}", value)], value=value)


async def load_repositories(
    repositories: str, caller: Caller, places: Places, purpose: Purpose
) -> AsyncIterator[tuple[str, list[HubWeights] | None]]:
    """Download the weights that a visitor names.

    Args:
        repositories: names, separated by commas; nothing removes the weights.
        caller: who asks.
        places: places for downloads.
        purpose: of the weights.

    Yields:
        Status line, and the weights once all are loaded; an empty list removes those of before.
    """
    names = [name for name in SEPARATOR.split(repositories.strip()) if name]
    if not names:
        yield status_line("idle", ""), []
        return
    loaded: list[HubWeights] = []
    try:
        with places.ticket(caller) as ticket:
            await ticket.wait()
            for name in names:
                async for result in download_in_thread(name, purpose.kinds):
                    if isinstance(result, HubWeights):
                        loaded.append(result)
                    else:
                        yield status_line("busy", f"Downloading {name}", result), None
        purpose.to_value(loaded)
    except AscclError as error:
        yield status_line("failed", error_message(error)), None
        return
    yield status_line("done", f"Loaded {'; '.join(_describe(weights, purpose) for weights in loaded)}"), loaded


def _describe(weights: HubWeights, purpose: Purpose) -> str:
    repository = weights.source.split(":")[0][: SHORT_COMMIT - FULL_COMMIT]
    return f"{purpose.kinds[weights.kind]}, {repository}, {weights.size / 1e6:.1f} MB"


def generator_fields(value: str) -> dict[str, Any]:
    """Return the fields of `EditRequest` for a choice of the generator; nothing is downloaded here.

    value: "ned", or what `choose` made of loaded weights. Raises WeightsError where a file is not in the cache.
    """
    generator, *sources = value.split(" ")
    fields: dict[str, Any] = {"generator": generator}
    for source in sources:
        path, kind = find_downloaded(source, FOR_EDITS.kinds)
        fields[FIELDS[kind][1]] = path
    return fields


def check_metric(value: str) -> str:
    """Return the metric of a comparison; nothing is downloaded here.

    value: the bundled metric, or what `choose` made of loaded weights. Raises WeightsError for anything else.
    """
    if value != DEFAULT_METRIC:
        find_downloaded(value, FOR_COMPARISONS.kinds)
    return value

"""Weights from the Hub for an edit: a visitor names a public repository, the server downloads it once."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from asccl import hub
from asccl.errors import AscclError, LimitError, SettingError, WeightsError, first_line
from asccl.ui.components import html_widget, status_line
from asccl.ui.messages import error_message
from asccl.ui.places import Caller, Places

MAX_BYTES = 512 * 2**20  # of one file; NED's renderer of full size has 283 MB
MIN_FREE_BYTES = 2 * 2**30  # of the disk after a download
POLL_INTERVAL = 0.3  # seconds between two progress messages
# kind of a file -> generator and field of `EditRequest`
FIELDS = {
    "ned-manipulator": ("ned", "manipulator"),
    "ned-renderer": ("ned", "renderer"),
    "icface": ("icface", "renderer"),
}
DESCRIPTIONS = {
    "ned-manipulator": "a manipulator of NED",
    "ned-renderer": "a renderer of NED",
    "icface": "networks of ICface",
}
FULL_COMMIT, SHORT_COMMIT = 40, 7  # characters of a commit
SEPARATOR = re.compile(r"[,\s]+")
LABEL = "From the Hub: OWNER/NAME"
EXPLANATION = (
    "Public weights: ICface, or for NED a manipulator, a renderer of this person, or both, with a comma between"
)


@dataclass(frozen=True)
class HubWeights:
    """Downloaded weights.

    Attributes:
        source: "owner/name@commit:file", for `hub.resolve`.
        kind: of the file.
        size: bytes.
    """

    source: str
    kind: str
    size: int


@dataclass(frozen=True)
class HubWidgets:
    """The widgets of the choice; what they load becomes a choice of the generator."""

    repositories: gr.Textbox
    load: gr.Button
    status: gr.HTML


def build_hub_widgets() -> HubWidgets:
    """Build the widgets inside the current Gradio block."""
    with gr.Row(elem_id="hub-row"):
        repositories = gr.Textbox(label=LABEL, info=EXPLANATION, max_lines=1, scale=4, elem_id="hub-repositories")
        load = gr.Button("Load", scale=1, min_width=80, elem_id="hub-load")
    status = html_widget(status_line("idle", ""), elem_id="hub-status")
    return HubWidgets(repositories, load, status)


def connect_hub_widgets(widgets: HubWidgets, generator: gr.Radio, looks: Places, **hidden: Any) -> None:
    """Connect the widgets of the choice.

    Args:
        widgets: of the choice.
        generator: gets a choice for what was loaded.
        looks: places for downloads.
        hidden: further arguments of the events.
    """

    async def load(repositories: str, page: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        choices = [(str(label), str(name)) for label, name in generator.choices]
        async for status, loaded in load_repositories(repositories, Caller.of(page), looks):
            yield status, gr.skip() if loaded is None else choose(choices, loaded)

    gr.on(
        [widgets.load.click, widgets.repositories.submit],
        load,
        [widgets.repositories],
        [widgets.status, generator],
        concurrency_limit=None,
        trigger_mode="once",
        **hidden,
    )


def choose(choices: Sequence[tuple[str, str]], loaded: Sequence[HubWeights]) -> gr.Radio:
    """Choose loaded weights as generator, or the first choice where nothing is loaded.

    choices: label and value of the other generators. loaded: weights.
    """
    if not loaded:
        return gr.Radio(choices=list(choices), value=choices[0][1])
    names = ", ".join(weights.source.partition("@")[0] for weights in loaded)
    value = " ".join([FIELDS[loaded[0].kind][0], *(weights.source for weights in loaded)])
    return gr.Radio(choices=[*choices, (f"From the Hub: {names}", value)], value=value)


async def load_repositories(
    repositories: str, caller: Caller, looks: Places
) -> AsyncIterator[tuple[str, list[HubWeights] | None]]:
    """Download the weights that a visitor names.

    Args:
        repositories: names, separated by commas; nothing removes the weights.
        caller: who asks.
        looks: places for downloads.

    Yields:
        Status line, and the weights once all are loaded; an empty list removes those of before.
    """
    names = [name for name in SEPARATOR.split(repositories.strip()) if name]
    if not names:
        yield status_line("idle", ""), []
        return
    loaded: list[HubWeights] = []
    try:
        with looks.ticket(caller) as ticket:
            await ticket.wait()
            for name in names:
                async for result in _download_in_thread(name):
                    if isinstance(result, HubWeights):
                        loaded.append(result)
                    else:
                        yield status_line("busy", f"Downloading {name}", result), None
        _check_combination(loaded)
    except AscclError as error:
        yield status_line("failed", error_message(error)), None
        return
    yield status_line("done", f"Loaded {'; '.join(map(_describe, loaded))}"), loaded


def _check_combination(loaded: Sequence[HubWeights]) -> None:
    """Raise SettingError unless the weights work together."""
    places = {FIELDS[weights.kind] for weights in loaded}
    if len(places) < len(loaded) or len({generator for generator, _ in places}) > 1:
        raise SettingError(
            "these repositories do not work together", "name ICface, or one manipulator and one renderer of NED"
        )


def _describe(weights: HubWeights) -> str:
    repository = weights.source.split(":")[0][: SHORT_COMMIT - FULL_COMMIT]
    return f"{DESCRIPTIONS[weights.kind]}, {repository}, {weights.size / 1e6:.1f} MB"


async def _download_in_thread(name: str) -> AsyncIterator[float | HubWeights]:
    """Yield the share of the download, and the weights last. Raises the errors of `download_weights`."""
    results: list[HubWeights | BaseException] = []
    shares = [0.0]

    def work() -> None:
        try:
            results.append(download_weights(name, shares.append))
        except BaseException as error:  # raised by the consumer
            results.append(error)

    thread = threading.Thread(target=work, name="asccl-hub", daemon=True)
    thread.start()
    while thread.is_alive():
        yield shares[-1]
        await asyncio.sleep(POLL_INTERVAL)
    if isinstance(results[0], BaseException):
        raise results[0]
    yield results[0]


def download_weights(name: str, report: Callable[[float], None]) -> HubWeights:
    """Download the file of a public repository, or take it from the cache.

    Args:
        name: "owner/name", as `hub.resolve` takes it.
        report: called with the share of the download, 0 to 1.

    Returns:
        The weights, pinned to a commit.

    Raises:
        SettingError: this is no repository.
        LimitError: the file is too large.
        WeightsError: it cannot be downloaded, or is not for an edit.
    """
    match = hub.REPOSITORY.fullmatch(name)
    if match is None:
        raise SettingError(f"{name} is not the name of a Hub repository", "write OWNER/NAME")
    repo, file = match["repo"], match["file"] or hub.REPOSITORY_FILE
    size = _look_up_size(repo, match["revision"], file)
    if size is not None and size > MAX_BYTES:
        raise LimitError(
            f"{file} of {repo} has {size / 2**20:.0f} MiB, and the app takes {MAX_BYTES >> 20}",
            "use the command line: --manipulator FILE",
        )
    _check_disk(size or 0)
    path = hub.resolve(name, download={"token": False, "tqdm_class": _progress_class(report)})
    kind = hub.read_metadata(path).get("kind", "unknown")
    if kind not in FIELDS:
        raise WeightsError(f"{repo} has weights of the kind {kind}", f"name {' or '.join(DESCRIPTIONS.values())}")
    commit = path.parts[len(path.parts) - len(Path(file).parts) - 1]  # .../snapshots/COMMIT/FILE
    return HubWeights(f"{repo}@{commit}:{file}", kind, path.stat().st_size)


def generator_fields(value: str) -> dict[str, Any]:
    """Return the fields of `EditRequest` for a choice of the generator; nothing is downloaded here.

    value: "ned", or what `choose` made of loaded weights. Raises WeightsError where a file is not in the cache.
    """
    generator, *sources = value.split(" ")
    fields: dict[str, Any] = {"generator": generator}
    for source in sources:
        path = hub.resolve(source, download={"token": False, "local_files_only": True})
        kind = hub.read_metadata(path).get("kind", "")
        if kind not in FIELDS:
            raise WeightsError(f"{source} has weights of the kind {kind or 'unknown'}", "load others")
        fields[FIELDS[kind][1]] = path
    return fields


def _check_disk(size: int) -> None:
    """Raise LimitError where a download of so many bytes would leave too little space."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    if shutil.disk_usage(folder).free - size < MIN_FREE_BYTES:
        raise LimitError("this server has no space for further weights", "use those that it has, or try again later")


def _look_up_size(repo: str, revision: str | None, file: str) -> int | None:
    """Return the size of a file on the Hub in bytes; None where the Hub cannot be reached."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        return get_hf_file_metadata(hf_hub_url(repo, file, revision=revision), token=False).size
    except (EntryNotFoundError, HfHubHTTPError) as error:
        raise WeightsError(
            f"there is no public {file} of {repo} on the Hub ({first_line(error)})", "correct the name"
        ) from error
    except (HTTPError, OfflineModeIsEnabled, OSError):  # the cache may have it
        return None


def _progress_class(report: Callable[[float], None]) -> type:
    """Return a progress bar that prints nothing and reports its share."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        """Reports instead of printing."""

        def __init__(self, *arguments: Any, **options: Any):
            super().__init__(*arguments, **{**options, "disable": True})
            self._total, self._done = options.get("total") or 0, float(options.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            self._done += n or 0
            if self._total:
                report(min(self._done / self._total, 1.0))
            return super().update(n)

    return Bar

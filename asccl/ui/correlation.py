"""The Correlation tab: which widgets there are and which handler each of them calls. No logic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from asccl.ui.charts import charts, face
from asccl.ui.comparing import ComparisonHandlers
from asccl.ui.components import HERE, card, compare, markup
from asccl.ui.examples import FOLDER
from asccl.ui.report import status
from asccl.video.limits import Limits

MEDIA = ["video", "image", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".ts", ".heic", ".webp"]
PAIRINGS = [
    ("Choose for me", "auto"), ("An edit of the source", "time"), ("Another take, by sound", "sound"),
    ("Another take, by mouth", "mouth"),
]  # fmt: skip
ALIGNMENTS = [
    ("Choose for me", "auto"),
    ("Cut at the same place", "place"),
    ("Turn into the source's pose", "landmarks"),
]

EXAMPLE = (FOLDER / "astronaut.mp4", FOLDER / "astronaut-sad.mp4")  # an installed package comes without

text = partial(gr.Markdown, container=False)


@dataclass(frozen=True)
class CorrelationWidgets:
    """The widgets that handlers read or write."""

    source: gr.File
    source_card: gr.HTML
    generated: gr.File
    generated_card: gr.HTML
    files: gr.File
    note: gr.HTML
    pairing: gr.Radio
    stride: gr.Slider
    alignment: gr.Radio
    compare: gr.Button
    example: gr.Button
    compare_all: gr.Button
    cancel: gr.Button
    status: gr.HTML
    charts: gr.HTML
    where: gr.Column
    face: gr.HTML
    preview: gr.HTML
    moment_note: gr.HTML
    at: gr.Number
    at_generated: gr.Number
    used: gr.Textbox
    downloads: gr.Row
    report: gr.DownloadButton
    similarity: gr.DownloadButton
    frames: gr.DownloadButton


def correlation_tab(limits: Limits) -> CorrelationWidgets:
    made: dict[str, Any] = {}
    with gr.Column(elem_id="bench"):
        with gr.Column(elem_id="bench-inputs", elem_classes="bench-panel"):
            inputs(made, limits)
        with gr.Column(elem_id="bench-charts", elem_classes="bench-panel"):
            text("## 2 · How alike")
            made["charts"] = charts(elem_id="charts")
            with gr.Row(visible=False, elem_id="bench-downloads") as made["downloads"]:
                made["report"] = gr.DownloadButton("Report (JSON)", elem_id="download-correlation")
                made["similarity"] = gr.DownloadButton("Similarities (CSV)", elem_id="download-similarity")
                made["frames"] = gr.DownloadButton("Frames (CSV)", elem_id="download-frames")
            with gr.Accordion("What the numbers mean", open=True, elem_id="definitions"):
                text((HERE / "texts" / "correlation.md").read_text(encoding="utf-8"))
        with gr.Column(elem_id="bench-where", elem_classes="bench-panel", visible=False) as made["where"]:
            text("## 3 · Where on the face")
            made["moment_note"] = markup("", elem_id="moment-note")
            with gr.Row(elem_id="where-row"):
                made["face"] = face(elem_id="face")
                made["preview"] = compare(names=("Source", "Generated"), elem_id="alignment")
    return CorrelationWidgets(**made)


def inputs(made: dict[str, Any], limits: Limits) -> None:
    text("## 1 · Does it still say the same?")
    text(f"Two videos or photos of one person, up to {limits.max_bytes // 2**20} MB each.", elem_id="bench-lead")
    with gr.Tabs():
        with gr.Tab("Two files"):
            for name, what in (
                ("source", "Source video or photo"),
                ("generated", "Generated one, or another take"),
            ):
                made[name] = gr.File(label=what, file_types=MEDIA, height=104, elem_id=f"c-{name}")
                made[f"{name}_card"] = card(elem_id=f"c-{name}-card")
            made["compare"] = gr.Button("Compare", variant="primary", elem_id="compare-two")
            made["example"] = gr.Button(
                "Try it with an example", size="sm", visible=EXAMPLE[1].exists(), elem_id="c-example"
            )
        with gr.Tab("Several, by emotion"):
            made["files"] = gr.File(
                label="Clips named by emotion, such as talk-neutral.mp4, talk-happy.mp4", file_types=MEDIA,
                file_count="multiple", height=180, elem_id="c-files",
            )  # fmt: skip
            made["compare_all"] = gr.Button("Compare all pairs", variant="primary", elem_id="compare-all")
    made["note"] = markup("", elem_id="c-note")
    made["cancel"] = gr.Button("Cancel", variant="stop", visible=False, elem_id="c-cancel")
    made["status"] = markup(status("idle", ""), elem_id="c-status")
    made["pairing"] = gr.Radio(
        PAIRINGS, value="auto", label="What the second one is", elem_id="pairing",
        info="An edit is compared moment by moment; another take is warped in time first",
    )  # fmt: skip
    with gr.Accordion("More", open=False):
        made["stride"] = gr.Slider(
            0, 30, 0, step=1, label="Compare each such frame", info="0 takes about 300 frames, 1 takes all", buttons=[],
            elem_id="stride",
        )  # fmt: skip
        made["alignment"] = gr.Radio(
            ALIGNMENTS, value="auto", label="How the faces are laid on each other", elem_id="c-alignment"
        )
    made["at"] = gr.Number(0, visible=False, label="Seconds in the source")
    made["at_generated"] = gr.Number(0, visible=False, label="Seconds in the generated video")
    made["used"] = gr.Textbox("auto", visible=False, label="Alignment: place or landmarks")


def wire(w: CorrelationWidgets, handlers: ComparisonHandlers) -> None:
    """Which event calls which handler. Public endpoints are /compare, /compare_emotions and /moment."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for file, shown, what in ((w.source, w.source_card, "source"), (w.generated, w.generated_card, "generated")):
        file.change(partial(handlers.open, what=what), [file], [shown, w.note], **quiet)
    w.example.click(lambda: tuple(map(str, EXAMPLE)), None, [w.source, w.generated], queue=False, **quiet)
    results = [w.report, w.similarity, w.frames, w.status, w.charts, w.face, w.preview, w.used]
    busy = [w.compare, w.compare_all, w.cancel, w.status, w.where, w.downloads]
    runs = []
    for button, handler, choices, name in (
        (w.compare, handlers.compare, [w.source, w.generated, w.pairing, w.alignment, w.stride], "compare"),
        (w.compare_all, handlers.emotions, [w.files, w.pairing, w.stride], "compare_emotions"),
    ):
        begun = button.click(begin, None, busy, queue=False, **quiet)
        run = begun.then(
            handler, choices, results, api_name=name, show_progress="hidden", concurrency_id="compare",
            concurrency_limit=1,
        )  # fmt: skip
        shown = run.success(
            partial(reveal, whole=name == "compare"), None, [w.where, w.downloads], queue=False, **quiet
        )
        shown.then(None, js=SHOW_CHARTS, **quiet)
        for ended in (run.success, run.failure):
            ended(rest, None, busy[:3], queue=False, **quiet)
        runs.append(run)
    cancelled = w.cancel.click(None, None, None, cancels=runs, **quiet)
    cancelled.then(stopped, None, busy[:4], queue=False, **quiet)  # not before: the last word of a run would come after
    picked = w.charts.pick(pick, None, [w.at, w.at_generated, w.moment_note], queue=False, **quiet)
    picked.then(
        handlers.moment, [w.source, w.generated, w.used, w.at, w.at_generated], [w.face, w.preview, w.moment_note],
        api_name="moment", show_progress="hidden", concurrency_id="preview",
    ).then(None, js=SHOW_FACE, **quiet)  # fmt: skip


SHOW_CHARTS = """() => window.innerWidth < 900 &&
  document.getElementById('bench-charts')?.scrollIntoView({behavior: 'smooth', block: 'start'})"""
SHOW_FACE = "() => document.getElementById('bench-where')?.scrollIntoView({behavior: 'smooth', block: 'nearest'})"


def begin() -> tuple[Any, ...]:
    still = [gr.Button(interactive=False)] * 2
    hidden = gr.Column(visible=False), gr.Row(visible=False)
    return *still, gr.Button(visible=True), status("busy", "Waiting for a free place", 0.0), *hidden


def rest() -> tuple[Any, ...]:
    return gr.Button(interactive=True), gr.Button(interactive=True), gr.Button(visible=False)


def stopped() -> tuple[Any, ...]:
    return *rest(), status("stopped", "Cancelled. Nothing was kept.")


def reveal(whole: bool) -> tuple[Any, Any]:
    return gr.Column(visible=whole), gr.Row(visible=True)


def pick(event: gr.EventData) -> tuple[float, float, str]:
    """The moment that was clicked. Anything but two times is refused."""
    times = event.times  # type: ignore[attr-defined]
    if not isinstance(times, list) or len(times) != 2 or not all(isinstance(time, int | float) for time in times):
        raise gr.Error("There is no such moment", print_exception=False)
    return times[0], times[1], status("busy", "Looking at this moment…")

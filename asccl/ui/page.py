"""The page of the app: its tabs around an editor, and how it is served without contacting other servers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from asccl.ui.address import open_browser
from asccl.ui.app_blocks import AppBlocks
from asccl.ui.background import INSPECTION_NICENESS, background_executor
from asccl.ui.batch_handlers import BatchHandlers
from asccl.ui.batch_tab import build_batch_tab, connect_batch_tab
from asccl.ui.charts import plotly_route
from asccl.ui.comparison_handlers import STAGE_SHARES as COMPARISON_STAGES
from asccl.ui.comparison_handlers import ComparisonHandlers
from asccl.ui.components import UI_FOLDER, read_script, read_text, text_widget
from asccl.ui.correlation_tab import CorrelationWidgets, build_correlation_tab, connect_correlation_tab
from asccl.ui.edit_handlers import STAGE_SHARES as EDIT_STAGES
from asccl.ui.edit_handlers import EditHandlers
from asccl.ui.edit_requests import EditorProtocol
from asccl.ui.edit_tab import HIDDEN, connect_edit_tab
from asccl.ui.edit_widgets import EditWidgets, build_edit_tab
from asccl.ui.evaluation_tab import build_evaluation_tab, connect_evaluation_tab
from asccl.ui.examples import EXAMPLES_FOLDER
from asccl.ui.inspection_panel import InspectionHandler, build_inspection_panel, connect_inspection_panel
from asccl.ui.job_runner import JobRunner
from asccl.ui.languages import language_script, languages_route, translate_page
from asccl.ui.limits import WEB_LIMITS
from asccl.ui.listeners import Listeners
from asccl.ui.middleware import AppMiddleware
from asccl.ui.places import Places
from asccl.ui.preset_controls import connect_preset_controls
from asccl.ui.preview_handlers import PreviewHandlers
from asccl.video import EncodeSettings
from asccl.video.limits import Limits
from asccl.web.hosts import trust_known_proxies, trusted_names

WEB_ENCODING = EncodeSettings(for_browsers=True)
TITLE = "ASCCL: change the emotion, keep the speech"
MAX_EDITS, MAX_COMPARISONS = 1, 1  # at the same time; each uses every core
MAX_LOOKS = 2  # quick previews at the same time; each takes a fraction of a second
MAX_INSPECTIONS = 2  # at the same time; detecting and fitting a face, or comparing a moment, takes seconds
MAX_DOWNLOADS = 2  # of weights from the Hub, at the same time
MAX_ADAPTATIONS = 1  # for previews, at the same time
MAX_EVENTS = 500  # of Gradio, running or waiting for a place; with its default of 40, one address could take them all
SESSION_JOBS, SESSION_LOOKS = 2, 6  # of each kind, running and waiting, of one open page
ADDRESS_LIMIT = 24  # likewise of one address, which a class may share
QUEUE_SIZE = 1000  # of Gradio; `Places` limits the work
MAX_SESSIONS = 500  # whose widgets Gradio remembers, 0.35 MB and the latest images each; by default 10,000
UPLOAD_FACTOR = 2  # files of one request together, over the largest single file
STYLE_SHEETS = (  # in this order: of two rules that fit an element equally well, the later one holds
    *("theme", "edit_tab", "file_box", "examples", "several_files", "faces", "emotions", "comparison", "actions"),
    *("results", "player", "report", "windows", "hub", "correlation", "evaluation", "expert"),
)
SANS_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO_FONTS = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")
COMPARED_FILES = "() => [window.asccl.display.source, window.asccl.display.video, 'time']"
CLICK_COMPARE = "() => setTimeout(() => document.getElementById('compare-two').click(), 50)"


def build_page(
    editor: EditorProtocol,
    listeners: Listeners,
    limits: Limits = WEB_LIMITS,
    folder: Path | None = None,
) -> AppBlocks:
    """Build the app around an editor.

    Args:
        editor: does the edits and previews.
        listeners: the sessions that wait for messages, as `serve` observes them; their clock is that of all jobs.
        limits: of uploads.
        folder: where jobs create their temporary folders, outside Gradio's own; None takes the system's place.

    Returns:
        The page, to be launched by `serve`.
    """
    page = AppBlocks(title=TITLE, analytics_enabled=False)
    charged = partial(Places, address_limit=ADDRESS_LIMIT, clock=listeners.clock, on_refusal=page.charge_refusal)
    edits = JobRunner(EDIT_STAGES, charged(MAX_EDITS, SESSION_JOBS), listeners, folder)
    comparisons = JobRunner(COMPARISON_STAGES, charged(MAX_COMPARISONS, SESSION_JOBS), listeners, folder)
    limited = partial(charged, session_limit=SESSION_LOOKS, listeners=listeners)
    inspection_threads = background_executor(MAX_INSPECTIONS, INSPECTION_NICENESS)
    looks, inspections = limited(MAX_LOOKS), limited(MAX_INSPECTIONS, executor=inspection_threads)
    downloads, adaptations = limited(MAX_DOWNLOADS), limited(MAX_ADAPTATIONS)
    edit_handlers = EditHandlers(editor, limits, edits, inspections, downloads)
    previews = PreviewHandlers(editor, looks, inspections, adaptations, background_executor(MAX_ADAPTATIONS), folder)
    comparison_handlers = ComparisonHandlers(limits, comparisons, inspections, downloads)
    with page:
        text_widget(read_text("intro"), elem_id="intro")
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Edit"):
                edit = build_edit_tab(limits)
            batch = build_batch_tab(limits)
            with gr.Tab("Correlation", id="correlation"):
                correlation = build_correlation_tab(limits)
            with gr.Tab("Evaluation", id="evaluation"):
                evaluation = build_evaluation_tab()
            with gr.Tab("About"):
                inspection = build_inspection_panel()
                text_widget(read_text("about"), elem_id="about")
        connect_edit_tab(page, edit, edit_handlers, previews)
        settings = [edit.emotion, edit.intensity, edit.variant, edit.expert.expression]
        connect_preset_controls(edit.presets, page, settings)
        emotion, intensity, variant, expression = settings
        one_setting = [emotion, edit.reference, intensity, variant, edit.generator, edit.adapt, expression, edit.badge]
        connect_batch_tab(batch, BatchHandlers(editor, limits, edits, folder), one_setting)
        connect_correlation_tab(correlation, comparison_handlers)
        connect_evaluation_tab(evaluation)
        connect_inspection_panel(inspection, InspectionHandler(limits, inspections))
        _connect_tabs(edit, correlation, tabs)
        page.unload(edit_handlers.stop_jobs)
        page.unload(previews.end)
        page.unload(comparison_handlers.stop_jobs)
    page.queue(max_size=QUEUE_SIZE, default_concurrency_limit=8, api_open=False)  # work only by the queue
    return page


def serve(
    page: AppBlocks,
    listeners: Listeners,
    routes: Sequence[BaseRoute] = (),
    address: tuple[str, int | None] = ("127.0.0.1", None),
    limits: Limits = WEB_LIMITS,
    in_browser: bool = False,
    **launch: Any,
) -> Any:
    """Launch the page, and stay until the program is stopped, unless `prevent_thread_lock` is set.

    Args:
        page: the page, from `build_page`.
        listeners: is told which sessions wait for messages.
        routes: URLs that are served before those of the page.
        address: host and port to listen on; None takes a free port.
        limits: of uploads.
        in_browser: whether to open the page in this machine's browser, if there is one.
        launch: further arguments of `gr.Blocks.launch`.

    Returns:
        What `gr.Blocks.launch` returns.
    """
    trust_known_proxies()
    names = trusted_names(address[0], bool(launch.get("share")))
    middleware = Middleware(
        AppMiddleware,
        trusted_names=names,
        max_upload_bytes=UPLOAD_FACTOR * limits.max_bytes,
        listeners=listeners,
        joins=page.joins,
        has_messages=page.has_messages,
    )
    stays = not launch.pop("prevent_thread_lock", False)
    served = page.launch(
        server_name=address[0],
        server_port=address[1],
        theme=_build_theme(),
        css_paths=[UI_FOLDER / "styles" / f"{name}.css" for name in STYLE_SHEETS],
        head=f"<script>{read_script('message_stream')}\n{read_script('page')}\n{language_script()}</script>",
        app_kwargs={"routes": [*routes, *page_routes()], "middleware": [middleware]},
        i18n=translate_page(page),
        max_file_size=limits.max_bytes,
        max_threads=MAX_EVENTS,
        state_session_capacity=MAX_SESSIONS,
        allowed_paths=[str(EXAMPLES_FOLDER)],
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        prevent_thread_lock=True,
        **{"quiet": True, **launch},
    )
    if stays:
        for url in filter(None, served[1:]):
            print(f"The app runs on {url}", flush=True)
        if in_browser:
            open_browser(served[1])
        page.block_thread()
    return served


def page_routes() -> list[Route]:
    """The routes that the page needs besides those of Gradio.

    The last two answer what Gradio's page about the endpoints asks for and this app does not offer. Without them, its
    console shows a 403 and a 404: no statistics of calls, and no MCP server, which the page concludes from any answer
    that has no success status.
    """
    return [
        plotly_route(),
        languages_route(),
        Route("/monitoring/summary", lambda request: JSONResponse({"functions": {}})),
        Route("/gradio_api/mcp/schema", lambda request: Response(status_code=304)),
    ]


def _build_theme() -> gr.themes.Base:
    """Build a theme of warm greys with one accent. It uses system fonts, because web fonts would be downloaded."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        secondary_hue=gr.themes.colors.stone,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=SANS_FONTS,
        font_mono=MONO_FONTS,
    )


def _connect_tabs(edit: EditWidgets, correlation: CorrelationWidgets, tabs: gr.Tabs) -> None:
    """Let a button of an edit's result open the Correlation tab and start the comparison."""
    files = [correlation.source, correlation.generated, correlation.pairing]
    copied = edit.analyze.click(None, None, files, js=COMPARED_FILES, **HIDDEN)
    opened = copied.then(lambda: gr.Tabs(selected="correlation"), None, [tabs], **HIDDEN)
    opened.then(None, js=CLICK_COMPARE, **HIDDEN)

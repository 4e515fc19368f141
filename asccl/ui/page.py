"""The page of the app: its tabs around an editor, and how it is served without contacting other servers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.routing import BaseRoute

from asccl.ui.charts import plotly_route
from asccl.ui.comparison_handlers import ComparisonHandlers
from asccl.ui.components import UI_FOLDER, read_text, text_widget
from asccl.ui.correlation_tab import CorrelationWidgets, build_correlation_tab, connect_correlation_tab
from asccl.ui.edit_handlers import EditHandlers, EditorProtocol
from asccl.ui.edit_tab import HIDDEN, connect_edit_tab
from asccl.ui.edit_widgets import EditWidgets, build_edit_tab
from asccl.ui.evaluation_tab import build_evaluation_tab, connect_evaluation_tab
from asccl.ui.examples import EXAMPLES_FOLDER
from asccl.ui.limits import WEB_LIMITS
from asccl.video import EncodeSettings
from asccl.video.limits import Limits

WEB_ENCODING = EncodeSettings(for_browsers=True)
TITLE = "ASCCL: change the emotion, keep the speech"
CACHE_CLEANING = (600, 3600)  # seconds: interval between two cleanings, age at which a file is deleted
SANS_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO_FONTS = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")
CLICK_COMPARE = "() => setTimeout(() => document.getElementById('compare-two').click(), 50)"


def build_page(editor: EditorProtocol, limits: Limits = WEB_LIMITS, folder: Path | None = None) -> gr.Blocks:
    """Build the app around an editor.

    Args:
        editor: does the edits and previews.
        limits: of uploads.
        folder: where jobs create their temporary folders, outside Gradio's own; None takes the system's place.

    Returns:
        The page, to be launched by `serve`.
    """
    edit_handlers, comparison_handlers = EditHandlers(editor, limits, folder), ComparisonHandlers(limits, folder)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=CACHE_CLEANING) as page:
        text_widget(read_text("intro"), elem_id="intro")
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Edit"):
                edit = build_edit_tab(limits)
            with gr.Tab("Correlation", id="correlation"):
                correlation = build_correlation_tab(limits)
            with gr.Tab("Evaluation", id="evaluation"):
                evaluation = build_evaluation_tab()
            with gr.Tab("About"):
                text_widget(read_text("about"), elem_id="about")
        connect_edit_tab(edit, edit_handlers)
        connect_correlation_tab(correlation, comparison_handlers)
        connect_evaluation_tab(evaluation)
        _connect_tabs(edit, correlation, tabs)
        page.unload(edit_handlers.stop_jobs)
        page.unload(comparison_handlers.stop_jobs)
    page.queue(max_size=32, default_concurrency_limit=4)
    return page


def serve(page: gr.Blocks, routes: Sequence[BaseRoute] = (), limits: Limits = WEB_LIMITS, **launch: Any) -> Any:
    """Launch the page.

    Args:
        page: the page, from `build_page`.
        routes: URLs that are served before those of the page.
        limits: of uploads.
        launch: further arguments of `gr.Blocks.launch`.

    Returns:
        What `gr.Blocks.launch` returns.
    """
    return page.launch(
        theme=_build_theme(),
        css_paths=[UI_FOLDER / "theme.css", UI_FOLDER / "correlation.css", UI_FOLDER / "evaluation.css"],
        app_kwargs={"routes": [*routes, plotly_route()]},
        max_file_size=limits.max_bytes,
        allowed_paths=[str(EXAMPLES_FOLDER)],
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        **launch,
    )


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
    edit.analyze.click(
        lambda source, video: (source, video, "time", gr.Tabs(selected="correlation")),
        [edit.source, edit.video],
        [correlation.source, correlation.generated, correlation.pairing, tabs],
        **HIDDEN,
    ).then(None, js=CLICK_COMPARE, **HIDDEN)

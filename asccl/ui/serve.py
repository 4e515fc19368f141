"""How the page is served: looks, limits, and nothing that leaves this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from starlette.routing import BaseRoute

from asccl.ui.charts import plotly_js
from asccl.ui.components import HERE
from asccl.ui.examples import FOLDER
from asccl.ui.limits import WEB_LIMITS
from asccl.video.limits import Limits

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Warm greys with one accent, system fonts only: a web font would be fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        secondary_hue=gr.themes.colors.stone,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=SANS,
        font_mono=MONO,
    )


def serve(page: gr.Blocks, limits: Limits = WEB_LIMITS, routes: Sequence[BaseRoute] = (), **launch: Any) -> Any:
    """Launches the page. routes: served before the page's own addresses. `launch` goes to `gr.Blocks.launch`."""
    return page.launch(
        theme=theme(),
        css_paths=[HERE / "theme.css", HERE / "correlation.css"],
        app_kwargs={"routes": [*routes, plotly_js()]},
        max_file_size=limits.max_bytes,
        allowed_paths=[str(FOLDER)],
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        **launch,
    )

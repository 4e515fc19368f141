"""The app as a program: its folder of temporary files, its editor, and its page until somebody stops it."""

from __future__ import annotations

import os

from asccl.ui.lifetimes import swept, temporary_folder


def run_app(host: str, port: int, *, in_browser: bool = False, share: bool = False) -> None:
    """Serve the app until the program is stopped. Its temporary files are deleted at the end.

    Args:
        host: address to listen on.
        port: port to listen on.
        in_browser: whether to open the page in this machine's browser, if there is one.
        share: whether to make a public link of Gradio.
    """
    with temporary_folder() as folder, swept(folder / "uploads"):
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")  # before gradio is imported
        from asccl.editing.threads import limit_threads
        from asccl.study.web.serve import study_routes
        from asccl.ui.gpu import create_editor
        from asccl.ui.listeners import Listeners
        from asccl.ui.memory import limit_fragmentation
        from asccl.ui.page import WEB_ENCODING, build_page, serve

        limit_threads()
        limit_fragmentation()
        editor, listeners = create_editor(WEB_ENCODING), Listeners()
        page = build_page(editor, listeners, folder=folder)
        serve(page, listeners, study_routes(editor), (host, port), in_browser=in_browser, share=share)

"""The study pages as an app of their own, beside Gradio's or alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Route

from asccl.errors import AscclError
from asccl.study import mirror, store
from asccl.study.edits import CanEdit
from asccl.study.store import Store
from asccl.study.web.admin import Admin
from asccl.study.web.guard import Guard
from asccl.study.web.pages import Pages

ADMIN = "/study/admin"


class Opener:
    """Opens the store when it is needed first. make: also where there is none yet."""

    def __init__(self, make: bool):
        self._make, self._lock = make, threading.Lock()
        self._store: Store | None = None

    def __call__(self) -> Store | None:
        with self._lock:
            if self._store is None and (self._make or store.exists()):
                opened = Store()
                mirror.start(opened)
                self._store = opened
            return self._store


def pages(opened: Callable[[], Store | None], editor: CanEdit | None = None) -> Guard:
    """All study pages, guarded."""
    routes = [*Pages(opened).routes(), *Admin(opened, editor).routes()]
    return Guard(Starlette(routes=routes), uploads=f"{ADMIN}/make")


def study_routes(editor: CanEdit | None = None) -> list[Route]:
    """Routes that stand before Gradio's own; nothing of the app links to them."""
    make = any(name in os.environ for name in ("ASCCL_STUDY_SECRET", "SPACE_ID"))
    opened = Opener(make)
    if make:
        announce(opened, "")
    guarded = pages(opened, editor)
    return [Route("/study", guarded), Route("/study/{rest:path}", guarded)]


def serve_standalone(host: str, port: int, root_path: str = "") -> None:
    """Serves the study pages and nothing else, until it is stopped. Needs no gradio."""
    import uvicorn

    opened = Opener(make=True)
    announce(opened, f"http://{host}:{port}{root_path}")
    uvicorn.run(
        pages(opened), host=host, port=port, root_path=root_path, log_level="warning", access_log=False,
        server_header=False, lifespan="off",
    )  # fmt: skip


def announce(opened: Callable[[], Store | None], address: str) -> None:
    """Where the administrator's page is; and the secret, once, where there was none."""
    try:
        found = opened()
    except AscclError as error:
        raise SystemExit(f"asccl: {error}") from None
    print(f"Study administration: {address}{ADMIN}", flush=True)
    if found is not None and found.secret_hash() is None:
        print(f"Its secret, shown only this once: {found.new_secret()}", flush=True)

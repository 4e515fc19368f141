"""The app of the study pages, mounted beside Gradio's routes or served alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Route

from asccl.errors import AscclError
from asccl.study.clip_folders import remove_abandoned_folders
from asccl.study.edits import ClipEditor
from asccl.study.hub_backup import start_hub_backup
from asccl.study.store import Store, store_exists
from asccl.study.web.admin import ADMIN_PATH, UPLOAD_PATH, AdminPages
from asccl.study.web.limiters import StudyLimiters
from asccl.study.web.middleware import StudyMiddleware, log, respond_to_failure
from asccl.study.web.participant import ParticipantPages
from asccl.web.hosts import trust_known_proxies


class LazyStore:
    """Opens the store at its first use.

    Args:
        create: create a store where there is none yet.
    """

    def __init__(self, create: bool):
        self._create, self._lock = create, threading.Lock()
        self._store: Store | None = None

    def __call__(self) -> Store | None:
        """Return the store; None where there is none."""
        with self._lock:
            if self._store is None and (self._create or store_exists()):
                store = Store()
                for folder in remove_abandoned_folders(store):
                    log.warning("%s belongs to no study of this store: delete it if no other store uses it", folder)
                start_hub_backup(store)
                self._store = store
            return self._store


def build_app(
    open_store: Callable[[], Store | None],
    editor: ClipEditor | None = None,
    limiters: StudyLimiters | None = None,
) -> StudyMiddleware:
    """Return the app of all study pages.

    Args:
        open_store: returns the store; None where there is none yet.
        editor: renders the clips of studies made from edits; None leaves these out.
        limiters: limits on the number of requests; None for the default ones.
    """
    limiters = limiters or StudyLimiters()
    routes = [
        *ParticipantPages(open_store, limiters).routes(),
        *AdminPages(open_store, limiters.logins, editor).routes(),
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: respond_to_failure})
    return StudyMiddleware(app, UPLOAD_PATH)


def study_routes(editor: ClipEditor | None = None) -> list[Route]:
    """Return routes of the study pages to put before Gradio's own; nothing in the app links to them."""
    create = any(name in os.environ for name in ("ASCCL_STUDY_SECRET", "SPACE_ID"))
    open_store = LazyStore(create)
    if create:
        print_admin_access(open_store, "")
    app = build_app(open_store, editor)
    return [Route("/study", app), Route("/study/{rest:path}", app)]


def serve_standalone(host: str, port: int, root_path: str = "") -> None:
    """Serve the study pages alone, without gradio, until the process is stopped.

    Args:
        host: address to listen on.
        port: port to listen on.
        root_path: path that a proxy puts before all addresses.
    """
    import uvicorn

    trust_known_proxies()
    open_store = LazyStore(create=True)
    print_admin_access(open_store, f"http://{host}:{port}{root_path}")
    uvicorn.run(
        build_app(open_store),
        host=host,
        port=port,
        root_path=root_path,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
    )


def print_admin_access(open_store: Callable[[], Store | None], address: str) -> None:
    """Print the address of the administrator's page, and a new secret where there is none."""
    try:
        store = open_store()
    except AscclError as error:
        raise SystemExit(f"asccl: {error}") from None
    print(f"Study administration: {address}{ADMIN_PATH}", flush=True)
    if store is not None and store.secret_hash() is None:
        print(f"Its secret, shown only this once: {store.new_secret()}", flush=True)

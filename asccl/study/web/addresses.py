"""The address of the server that links begin with."""

from __future__ import annotations

import os

from starlette.requests import Request

from asccl.web.hosts import HOSTS_VARIABLE, is_trusted_host, trusted_names

DEFAULT_URL = "http://127.0.0.1:7860"
URL_VARIABLE = "ASCCL_STUDY_URL"


def public_url() -> str:
    """Return the address of the app for links that are created without a browser.

    It is `ASCCL_STUDY_URL`, on a Space the Space's own, otherwise the first name of `ASCCL_HOSTS`, otherwise this
    machine.
    """
    if url := os.environ.get(URL_VARIABLE):
        return url
    names = [os.environ.get("SPACE_HOST", "") if "SPACE_ID" in os.environ else ""]
    names += [name.strip() for name in os.environ.get(HOSTS_VARIABLE, "").split(",")]
    name = next((name for name in names if name and not name.startswith("*")), "")
    return f"https://{name}" if name else DEFAULT_URL


def link_root(request: Request) -> str:
    """Return the address that links begin with, as a browser reaches this server.

    `X-Forwarded-Host` counts only for a name of this server, so that nobody can forge the links that an administrator
    copies; uvicorn has checked `X-Forwarded-Proto` before. Where `ASCCL_STUDY_URL` is set, it is used instead.
    """
    if url := os.environ.get(URL_VARIABLE):
        return f"{url.rstrip('/')}/study"
    forwarded = request.headers.get("x-forwarded-host", "").split(",")[0].strip()
    is_own = bool(forwarded) and is_trusted_host(forwarded, tuple(n for n in trusted_names() if n != "*"))
    host = forwarded if is_own else request.headers.get("host", "")
    prefix = request.scope.get("root_path", "").rstrip("/")
    scheme = "https" if request.url.scheme == "https" else "http"
    return f"{scheme}://{host}{prefix}/study"

"""Which names a server answers to.

A page on another server can let its own name resolve to 127.0.0.1 and then read an app that runs on the visitor's
machine (DNS rebinding). A server that refuses names it does not know is safe from that. A numeric address in the `Host`
header was not resolved by anybody, so it is always accepted.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from urllib.parse import urlsplit

HOSTS_VARIABLE = "ASCCL_HOSTS"  # further names, separated by commas; "*.example.org" accepts its subdomains, "*" all
LOOPBACK_NAMES = ("localhost", "testserver")
PROXY_VARIABLE = "FORWARDED_ALLOW_IPS"  # uvicorn's: proxies whose X-Forwarded-For is believed
SPACE_ORIGINS = "https://huggingface.co https://*.hf.space"  # show the pages of a Space in a frame
SPACE_PROXIES = "127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"  # the router of Hugging Face Spaces


def is_space() -> bool:
    """Return whether the program runs as a Hugging Face Space."""
    return "SPACE_ID" in os.environ


def trusted_names(host: str = "", share: bool = False) -> tuple[str, ...]:
    """Return the names that a server answers to, in lower case.

    Args:
        host: on which the server listens.
        share: whether Gradio's tunnel leads to the server.

    Returns:
        The names of this machine, those that Hugging Face gives a Space, and those of `ASCCL_HOSTS`.
    """
    names = [*LOOPBACK_NAMES, host, socket.gethostname(), socket.getfqdn(), f"{socket.gethostname()}.local"]
    names += [os.environ.get("SPACE_HOST", "*.hf.space")] if is_space() else []
    names += ["*.gradio.live"] if share else []
    names += os.environ.get(HOSTS_VARIABLE, "").split(",")
    return tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))


def is_trusted_host(header: str, names: tuple[str, ...]) -> bool:
    """Check the `Host` header of a request.

    Args:
        header: name or numeric address, with or without a port.
        names: see `trusted_names`.
    """
    try:
        name = (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if "*" in names or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return any(pattern.startswith("*.") and name.endswith(pattern[1:]) for pattern in names)
    return True


def trust_known_proxies() -> None:
    """Let uvicorn believe only proxies that were configured; on a Space, its router. Call it before uvicorn is loaded.

    Without this, a client behind a proxy on this machine chooses its own address with every request.
    """
    os.environ.setdefault(PROXY_VARIABLE, SPACE_PROXIES if is_space() else "")

"""Check the address of a server before anything heavy is loaded, and open it in a browser."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser


def check_port(host: str, port: int) -> str | None:
    """Check whether a server can listen at host and port.

    Returns:
        None, or one line with the problem (port in use, not this machine's address, invalid port) and its remedy.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address[0], port, *address[2:]))
    except OverflowError:
        return f"there is no port {port}: choose one from 1024 to 65535 with --port"
    except OSError as error:
        problem = f"cannot listen on port {port} of {host} ({error.strerror})"
        return f"{problem}: stop the program that uses it, or choose another with --port or --host"
    return None


def open_browser(url: str) -> bool:
    """Open an address in the browser of this machine. Returns whether there is one with windows."""
    has_windows = sys.platform in ("darwin", "win32") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    return has_windows and webbrowser.open(url)

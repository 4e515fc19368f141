"""Where a server may listen, asked before anything heavy is loaded."""

from __future__ import annotations

import socket


def check_port(host: str, port: int) -> str | None:
    """One line with the remedy where nobody can listen at host and port: taken, not of this machine, no port at all."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((place[0], port, *place[2:]))
    except OverflowError:
        return f"there is no port {port}: choose one from 1024 to 65535 with --port"
    except OSError as error:
        why = f"cannot listen on port {port} of {host} ({error.strerror})"
        return f"{why}: stop the program that has it, or choose another with --port or --host"
    return None

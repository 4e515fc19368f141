"""Refuse connections of a Python program to other machines, and record them: PYTHONPATH names this folder.

Python imports a module of this name when it starts. What native libraries do without Python is not seen here; see
`benchmarks/offline.py`.
"""

import ipaddress
import os
import socket
import sys
from typing import Any

LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
TRANSFERS = ("socket.connect", "socket.sendto", "socket.sendmsg")
LOG = os.environ.get("ASCCL_CONNECTION_LOG", os.devnull)
LOCAL_NAMES = ("", "localhost", socket.gethostname())


def is_local(host: Any) -> bool:
    """Whether a name or numeric address is that of this machine; a socket of the file system has none."""
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook of the interpreter. Raises ConnectionRefusedError for other machines."""
    if event in TRANSFERS and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in LOOK_UPS:
        host = arguments[0]
    else:
        return
    if not is_local(host):
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{event} {host}\n")
        raise ConnectionRefusedError(f"{event} {host} is refused")


sys.addaudithook(refuse)

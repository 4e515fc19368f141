"""Count the attempts to reach other machines in an edit, an inspection and a visit of the app.

Every program runs with `benchmarks/guard`, which refuses and records what Python sends to other machines. Where the
system permits (`unshare`), all of it runs in a network namespace that has loopback alone; the kernel then also counts
what native libraries try. A deliberate attempt shows first that both counts work.

    python -m benchmarks.offline [--port N] [--json FILE]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.report import print_rows
from benchmarks.space import CLIP, ROOT, run_app, visit

GUARD = Path(__file__).parent / "guard"
LOG_VARIABLE = "ASCCL_CONNECTION_LOG"
NAMESPACE = ["unshare", "--map-root-user", "--net"]
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1  # of an interface (SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP)
ATTEMPT = """\
import ctypes, socket
for family, address in (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"):
    try:
        socket.socket(family).connect((address, 9))
    except OSError:
        pass
libc, packed = ctypes.CDLL(None), bytes([2, 0, 0, 9, 192, 0, 2, 1]) + bytes(8)
libc.connect(libc.socket(2, 1, 0), packed, len(packed))
"""  # by Python, and without it


def guarded_settings(log: Path) -> dict[str, str]:
    """Return the variables of a program whose connections to other machines are refused, and recorded in `log`."""
    return {"PYTHONPATH": str(GUARD), LOG_VARIABLE: str(log)}


def read_attempts(log: Path) -> list[str]:
    """Return what was recorded, a line per attempt."""
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def unrouted_packets() -> int:
    """Count what the kernel could not send because this network namespace has no route for it."""
    network = Path("/proc/net")
    names, values = (line.split() for line in (network / "snmp").read_text().splitlines() if line.startswith("Ip:"))
    count = int(values[names.index("OutNoRoutes")])
    for line in (network / "snmp6").read_text().splitlines():
        name, value = line.split()
        count += int(value) if name == "Ip6OutNoRoutes" else 0
    return count


def is_namespace_permitted() -> bool:
    """Whether this system lets a program have a network of its own."""
    if shutil.which(NAMESPACE[0]) is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0


def start_loopback() -> None:
    """Start the loopback interface of a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack("16sh", fcntl.ioctl(control, GET_FLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sh", b"lo", flags | UP))


def run_guarded(arguments: list[str | Path], log: Path, settings: Mapping[str, str]) -> None:
    """Run Python with the guard.

    Args:
        arguments: of Python.
        log: for attempts.
        settings: further variables.
    """
    environment = {**os.environ, **guarded_settings(log), **settings}
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def measure(folder: Path, port: int, has_namespace: bool) -> dict[str, float | str]:
    """Count attempts of each step: by Python, and in a namespace by the kernel.

    Args:
        folder: for outputs.
        port: of the app.
        has_namespace: whether this process has a network of its own.
    """
    row: dict[str, float | str] = {"network namespace": "loopback alone" if has_namespace else "not permitted here"}
    home, output = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}, folder / "happy.mp4"

    def visit_app(log: Path) -> None:
        start = [sys.executable, "app.py", "--port", str(port)]
        with run_app(start, ROOT, port, {**guarded_settings(log), **home}) as app:
            visit(app, ROOT / CLIP, adapt=True)

    def command(*arguments: str | Path) -> Callable[[Path], None]:
        return lambda log: run_guarded([*arguments], log, home)

    steps = {
        "deliberate attempts": command("-c", ATTEMPT),
        "edit": command("-m", "asccl", "edit", ROOT / CLIP, "--emotion", "happy", "-o", output),
        "inspect": command("-m", "asccl", "inspect", output),
        "app: start, page, edit": visit_app,
    }
    for name, step in steps.items():
        log, before = folder / f"{name}.log", unrouted_packets()
        step(log)
        attempts = read_attempts(log)
        row[f"{name}, by Python"] = f"{len(attempts)} {' '.join(sorted(set(attempts)))}".strip()
        if has_namespace:
            row[f"{name}, by the kernel"] = str(unrouted_packets() - before)
    return row


def main() -> int:
    """Count and print; 1 if anything but the deliberate attempts was counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=7867)
    parser.add_argument("--json", type=Path, help="append the row to this file as well")
    parser.add_argument("--in-namespace", action="store_true", help="this process has a network of its own already")
    arguments = parser.parse_args()
    if not arguments.in_namespace and is_namespace_permitted():
        command = [*NAMESPACE, sys.executable, "-m", "benchmarks.offline", "--in-namespace", *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    if arguments.in_namespace:
        start_loopback()
    with tempfile.TemporaryDirectory(prefix="asccl-offline-") as folder:
        # of the visitor, `gradio_client`, which shares the network of the app
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        row = measure(Path(folder), arguments.port, arguments.in_namespace)
    print_rows("offline", row, arguments.json)
    counts = [str(value).split()[0] for name, value in row.items() if ", by " in name and "deliberate" not in name]
    return int(set(counts) != {"0"})


if __name__ == "__main__":
    sys.exit(main())

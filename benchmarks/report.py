"""How a benchmark tells its numbers: a table for people, a JSON line for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path


def print_rows(name: str, rows: Mapping[str, float | str], to: Path | None = None) -> None:
    """Prints the rows and the machine; appends the JSON line to the file `to` as well."""
    for label, value in rows.items():
        print(f"  {label:58} {value if isinstance(value, str) else format(value, '10.3f')}")
    line = json.dumps({"benchmark": name, **rows, "machine": machine()})
    print(line, flush=True)
    if to is not None:
        with to.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def machine() -> str:
    """Processor and the number of cores that we may use."""
    return f"{cores()} cores of {_processor()}"


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()

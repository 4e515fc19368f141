"""Print the numbers of a benchmark: a table for people, a JSON line for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path


def print_rows(name: str, rows: Mapping[str, float | str], json_file: Path | None = None) -> None:
    """Print a table of rows, then all of them with the machine as a JSON line.

    Args:
        name: of the benchmark.
        rows: label -> number or text.
        json_file: file to which the JSON line is appended as well.
    """
    for label, value in rows.items():
        print(f"  {label:58} {format_value(value)}")
    line = json.dumps({"benchmark": name, **rows, "machine": describe_machine()})
    print(line, flush=True)
    if json_file is not None:
        with json_file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def format_value(value: float | str) -> str:
    """Format a value of a row: whole numbers without decimals, other numbers with three, text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:10d}" if isinstance(value, int) else f"{value:10.3f}"


def describe_machine() -> str:
    """Describe the processor and the number of cores that this process may use."""
    return f"{count_cores()} cores of {_processor_name()}"


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()

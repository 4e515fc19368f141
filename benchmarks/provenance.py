"""How long signing and inspecting take: `python -m benchmarks.provenance [--sizes MB ...]`.

A video of the wanted size is made of the bundled clip and a box of random bytes, which the signature covers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from asccl.files import bundled_folder
from asccl.provenance.inspection import inspect_file
from asccl.provenance.signer import EditSigner
from asccl.types import EditRequest

SIZES = (1, 5, 50)  # MB
MB = 2**20
REPETITIONS = 5


def write_video(path: Path, size: int) -> None:
    """Write a playable MP4 of `size` bytes."""
    clip = (bundled_folder("examples") / "rendered.mp4").read_bytes()
    padding = max(size - len(clip) - 8, 0)
    path.write_bytes(clip + (padding + 8).to_bytes(4, "big") + b"mdat" + os.urandom(padding))


def time_of(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds that a call takes: on the clock, and of the processor, which other programs disturb less."""
    start, processor_start = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - processor_start)


def sign(path: Path, source: Path) -> None:
    """Sign a file as the output of an edit of `source`. Raises RuntimeError where it stays unsigned."""
    signer = EditSigner(EditRequest(source=source, emotion="happy"))
    signer(path)
    if not signer.report()["signed"]:
        raise RuntimeError(signer.report()["reason"])


def measure(folder: Path, megabytes: int) -> dict[str, float]:
    """Measure signing (the hash of the source included) and inspecting, medians in milliseconds."""
    signing, inspecting = [], []
    for repetition in range(REPETITIONS):
        source, output = folder / f"source{repetition}.mp4", folder / "output.mp4"
        for path in (source, output):
            write_video(path, megabytes * MB)
        signing.append(time_of(partial(sign, output, source)))
        inspecting.append(time_of(partial(inspect_file, output)))
        source.unlink()
    row: dict[str, float] = {"size_mb": megabytes}
    for name, times in (("sign", signing), ("inspect", inspecting)):
        wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
        row |= {f"{name}_ms": round(wall, 1), f"{name}_cpu_ms": round(processor, 1)}
    return row


def main(arguments: list[str] | None = None) -> None:
    """Print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="MB")
    sizes = parser.parse_args(arguments).sizes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CONFIG_HOME"] = name  # a key of its own
        write_video(folder / "first.mp4", MB)
        first, first_cpu = time_of(partial(sign, folder / "first.mp4", folder / "first.mp4"))
        rows = [measure(folder, megabytes) for megabytes in sizes]
    print(
        f"first file of a process, with loading the library and making a key: {first:.0f} ms, CPU {first_cpu:.0f} ms",
        file=sys.stderr,
    )
    print("| file | sign | CPU | inspect | CPU |\n|---|---|---|---|---|")
    for row in rows:
        times = [f"{row[name]:.0f} ms" for name in ("sign_ms", "sign_cpu_ms", "inspect_ms", "inspect_cpu_ms")]
        print("|", " | ".join([f"{row['size_mb']} MB", *times]), "|")
    print(json.dumps({"first_ms": round(first, 1), "first_cpu_ms": round(first_cpu, 1), "rows": rows}))


if __name__ == "__main__":
    main()

"""Measure how long signing an output and inspecting it take.

    python -m benchmarks.provenance [--sizes MB ...] [--json FILE]

A video of each size is made of the bundled clip and a box of random bytes, which the signature covers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from asccl.files import bundled_folder
from asccl.provenance.inspection import inspect_file
from asccl.provenance.signer import EditSigner
from asccl.types import EditRequest
from benchmarks.report import print_rows

SIZES = (1, 5, 50)  # MB
MB = 2**20
REPETITIONS = 5


def write_video(path: Path, size: int) -> None:
    """Write a playable MP4 of `size` bytes."""
    clip = (bundled_folder("examples") / "rendered.mp4").read_bytes()
    padding = max(size - len(clip) - 8, 0)
    path.write_bytes(clip + (padding + 8).to_bytes(4, "big") + b"mdat" + os.urandom(padding))


def measure_milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Measure the milliseconds of a call: on the clock, and of the processor, which other programs disturb less."""
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
        signing.append(measure_milliseconds(partial(sign, output, source)))
        inspecting.append(measure_milliseconds(partial(inspect_file, output)))
        source.unlink()
    row: dict[str, float] = {}
    for name, times in (("sign", signing), ("inspect", inspecting)):
        clock, processor = (statistics.median(column) for column in zip(*times, strict=True))
        row |= {f"{megabytes} MB: {name}, ms": clock, f"{megabytes} MB: {name}, CPU ms": processor}
    return row


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="MB", help="of the videos")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CONFIG_HOME"] = name  # a key of its own
        write_video(folder / "first.mp4", MB)
        first, first_cpu = measure_milliseconds(partial(sign, folder / "first.mp4", folder / "first.mp4"))
        rows = {"first signature, with loading the library and making a key, ms": first, "the same, CPU ms": first_cpu}
        for megabytes in arguments.sizes:
            rows |= measure(folder, megabytes)
    print_rows("provenance", rows, arguments.json)


if __name__ == "__main__":
    main()

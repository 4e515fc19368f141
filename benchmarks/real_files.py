"""Measure frames, length and sync of copies of files with jumping clocks, wrong headers and changing or rare sound.

python -m benchmarks.real_files [--before CHECKOUT] [--json FILE]

Each clip has a flash and a beep once in each second. It is read and written as in an edit that changes nothing, and the
copy is measured as a plain player shows it. `--before` adds the same for the code of another checkout of this project.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import print_rows
from benchmarks.sync_clips import CLIPS
from benchmarks.sync_measure import measure_sync

ROOT = Path(__file__).parent.parent
TIMEOUT = 120  # seconds for one copy
COPY_PROGRAM = """
import sys
from pathlib import Path
from asccl.video import Reader, open_writer, sample_frames

source, target = map(Path, sys.argv[1:])
try:
    with Reader(source) as reader, open_writer(target, reader.info, source) as writer:
        for frame in reader:
            writer.write(frame)
    print(len(sample_frames(source, 4)))
except Exception as error:
    raise SystemExit(f"{type(error).__name__}: {error}")
"""


def copy_with(checkout: Path, source: Path, target: Path) -> tuple[int, str]:
    """Copy a clip with the code of a checkout.

    Args:
        checkout: folder of the code.
        source: the clip.
        target: the copy.

    Returns:
        Number of different frames among 4 that are sampled; the error, empty without one.
    """
    done = subprocess.run(
        [sys.executable, "-c", COPY_PROGRAM, str(source), str(target)],
        capture_output=True,
        text=True,
        cwd=checkout,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode:
        return 0, (done.stderr.strip().splitlines() or ["no message"])[-1]
    return int(done.stdout), ""


def describe_copy(checkout: Path, source: Path) -> str:
    """Describe in a few words what a copy shows and plays."""
    target = source.with_name(f"{source.stem}-copy.mp4")
    target.unlink(missing_ok=True)
    samples, error = copy_with(checkout, source, target)
    if error:
        return error[:60]
    measured = measure_sync(target)
    sync = f"{measured.worst:5.1f} ms, {len(measured.offsets)} beeps" if measured.offsets else "no sound"
    return f"{measured.frames:3} frames, {measured.seconds:6.2f} s, {sync}, {samples} sampled"


def main() -> None:
    """Measure all clips and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="another checkout, to compare with")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to which the result is appended")
    arguments = parser.parse_args()
    rows: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, (ending, write)) in enumerate(CLIPS.items()):
            source = write(Path(folder, f"{number}.{ending}"))
            if arguments.before is not None:
                rows[f"{kind}, before"] = describe_copy(arguments.before, source)
            rows[kind] = describe_copy(ROOT, source)
    print_rows("real files", rows, arguments.json)


if __name__ == "__main__":
    main()

"""CPU seconds of `import asccl`, and of the first help page: `python -m benchmarks import`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.report import print_rows

RUNS = 5
CODE = """
import time
before = time.process_time()
{code}
after = time.process_time()
print(after - before)
"""


def cpu_seconds(code: str) -> float:
    """Median over fresh processes, the interpreter's own start left out."""
    command = [sys.executable, "-c", CODE.format(code=code)]
    root = Path(__file__).parent.parent
    times = [
        float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.split()[-1])
        for _ in range(RUNS)
    ]
    return sorted(times)[RUNS // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    rows = {
        "import asccl, CPU seconds": cpu_seconds("import asccl"),
        "from asccl import Editor, CPU seconds": cpu_seconds("from asccl import Editor"),
    }
    print_rows("import", rows, arguments.json)


if __name__ == "__main__":
    main()

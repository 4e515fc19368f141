"""Measure the CPU seconds of `import asccl`, of importing the editor, and of building the command line's parser.

python -m benchmarks import [--json FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.report import print_rows

RUNS = 5
MEASURED_CODE = {
    "import asccl, CPU seconds": "import asccl",
    "from asccl import Editor, CPU seconds": "from asccl import Editor",
    "build the command line's parser, CPU seconds": "from asccl.__main__ import build_parser; build_parser()",
}
PROGRAM = """
import time
start = time.process_time()
{code}
print(time.process_time() - start)
"""


def median_cpu_seconds(code: str) -> float:
    """Measure the CPU seconds of a piece of code: the median over fresh processes, without the interpreter's start."""
    command = [sys.executable, "-c", PROGRAM.format(code=code)]
    root = Path(__file__).parent.parent
    seconds = [
        float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.split()[-1])
        for _ in range(RUNS)
    ]
    return sorted(seconds)[RUNS // 2]


def main() -> None:
    """Print the CPU seconds of each piece of code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    rows = {label: median_cpu_seconds(code) for label, code in MEASURED_CODE.items()}
    print_rows("import", rows, arguments.json)


if __name__ == "__main__":
    main()

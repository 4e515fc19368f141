"""Run benchmarks, each in a process of its own.

The benchmarks are the modules of this folder that have a function `main`; the first line of their docstring describes
them. `python -m benchmarks.MODULE --help` lists the arguments of one of them.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SHORT_NAMES = {"start_up": "import"}  # the others are named after their module, with hyphens
REQUIRES_ARGUMENTS = (
    "blind-trial",
    "container",
    "evaluation-peer",
    "fingerprint",
    "install",
    "manipulator-alone",
    "metric",
    "metric-heads",
    "screenshots",
    "space",
)  # run only as `python -m benchmarks.MODULE ...`


def find_benchmarks() -> dict[str, tuple[str, str]]:
    """Find the benchmarks of this folder: name -> (module, description)."""
    benchmarks = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if path.stem != "__main__" and "main" in functions:
            description = (ast.get_docstring(tree) or "").partition("\n")[0]
            name = SHORT_NAMES.get(path.stem, path.stem.replace("_", "-"))
            benchmarks[name] = (path.stem, description)
    return benchmarks


def format_list(benchmarks: dict[str, tuple[str, str]]) -> str:
    """Format names and descriptions as the last part of the help."""
    rows = [
        f"  {name:18}{description}{' (requires arguments)' if name in REQUIRES_ARGUMENTS else ''}"
        for name, (_, description) in benchmarks.items()
    ]
    return "\n".join(["benchmarks:", *rows])


def main() -> int:
    """Run the benchmarks that are named, by default all that need no arguments. Returns the highest exit status."""
    benchmarks = find_benchmarks()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=format_list(benchmarks),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that require no arguments")
    parser.add_argument("--clip", type=Path, help="talking clip for `edit`; default: one made from the bundled example")
    parser.add_argument("--json", type=Path, help="append the JSON lines to this file as well")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in benchmarks:
            parser.error(f"there is no benchmark {name!r}; choose from {', '.join(benchmarks)}")
        if name in REQUIRES_ARGUMENTS:
            parser.error(f"{name} requires arguments: see `python -m benchmarks.{benchmarks[name][0]} --help`")
    status = 0
    for name in arguments.names or [name for name in benchmarks if name not in REQUIRES_ARGUMENTS]:
        command = [sys.executable, "-m", f"benchmarks.{benchmarks[name][0]}"]
        if name == "edit" and arguments.clip:
            command += ["--clip", str(arguments.clip)]
        if arguments.json:
            command += ["--json", str(arguments.json)]
        print(f"== {name}", flush=True)
        status = max(status, subprocess.run(command, cwd=FOLDER.parent, check=False).returncode)
    return status


if __name__ == "__main__":
    raise SystemExit(main())

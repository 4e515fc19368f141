"""`asccl import-weights`: convert a checkpoint that others published into a safetensors file."""

from __future__ import annotations

import argparse
from pathlib import Path

from asccl.interop.kinds import KINDS

SUMMARY = """\
Convert a published checkpoint into a safetensors file for this program. You provide the checkpoint and comply with its
licence. Names and shapes are checked; nothing in the checkpoint is executed. The output file appears complete or not
at all.
"""
NAME_WIDTH = max(map(len, KINDS))
EXAMPLES = f"""\
kinds:
{"".join(f"  {kind.name:{NAME_WIDTH}}  {kind.description}" + chr(10) for kind in KINDS.values())}
examples:
  %(prog)s scc metric.pth -o scc-iresnet50.safetensors
  %(prog)s icface latest_net_G.pth latest_net_GN.pth -o icface.safetensors
  %(prog)s arcface w600k_r50.onnx -o arcface.safetensors   # pip install -e '.[import]' first
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `import-weights` and its arguments."""
    parser = subparsers.add_parser(
        "import-weights", help="convert a published checkpoint", description=SUMMARY, epilog=EXAMPLES
    )
    parser.add_argument("kind", metavar="KIND", help="kind of the checkpoint; listed below")
    parser.add_argument("files", nargs="+", metavar="FILE", help="the checkpoint; the kind icface has two files")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.safetensors", help="file to write")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert one checkpoint and print what was changed. Returns the exit status."""
    from asccl.interop.kinds import import_weights

    output = Path(arguments.output)
    notes = import_weights(arguments.kind, [Path(file) for file in arguments.files], output)
    print("\n  ".join([str(output), *notes]))
    return 0

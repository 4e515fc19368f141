"""`asccl protocol`: write the manifest of the paper's test clips of MEAD or RAVDESS, or of clips with four panels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asccl.data.protocols import ProtocolRows, TestProtocol

MAX_LISTED_CLIPS = 10
PANELS = "panels"
SUMMARY = """\
Find the test clips of the paper in a folder of MEAD or RAVDESS by their names, and write a manifest of sources,
references and real videos. `python -m training.tables` edits them, `asccl evaluate` measures the edits.

  intra-id  the source shows the emotion already; the reference shows the same actor (the paper's "Inter-ID")
  cross-id  a neutral source; the reference shows the actor's driver, another actor

With `panels`, ROOT has the folders Inter-ID and Cross-ID with the authors' clips, whose panels are source, reference,
NED and NED + ASCCL; the manifest lists both methods.
"""
EXAMPLES = """\
examples:
  %(prog)s mead /data/MEAD --setting cross-id -o mead-cross.csv
  %(prog)s ravdess /data/RAVDESS --setting intra-id -o ravdess-intra.jsonl
  %(prog)s panels published -o published.csv && asccl evaluate published.csv -o published.jsonl

exit status: 0 done, 2 bad arguments, 3 no test clip in the folder, or files that do not
fit `panels`, 1 any other failure.
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `protocol` and its arguments."""
    parser = subparsers.add_parser(
        "protocol", help="list the paper's test clips of a data set", description=SUMMARY, epilog=EXAMPLES
    )
    parser.add_argument("data", metavar="DATA", choices=("mead", "ravdess", PANELS), help="mead, ravdess or panels")
    parser.add_argument("root", metavar="ROOT", type=Path, help="folder of the data set, with its subfolders")
    parser.add_argument(
        "--setting",
        default="cross-id",
        metavar="NAME",
        help="intra-id or cross-id; default: cross-id; panels have both",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="MANIFEST", help="CSV or JSONL file")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the manifest, and print counts and missing clips. Returns the exit status."""
    from asccl.data.protocols import PROTOCOLS, build_rows
    from asccl.errors import InputError, SettingError
    from asccl.evaluation.manifest import parse_setting, write_evaluation_manifest

    if arguments.data == PANELS:
        return _write_panels_manifest(arguments.root, arguments.output)
    try:
        setting = parse_setting(arguments.setting)
    except InputError as error:
        raise SettingError(error.problem, error.remedy) from error
    protocol = PROTOCOLS[arguments.data]
    selection = build_rows(protocol, arguments.root, setting)
    write_evaluation_manifest(arguments.output, selection.rows)
    speakers = len({row.speaker for row in selection.rows})
    print(f"{arguments.output}: {len(selection.rows)} clips of {speakers} speakers, {setting}")
    _print_frames(protocol, selection, setting)
    for name in selection.missing[:MAX_LISTED_CLIPS]:
        print(f"asccl: {name} is missing: its rows are left out", file=sys.stderr)
    if len(selection.missing) > MAX_LISTED_CLIPS:
        print(f"asccl: {len(selection.missing) - MAX_LISTED_CLIPS} more clips are missing", file=sys.stderr)
    return 0


def _write_panels_manifest(root: Path, output: Path) -> int:
    from asccl.data.panels import panel_rows
    from asccl.evaluation.manifest import write_evaluation_manifest

    rows, left_out = panel_rows(root)
    write_evaluation_manifest(output, rows)
    print(f"{output}: {len({row.id for row in rows})} clips with two methods each")
    for entry in left_out:
        print(f"asccl: {entry}", file=sys.stderr)
    return 3 if left_out else 0


def _print_frames(protocol: TestProtocol, selection: ProtocolRows, setting: str) -> None:
    """Print the number of frames beside that of the authors' scripts."""
    from asccl.data.protocols import paper_frames
    from asccl.types import EMOTIONS
    from asccl.video import probe

    print(f"{'frames (authors)':18}" + "".join(f"{emotion:>14}" for emotion in EMOTIONS))
    frames = {path: probe(path).frames for clips in selection.test_clips.values() for path in clips}
    for actor in protocol.drivers:
        cells = []
        for emotion in EMOTIONS:
            count = sum(frames[path] for path in selection.test_clips[actor, emotion])
            cells.append(f"{f'{count} ({paper_frames(protocol, setting, actor, emotion)})':>14}")
        print(f"{actor:18}" + "".join(cells))

"""Measure manipulators without the rules that protect speech in an edit, as the ablation measures them.

    python -m benchmarks.manipulator_alone FILE ... [--sequences 100] [--json FILE]

Synthetic speakers that are in no training set say the same words with two emotions; 40 frames are edited in the style
of the other 40. For each file: correlation of the lip opening with that of the ground truth, mean distance of the lip
landmarks in percent of the eye distance and of the coefficients, and the share of edits whose style is closest to the
mean style of the target emotion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from asccl.morphable.anny_head import load_anny_head
from asccl.zoo import load_manipulator
from benchmarks.report import print_rows
from training.ablation.manipulator_alone import measure_manipulator, synthetic_coefficient_cases


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    head, cases = load_anny_head(), synthetic_coefficient_cases(0, arguments.sequences)
    for file in arguments.files:
        values = measure_manipulator(load_manipulator(file), cases, head)
        print_rows("manipulator_alone", {"file": file.stem, **values}, arguments.json)


if __name__ == "__main__":
    main()

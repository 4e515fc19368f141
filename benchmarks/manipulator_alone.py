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

import torch

from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_manipulator import encode_style, translate
from asccl.synthetic.emotions import MAX_COEFFICIENT
from asccl.zoo import load_manipulator
from benchmarks.manipulator import EDITED_FRAMES
from benchmarks.report import print_rows
from training.ablation.metrics import coefficient_metrics
from training.datasets.windows import SyntheticWindows

SEED = 6_000_000  # of speakers that are in no training set


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    head, data = load_anny_head(), SyntheticWindows(SEED, arguments.sequences)
    sequences = [data.sequence(number) for number in range(arguments.sequences)]
    truth = [target[:EDITED_FRAMES] for _, target, _, _ in sequences]
    for file in arguments.files:
        net = load_manipulator(file)
        edits, correct = [], 0
        for source, target, _, emotion in sequences:
            style = encode_style(net.style_encoder, torch.from_numpy(target[EDITED_FRAMES:]))
            edited = translate(net.generator, torch.from_numpy(source[:EDITED_FRAMES]), style).clamp(0, MAX_COEFFICIENT)
            distances = (net.mean_style - encode_style(net.style_encoder, edited)).square().sum(1)
            correct += int(distances.argmin()) == emotion
            edits.append(edited.numpy())
        rows: dict[str, float | str] = {"file": file.stem, **coefficient_metrics(edits, truth, head)}
        print_rows("manipulator_alone", rows | {"style found": correct / len(sequences)}, arguments.json)


if __name__ == "__main__":
    main()
